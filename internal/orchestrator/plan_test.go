package orchestrator

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// planOf makes a plan under the default limits, made smaller where small ones are easier to reach.
func planOf(dialect myriad.Dialect, text string) (*plan, error) {
	l := Limits{MaxTasks: 50, MaxArgsBytes: 200, MaxArgsDepth: 4}.withDefaults()
	return newPlan(&myriad.RunRequest{Body: []byte(text), Dialect: dialect}, &l)
}

const okTask = `{"task_id":"a","concept":"Lamp","intent":"Define"}`

func TestMistakes(t *testing.T) {
	with := func(field string) string {
		return `{"tasks":[{"task_id":"a","concept":"lamp","intent":"define",` + field + `}]}`
	}
	for name, c := range map[string]struct {
		body string
		want []string // "path: rule", exactly these
	}{
		"no JSON":                {`{"tasks":`, []string{": must be JSON: unexpected end of JSON input, at byte 9"}},
		"trailing data":          {`{"tasks":[]} {}`, []string{": must be JSON: invalid character '{' after top-level value, at byte 14"}},
		"nothing":                {``, []string{": must be JSON: unexpected end of JSON input, at byte 0"}},
		"no UTF-8":               {"{\"tasks\":[\"\xff\"]}", []string{": must be JSON in valid UTF-8"}},
		"no object":              {`[1]`, []string{": must be a JSON object"}},
		"no tasks":               {`{}`, []string{"tasks: must be a list of tasks"}},
		"tasks no list":          {`{"tasks":{}}`, []string{"tasks: must be a list of tasks"}},
		"unknown top field":      {`{"tasks":[],"query_id":1}`, []string{"query_id: unknown field"}},
		"repeated top field":     {`{"tasks":[],"tasks":[]}`, []string{"tasks: is given more than once"}},
		"run timeout":            {`{"tasks":[],"timeout_ms":-1}`, []string{"timeout_ms: must be a whole number of milliseconds from 0 to 600000"}},
		"run timeout too long":   {`{"tasks":[],"timeout_ms":600001}`, []string{"timeout_ms: must be a whole number of milliseconds from 0 to 600000"}},
		"run timeout no integer": {`{"tasks":[],"timeout_ms":1.5}`, []string{"timeout_ms: must be a whole number of milliseconds from 0 to 600000"}},
		"task no object":         {`{"tasks":[1,` + okTask + `,null]}`, []string{"tasks[0]: must be an object", "tasks[2]: must be an object"}},
		"empty task":             {`{"tasks":[{}]}`, []string{"tasks[0].task_id: is missing", "tasks[0].concept: is missing", "tasks[0].intent: is missing"}},
		"wrong types": {`{"tasks":[{"task_id":true,"concept":1,"intent":null,"args":[],"dependencies":"b"}]}`, []string{
			"tasks[0].task_id: must be a string or a number", "tasks[0].concept: must be a string", "tasks[0].intent: must be a string",
			"tasks[0].dependencies: must be a list of task ids", "tasks[0].args: must be an object"}},
		"empty words": {`{"tasks":[{"task_id":"","concept":" - ","intent":" "}]}`, []string{
			"tasks[0].task_id: must not be empty", "tasks[0].concept: a concept must not be empty", "tasks[0].intent: an intent must not be empty"}},
		"any concept":         {`{"tasks":[{"task_id":1,"concept":"*","intent":"x"}]}`, []string{`tasks[0].concept: must not be "*", which only agents may name`}},
		"unknown field":       {with(`"priorty":1`), []string{"tasks[0].priorty: unknown field"}},
		"repeated field":      {with(`"intent":"other"`), []string{"tasks[0].intent: is given more than once"}},
		"priority":            {with(`"priority":10`), []string{"tasks[0].priority: must be a whole number from 0 to 9"}},
		"idempotent":          {with(`"idempotent":1`), []string{"tasks[0].idempotent: must be true or false"}},
		"on failure":          {with(`"on_dependency_failure":"stop"`), []string{`tasks[0].on_dependency_failure: must be "skip" or "continue"`}},
		"fallback word":       {with(`"fallback":"some"`), []string{`tasks[0].fallback: must be "none" or {"value": ...}`}},
		"fallback other":      {with(`"fallback":{"value":1,"x":2}`), []string{`tasks[0].fallback: must be "none" or {"value": ...}`}},
		"fallback twice":      {with(`"fallback":{"value":1,"value":2}`), []string{`tasks[0].fallback: must be "none" or {"value": ...}`}},
		"max age":             {with(`"max_age_ms":-5`), []string{"tasks[0].max_age_ms: must be a whole number of milliseconds, not negative"}},
		"task timeout":        {with(`"timeout_ms":600001`), []string{"tasks[0].timeout_ms: must be a whole number of milliseconds from 0 to 600000"}},
		"args too large":      {with(`"args":{"x":"` + strings.Repeat("y", 200) + `"}`), []string{"tasks[0].args: must have at most 200 bytes, has 208"}},
		"args too deep":       {with(`"args":{"x":[[[[[[]]]]],[[[[]]]]]}`), []string{"tasks[0].args: must not nest deeper than 4 levels"}},
		"args repeated":       {with(`"args":{"x":[{"a":1,"\u0061":2}]}`), []string{"tasks[0].args.x[0].a: is given more than once"}},
		"duplicate id":        {`{"tasks":[` + okTask + `,` + okTask + `]}`, []string{`tasks[1].task_id: "a" is the id of tasks[0] already`}},
		"duplicate by key":    {`{"tasks":[{"task_id":1,"concept":"a","intent":"b"},{"task_id":"1","concept":"a","intent":"b"}]}`, []string{`tasks[1].task_id: "1" is the id of tasks[0] already`}},
		"unknown dependency":  {with(`"dependencies":["b",["c"]]`), []string{`tasks[0].dependencies[1]: must be a string or a number`, `tasks[0].dependencies[0]: "b" is the id of no task`}},
		"repeated dependency": {`{"tasks":[{"task_id":1,"concept":"a","intent":"b"},{"task_id":2,"concept":"a","intent":"b","dependencies":[1,"1"]}]}`, []string{`tasks[1].dependencies[1]: "1" is named more than once`}},
		"self":                {with(`"dependencies":["a"]`), []string{"tasks[0].dependencies: is in a cycle of dependencies: a -> a"}},
		"malformed reference": {with(`"args":{"x":"${tasks.}","y":["${tasks[}","${tasks.a"],"z":"${tasks[0]}"}`), []string{
			"tasks[0].args.x: malformed reference ${tasks.}: a name of letters, digits, _ or - is due after the dot",
			"tasks[0].args.y[0]: malformed reference ${tasks[}: an index or a quoted name and ] are due after [",
			"tasks[0].args.y[1]: malformed reference ${tasks.a: the closing brace is missing",
			`tasks[0].args.z: malformed reference ${tasks[0]}: a task is named by .id or ["id"]`}},
		"escaped reference": {with(`"args":{"a key":"\u0024{tasks.no}"}`), []string{`tasks[0].args["a key"]: ${tasks.no} refers to a task that is not there`}},
		"reference to none": {`{"tasks":[` + okTask + `,{"task_id":"b","concept":"x","intent":"y","args":{"v":"${tasks.a.data} ${tasks.b}"}}]}`, []string{
			`tasks[1].args.v: ${tasks.a.data} refers to a task that is no dependency, direct or transitive, of "b"`,
			`tasks[1].args.v: ${tasks.b} refers to a task that is no dependency, direct or transitive, of "b"`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := planOf(myriad.Native, c.body)
			if got := mistakesOf(t, err); !slices.Equal(got, c.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(c.want, "\n  "))
			}
		})
	}
}

