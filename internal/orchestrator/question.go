package orchestrator

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"slices"
	"strconv"
	"strings"

	"github.com/myriad-mind/myriad"
)

// question is the key of the task's last good answer: what was asked, in a form that does not depend on how it was written. It holds
// concept, intent, args and, of each direct dependency, id, status and data, but nothing of how long anything took.
func (r *run) question(i int32) string {
	w, task := &r.tasks[i], &r.plan.tasks[i]
	if w.question == "" {
		job := r.jobOf(i)
		w.question = questionKey(task.ConceptKey, task.IntentKey, &job)
	}
	return w.question
}

func questionKey(concept, intent string, job *myriad.Job) string {
	sum := sha256.New()
	addPart(sum, []byte(concept))
	addPart(sum, []byte(intent))
	addPart(sum, canonical(nil, job.Args))
	ids := make([]string, 0, len(job.Dependencies))
	for id := range job.Dependencies {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		d := job.Dependencies[id]
		addPart(sum, []byte(id))
		addPart(sum, []byte(d.Status))
		addPart(sum, canonical(nil, d.Data))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// addPart adds one part with its length, so that no two lists of parts run together to the same text.
func addPart(sum hash.Hash, b []byte) {
	sum.Write(append(strconv.AppendInt(nil, int64(len(b)), 10), ':'))
	sum.Write(b)
}

// canonical appends a JSON value in the one form that equal values share: members sorted by name (of equal names the last), no white space,
// strings escaped in one way. It follows RFC 8785 but for numbers, which keep their digits: 1 and 1.0 are different questions.
func canonical(b []byte, raw json.RawMessage) []byte {
	i := myriad.SkipSpace(raw, 0)
	if i >= len(raw) {
		return b
	}
	switch raw[i] {
	case '{':
		return canonicalObject(b, raw)
	case '[':
		b = append(b, '[')
		for n, value := range myriad.Elements(raw) {
			if n > 0 {
				b = append(b, ',')
			}
			b = canonical(b, value)
		}
		return append(b, ']')
	case '"':
		return myriad.AppendJSONString(b, string(myriad.Unquote(raw[i:myriad.ValueEnd(raw, i)])))
	}
	return append(b, raw[i:myriad.ValueEnd(raw, i)]...)
}

func canonicalObject(b []byte, raw json.RawMessage) []byte {
	type member struct {
		name  string
		value json.RawMessage
	}
	var members []member
	for name, value := range myriad.Fields(raw) {
		members = append(members, member{string(name), value})
	}
	slices.SortStableFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	b = append(b, '{')
	first := true
	for n, m := range members {
		if n+1 < len(members) && members[n+1].name == m.name {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(myriad.AppendJSONString(b, m.name), ':')
		b = canonical(b, m.value)
	}
	return append(b, '}')
}
