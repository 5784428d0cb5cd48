package client_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/myriad-mind/myriad/client"
)

func TestAPlanAsTheAPITakesIt(t *testing.T) {
	plan := new(client.Plan).Add(
		client.Task{ID: "a", Concept: "text", Intent: "define", Args: map[string]any{"n": 1}},
		client.Task{
			ID: "b", Concept: "text", Intent: "join", Args: map[string]any{"x": client.Ref("a", "data")}, DependsOn: []string{"a"}, Timeout: 1500 * time.Millisecond,
			Priority: 3, Idempotent: true, OnDependencyFailure: "continue", Fallback: client.Default([]int{1}), MaxAge: time.Minute,
		},
		client.Task{ID: "c", Concept: "text", Intent: "x", Fallback: client.NoFallback},
	)
	got, err := json.Marshal(plan)
	want := `{"tasks":[{"task_id":"a","concept":"text","intent":"define","args":{"n":1}},` +
		`{"task_id":"b","concept":"text","intent":"join","args":{"x":"${tasks.a.data}"},"dependencies":["a"],"timeout_ms":1500,"priority":3,` +
		`"idempotent":true,"on_dependency_failure":"continue","fallback":{"value":[1]},"max_age_ms":60000},` +
		`{"task_id":"c","concept":"text","intent":"x","fallback":"none"}]}`
	if err != nil || string(got) != want {
		t.Errorf("%v\n got %s\nwant %s", err, got, want)
	}
	if got, err := json.Marshal(client.Plan{}); err != nil || string(got) != `{"tasks":[]}` {
		t.Errorf("the empty plan: %s %v", got, err)
	}
	for _, bad := range []client.Task{{ID: "a", Args: func() {}}, {ID: "a", Fallback: func() {}}} {
		if _, err := json.Marshal(client.Plan{Tasks: []client.Task{bad}}); err == nil {
			t.Errorf("%+v went through", bad)
		}
	}
}

func TestRef(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{client.Ref("a", "data"), `${tasks.a.data}`},
		{client.Ref("a-1_B", "data", "links", 0, "url"), `${tasks.a-1_B.data.links[0].url}`},
		{client.Ref("docs/a.md", "data"), `${tasks["docs/a.md"].data}`},
		{client.Ref(`q"`), `${tasks["q\""]}`},
		{client.Ref(""), `${tasks[""]}`},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}