func TestTooManyTasks(t *testing.T) {
	var tasks []string
	for i := range 51 {
		tasks = append(tasks, fmt.Sprintf(`{"task_id":%d,"concept":"a","intent":"b"}`, i))
	}
	_, err := planOf(myriad.Native, `{"tasks":[`+strings.Join(tasks, ",")+`]}`)
	if got := mistakesOf(t, err); !slices.Equal(got, []string{"tasks: must hold at most 50 tasks, holds 51"}) {
		t.Errorf("got %q", got)
	}
}

// Every mistake of a request is told at once, in reading order.
func TestAllMistakesAtOnce(t *testing.T) {
	_, err := planOf(myriad.Native, `{"timeout_ms":-1,"tasks":[
		{"task_id":"a","concept":"","intent":"x","dependencies":["d"]},
		{"task_id":"b","concept":"x","intent":"x","args":{"r":"${tasks.nope}"},"dependencies":["c"]},
		{"task_id":"c","concept":"x","intent":"x","dependencies":["b"],"timeout_ms":-1},
		{"task_id":"a","concept":"x","intent":"x","oops":1}]}`)
	want := []string{"timeout_ms", "tasks[0].concept", "tasks[0].dependencies[0]", "tasks[1].dependencies", "tasks[1].args.r", "tasks[2].timeout_ms", "tasks[3].oops", "tasks[3].task_id"}
	var got []string
	for _, m := range err.(*myriad.Error).Mistakes {
		got = append(got, m.Path)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q\n%v", got, want, mistakesOf(t, err))
	}
}

