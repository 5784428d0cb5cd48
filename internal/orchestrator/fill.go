package orchestrator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/myriad-mind/myriad"
)

var noArgs = json.RawMessage("{}")

// makeJob puts together what the i-th task's agent will be asked; nil when that went well. The task's dependencies are done.
func (r *run) makeJob(i int32) *failure {
	task := &r.plan.tasks[i]
	job := &r.tasks[i].job
	*job = myriad.Job{TaskID: task.ID, Intent: task.Intent, Concept: task.Concept, Args: task.Args}
	if job.Args == nil {
		job.Args = noArgs
	}
	limit := r.o.limits.MaxJobBytes
	if t := r.plan.template(int(i)); t != nil {
		args, failed := r.fill(t, limit)
		if failed != nil {
			return failed
		}
		job.Args = args
	}
	size := len(job.Args)
	if deps := r.plan.deps[i]; len(deps) > 0 {
		inputs := r.inputsOf(deps)
		job.Dependencies = inputs.byID
		size += inputs.size
	}
	if size > limit {
		return tooLargeJob(limit)
	}
	return nil
}

// inputs are what jobs carry of the results of their dependencies. They do not change once made: tasks with the same dependencies share them.
type inputs struct {
	deps []int32
	byID map[string]myriad.Dependency
	size int // bytes of data
}

// inputsOf is those of the dependencies given, all of them done. The last ones made are kept, because tasks that fan out from the same ones
// become ready together.
func (r *run) inputsOf(deps []int32) *inputs {
	if last := r.inputs.Load(); last != nil && slices.Equal(last.deps, deps) {
		return last
	}
	in := &inputs{deps: deps, byID: make(map[string]myriad.Dependency, len(deps))}
	for _, dep := range deps {
		d := dependency(&r.results[dep])
		in.size += len(d.Data)
		in.byID[r.results[dep].TaskID.Key] = d
	}
	r.inputs.Store(in)
	return in
}

func tooLargeJob(limit int) *failure {
	return &failure{status: myriad.StatusError, code: myriad.TaskErrTooLarge,
		message: fmt.Sprintf("the job, with what it takes from its dependencies, is larger than %d bytes", limit)}
}

// dependency is what a job carries of a result.
func dependency(result *myriad.Result) myriad.Dependency {
	d := myriad.Dependency{Status: result.Status, Data: dataOf(result), AgentName: result.Answer.AgentName}
	if d.AgentName == "" {
		d.AgentName = result.Extra.AgentName
	}
	return d
}

func dataOf(result *myriad.Result) json.RawMessage {
	if result.Answer.Data != nil {
		return result.Answer.Data
	}
	return result.Extra.Data
}

// fill puts the values that a template refers to in their places, once: what was put in is not looked at again.
func (r *run) fill(t *template, limit int) (json.RawMessage, *failure) {
	values := map[int32]*tree{}
	out := make([]byte, 0, 2*len(t.raw))
	from := 0
	for h := range t.holes {
		hole := &t.holes[h]
		out = append(out, t.raw[from:hole.start]...)
		from = hole.end
		var failed *failure
		if out, failed = r.fillString(out, hole, values, limit); failed != nil {
			return nil, failed
		}
		if len(out) > limit {
			return nil, tooLargeJob(limit)
		}
	}
	return append(out, t.raw[from:]...), nil
}

// fillString appends what one string becomes: the value itself where a reference is all of it, else text.
func (r *run) fillString(out []byte, hole *hole, values map[int32]*tree, limit int) ([]byte, *failure) {
	var text []byte
	for _, part := range hole.parts {
		if part.ref == nil {
			text = append(text, part.text...)
			continue
		}
		value, ok := r.refer(part.ref, values)
		if !ok {
			return nil, &failure{status: myriad.StatusError, code: myriad.TaskErrReference,
				message: fmt.Sprintf("%s leads to nothing in the result of task %q", shorten(part.ref.text, 200), shorten(part.ref.id, 80))}
		}
		if len(hole.parts) == 1 {
			return append(out, value...), nil
		}
		if value[0] == '"' {
			value = myriad.Unquote(value)
		}
		if text = append(text, value...); len(text) > limit {
			return nil, tooLargeJob(limit)
		}
	}
	return myriad.AppendJSONString(out, string(text)), nil
}

// refer is the value that a reference leads to.
func (r *run) refer(ref *reference, values map[int32]*tree) (json.RawMessage, bool) {
	root := values[ref.task]
	if root == nil {
		root = &tree{raw: r.results[ref.task].AppendJSON(nil)}
		values[ref.task] = root
	}
	for _, step := range ref.path {
		if root = root.child(step); root == nil {
			return nil, false
		}
	}
	return root.raw, true
}

// tree is a JSON value that takes itself apart where it is walked, each level once, so that many references into one large value cost no
// more than reading it.
type tree struct {
	raw      json.RawMessage
	apart    bool
	fields   map[string]*tree
	elements []*tree
}

// child is the value at one step from t, nil when there is none.
func (t *tree) child(step pathStep) *tree {
	if !t.apart {
		t.takeApart()
	}
	switch {
	case step.index < 0:
		return t.fields[step.name]
	case step.index < len(t.elements):
		return t.elements[step.index]
	}
	return nil
}

func (t *tree) takeApart() {
	t.apart = true
	t.raw = bytes.TrimSpace(t.raw)
	for name, value := range myriad.Fields(t.raw) {
		if t.fields == nil {
			t.fields = map[string]*tree{}
		}
		t.fields[string(name)] = &tree{raw: value} // of equal names the last one counts
	}
	for _, value := range myriad.Elements(t.raw) {
		t.elements = append(t.elements, &tree{raw: value})
	}
}
