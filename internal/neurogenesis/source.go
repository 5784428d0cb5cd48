package neurogenesis

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/myriad-mind/myriad"
)

// Source is somewhere to look for what is known of a concept. Implementations are safe for concurrent use.
type Source interface {
	// Name is for logs, and for findings that name nobody.
	Name() string
	// Research gives what is known; nothing and no error when nothing is. It returns when ctx ends, with what it has found until then. A source
	// that fails, panics, comes late or answers nonsense is passed over, and hurts no other. An error with the code of a reason not
	// to ask (notAsked) says that whoever may know was not asked; then the concept is soon tried again.
	Research(ctx context.Context, q Question) ([]Finding, error)
}

// notAsked are the reasons not to ask somebody who may know. None of them tells what he knows. Most are over by themselves in a moment; the network policy and
// credentials wait for an operator, who sees at once whether he has mended them (a file of credentials is read anew for each request, the agent
// may be given another endpoint), and to be denied again costs no connection.
var notAsked = []myriad.Code{
	myriad.TaskErrFleetFull,   // no room to wake him
	myriad.TaskErrCircuitOpen, // his breaker is open
	myriad.TaskErrParked,      // he wants to be left alone for a while
	myriad.TaskErrCoolingDown, // he could not be started a moment ago
	myriad.TaskErrAsleep,      // he was not awake in time, or fell asleep before he could be asked
	myriad.TaskErrDenied,      // the network policy forbids it
	myriad.TaskErrCredentials, // the reference to his credentials leads to nothing
	myriad.TaskErrGraph,       // the graph does not tell who he is
}

// unasked says whether err is a reason not to ask.
func unasked(err error) bool { return slices.Contains(notAsked, myriad.ErrorCode(err)) }

// Question is a concept about which nothing is known, and why somebody asks.
type Question struct {
	Concept string // canonical
	Display string // as it was written
	Intent  string // canonical
}

// Finding is what one source knows of a concept.
type Finding struct {
	Source       string   // whose knowledge it is; the source's name when empty
	Definition   string   // "" when it has none
	Confidence   *float64 // 0..1; nil when it does not say
	Applications []string
}

// The bounds of what is taken from a source.
const (
	maxFindings = 32       // of one source
	maxText     = 16 << 10 // of one definition or application, in bytes
)

// sound says what is wrong with a finding, "" when it can be used.
func (f *Finding) sound() string {
	switch {
	case len(f.Definition) > maxText:
		return "its definition is too long"
	case f.Confidence != nil && (math.IsNaN(*f.Confidence) || *f.Confidence < 0 || *f.Confidence > 1):
		return "its confidence is not from 0 to 1"
	case len(f.Source) > myriad.MaxNameLength:
		return "its name is too long"
	}
	return ""
}

// usable drops blanks and what is too long from the applications of a finding, and from the others what no text of an agent may hold.
func usable(applications []string) (kept []string) {
	for _, a := range applications {
		if a = strings.TrimSpace(myriad.LegibleText(a)); a != "" && len(a) <= maxText {
			kept = append(kept, a)
		}
	}
	return kept
}