func TestMistakesAreBounded(t *testing.T) {
	l := Limits{}.withDefaults()
	_, err := newPlan(&myriad.RunRequest{Body: []byte(`{"tasks":[` + strings.Repeat("1,", 9999) + `1]}`)}, &l)
	got := mistakesOf(t, err)
	if len(got) != maxMistakes+1 || got[maxMistakes] != ": 9000 more mistakes are not listed" {
		t.Errorf("%d mistakes, the last %q", len(got), got[len(got)-1])
	}
}

func TestCyclesAreNamedInOrder(t *testing.T) {
	one := func(id string, deps ...string) string {
		raw, _ := json.Marshal(deps)
		return fmt.Sprintf(`{"task_id":%q,"concept":"x","intent":"y","dependencies":%s}`, id, raw)
	}
	_, err := planOf(myriad.Native, `{"tasks":[`+strings.Join([]string{
		one("free"), one("tail", "a"), one("b", "c"), one("a", "free", "b"), one("c", "a"), one("y", "x"), one("x", "y"), one("behind", "tail", "x"),
	}, ",")+`]}`)
	want := []string{"tasks[2].dependencies: is in a cycle of dependencies: b -> c -> a -> b", "tasks[5].dependencies: is in a cycle of dependencies: y -> x -> y"}
	if got := mistakesOf(t, err); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCompatDialect(t *testing.T) {
	p, err := planOf(myriad.Compat, `{"query_id":1,"timeout_ms":-7,"tasks":[
		{"task_id":1,"concept":"Old","intent":"x"},
		{"task_id":true,"concept":"LED","intent":"Define","priority":"high","context":{},"args":null,"timeout_ms":-1},
		{"task_id":null,"concept":"x","intent":"x","dependencies":null},
		{"task_id":1.0,"concept":"x","intent":"x","args":{"v":"${tasks.nobody} $${tasks","a":1,"a":2}},
		{"task_id":"1","concept":"New","intent":"x","dependencies":[true,true]},
		{"task_id":-0,"concept":"x","intent":"x"},{"task_id":"","concept":"x","intent":"x"}]}`)
	if err != nil {
		t.Fatal(mistakesOf(t, err))
	}
	var keys []string
	for _, task := range p.tasks {
		keys = append(keys, task.ID.Key+"="+string(task.ID.Raw))
	}
	if want := []string{`1="1"`, "True=true", "None=null", "1.0=1.0", "0=-0", `=""`}; !slices.Equal(keys, want) {
		t.Errorf("keys %q, want %q", keys, want)
	}
	if p.tasks[0].Concept != "New" || p.tasks[1].Concept != "LED" || p.tasks[1].ConceptKey != "led" || p.tasks[1].IntentKey != "define" {
		t.Errorf("tasks %+v", p.tasks[:2])
	}
	if len(p.deps[0]) != 1 || p.deps[0][0] != 1 || len(p.tasks[0].Dependencies) != 1 {
		t.Errorf("dependencies %v, %v", p.deps[0], p.tasks[0].Dependencies)
	}
	if p.templates != nil || string(p.tasks[3].Args) != `{"v":"${tasks.nobody} $${tasks","a":1,"a":2}` {
		t.Errorf("args of a task without dependencies must pass on unchanged, got %s", p.tasks[3].Args)
	}
	if p.timeout != 30*time.Second {
		t.Errorf("timeout %s", p.timeout)
	}
	_, err = planOf(myriad.Compat, `{"tasks":[{"concept":"x","intent":"y"},{"task_id":{},"intent":1,"concept":"x"},{"task_id":2,"concept":"x","intent":"y","dependencies":[3]}]}`)
	want := []string{"tasks[0].task_id: is missing", "tasks[1].task_id: must be a JSON scalar", "tasks[1].intent: must be a string", `tasks[2].dependencies[0]: "3" is the id of no task`}
	if got := mistakesOf(t, err); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The keys are those that Python's str() gives to what its json module reads (checked with Python 3).
func TestPythonNumber(t *testing.T) {
	for in, want := range map[string]string{
		"1": "1", "-0": "0", "12345678901234567890123": "12345678901234567890123", "1.0": "1.0", "1.50": "1.5", "1e5": "100000.0", "1E400": "inf",
		"-1E400": "-inf", "1e16": "1e+16", "1e15": "1000000000000000.0", "0.0001": "0.0001", "0.00001": "1e-05", "-0.0": "-0.0", "123456789.123456789": "123456789.12345679",
		"1e-400": "0.0", "1.5e300": "1.5e+300",
	} {
		if got := pythonNumber(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestNativeTaskIsReadWhole(t *testing.T) {
	p, err := planOf(myriad.Native, `{"timeout_ms":1000,"tasks":[{"task_id":12345678901234567890,"concept":"Light Bulb","intent":" Define ","args":{"n":1.000},"timeout_ms":5,
		"priority":9,"idempotent":true,"on_dependency_failure":"continue","fallback":{"value":null},"max_age_ms":7,"dependencies":[]},
		{"task_id":"b","concept":"x","intent":"y","args":null,"timeout_ms":null,"priority":null,"idempotent":null,"on_dependency_failure":null,"fallback":null,"max_age_ms":null,"dependencies":null}]}`)
	if err != nil {
		t.Fatal(mistakesOf(t, err))
	}
	a := p.tasks[0]
	if a.ID.Key != "12345678901234567890" || a.ConceptKey != "light_bulb" || a.IntentKey != "define" || string(a.Args) != `{"n":1.000}` || a.TimeoutMS != 5 || a.Priority != 9 ||
		!a.Idempotent || a.OnDependencyFailure != "continue" || string(a.Fallback) != `{"value":null}` || a.MaxAgeMS != 7 || p.timeout != time.Second {
		t.Errorf("got %+v, %s", a, p.timeout)
	}
	if b := p.tasks[1]; b.Args != nil || b.TimeoutMS != 0 || b.Fallback != nil || b.Dependencies != nil {
		t.Errorf("got %+v", b)
	}
}

// A chain and a wide graph of the largest plan, and one where every task refers to far ones, are checked in little time and without recursion.
func TestLargePlans(t *testing.T) {
	const n = 10_000
	l := Limits{}.withDefaults()
	shapes := map[string]func(i int) (deps []int, args string){
		"chain": func(i int) ([]int, string) {
			if i == 0 {
				return nil, `{}`
			}
			return []int{i - 1}, fmt.Sprintf(`{"far":"${tasks.t%d.data}","near":"${tasks.t0.data}"}`, max(0, i-50))
		},
		"fan-in": func(i int) ([]int, string) {
			if i < n-1 {
				return nil, `{}`
			}
			all := make([]int, n-1)
			for k := range all {
				all[k] = k
			}
			return all, `{"a":"${tasks.t77.data}"}`
		},
		"ring": func(i int) ([]int, string) { return []int{(i + n - 1) % n}, `{}` },
	}
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			b.WriteString(`{"tasks":[`)
			for i := range n {
				deps, args := shape(i)
				if i > 0 {
					b.WriteByte(',')
				}
				fmt.Fprintf(&b, `{"task_id":"t%d","concept":"x","intent":"y","args":%s,"dependencies":[`, i, args)
				for k, dep := range deps {
					if k > 0 {
						b.WriteByte(',')
					}
					fmt.Fprintf(&b, `"t%d"`, dep)
				}
				b.WriteString(`]}`)
			}
			b.WriteString(`]}`)
			p, err := newPlan(&myriad.RunRequest{Body: []byte(b.String())}, &l)
			if name == "ring" {
				if got := mistakesOf(t, err); len(got) != 1 || !strings.HasSuffix(got[0], "(10000 tasks) -> t0") {
					t.Errorf("got %q", got)
				}
				return
			}
			if err != nil || len(p.order()) != n {
				t.Fatalf("%v", err)
			}
		})
	}
}

func FuzzPlan(f *testing.F) {
	f.Add([]byte(`{"tasks":[`+okTask+`]}`), false)
	f.Add([]byte(`{"tasks":[`+okTask+`,{"task_id":2,"concept":"x","intent":"y","dependencies":["a"],"args":{"v":["${tasks.a.data[0]}","$${tasks"]}}],"timeout_ms":5}`), false)
	f.Add([]byte(`{"tasks":[{"task_id":null,"concept":"x","intent":"y"},{"task_id":1e5,"concept":"x","intent":"y","args":{"a":{"b":[{}]}}}]}`), true)
	f.Fuzz(func(t *testing.T, data []byte, compat bool) {
		dialect := myriad.Native
		if compat {
			dialect = myriad.Compat
		}
		p, err := planOf(dialect, string(data))
		if err != nil {
			if len(mistakesOf(t, err)) == 0 {
				t.Fatal("refused without a mistake")
			}
			return
		}
		if len(p.order()) != len(p.tasks) {
			t.Fatal("a plan that cannot be ordered was taken")
		}
		keys := map[string]bool{}
		for i, task := range p.tasks {
			if keys[task.ID.Key] || !json.Valid(task.ID.Raw) || task.ConceptKey == "" || task.IntentKey == "" {
				t.Fatalf("task %d is wrong: %+v", i, task)
			}
			keys[task.ID.Key] = true
			if task.Args != nil && (!json.Valid(task.Args) || task.Args[0] != '{') {
				t.Fatalf("args of task %d: %s", i, task.Args)
			}
			if tmpl := p.template(i); tmpl != nil {
				for _, h := range tmpl.holes {
					if !json.Valid(tmpl.raw[h.start:h.end]) || tmpl.raw[h.start] != '"' {
						t.Fatalf("hole %s", tmpl.raw[h.start:h.end])
					}
				}
			}
		}
		if raw := p.announcement(); !json.Valid(raw) {
			t.Fatalf("announced as %s", raw)
		}
	})
}

func BenchmarkPlanOneTask(b *testing.B) {
	l := Limits{}.withDefaults()
	req := &myriad.RunRequest{Body: []byte(`{"tasks":[{"task_id":1,"concept":"lightbulb","intent":"define","args":{"a":"b"}}]}`)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := newPlan(req, &l); err != nil {
			b.Fatal(err)
		}
	}
}
