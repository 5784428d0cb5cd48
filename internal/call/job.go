package call

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/myriad-mind/myriad"
)

// appendJob writes the job as JSON: the four fields of the agent protocol, and the dependencies when there are any, by key so that
// equal jobs have equal bytes. Args and data are raw JSON that was validated when it came in, and go out as they are.
func appendJob(b []byte, job *myriad.Job) []byte {
	b = append(b, `{"task_id":`...)
	if job.TaskID.Raw != nil {
		b = append(b, job.TaskID.Raw...)
	} else {
		b = appendString(b, job.TaskID.Key)
	}
	b = append(b, `,"intent":`...)
	b = appendString(b, job.Intent)
	b = append(b, `,"concept":`...)
	b = appendString(b, job.Concept)
	b = append(b, `,"args":`...)
	b = appendRaw(b, job.Args, "{}")
	if len(job.Dependencies) > 0 {
		b = append(b, `,"dependencies":{`...)
		var few [8]string // spares the usual job an allocation
		ids := slices.AppendSeq(few[:0], maps.Keys(job.Dependencies))
		slices.Sort(ids)
		for i, id := range ids {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, id)
			b = append(b, ':')
			b = appendDependency(b, job.Dependencies[id])
		}
		b = append(b, '}')
	}
	return append(b, '}')
}

func appendDependency(b []byte, d myriad.Dependency) []byte {
	b = append(b, `{"status":`...)
	b = appendString(b, d.Status)
	b = append(b, `,"data":`...)
	b = appendRaw(b, d.Data, "null")
	b = append(b, `,"agent_name":`...)
	b = appendString(b, d.AgentName)
	return append(b, '}')
}

func appendRaw(b []byte, raw json.RawMessage, none string) []byte {
	if len(raw) == 0 {
		return append(b, none...)
	}
	return append(b, raw...)
}

// appendString writes s as a JSON string; what needs no escaping, as nearly everything does, is copied.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(s)
			if err != nil { // a Go string always marshals
				panic(err)
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// jobSize is about how long the encoded job is; never much less, so that one allocation does.
func jobSize(job *myriad.Job) int {
	n := 80 + len(job.TaskID.Raw) + len(job.TaskID.Key) + len(job.Intent) + len(job.Concept) + len(job.Args)
	for id, d := range job.Dependencies {
		n += 48 + len(id) + len(d.Status) + len(d.Data) + len(d.AgentName)
	}
	return n
}
