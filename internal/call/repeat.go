package call

import (
	"slices"

	"github.com/myriad-mind/myriad"
)

// repeatable says that the task may be carried out again although the agent may have carried it out: the client said so, or the intent
// only reads, by the server's list or by the agent's own word. Names are compared exactly, in their canonical form.
func (c *Caller) repeatable(f *flight, a *myriad.Agent) bool {
	return f.call.Task.Idempotent || c.reading[f.intent] || slices.Contains(a.SafeIntents, f.intent)
}

// intentOf is the canonical intent of a task; one without is never repeatable and shares the agent's statistics of "".
func intentOf(t *myriad.Task) string {
	if t.IntentKey != "" {
		return t.IntentKey
	}
	intent, err := myriad.CanonicalIntent(t.Intent)
	if err != nil {
		return ""
	}
	return intent
}
