package faultproxy

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAgentSpeaksTheJobProtocol(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "/query", `{"task_id":1,"intent":"define","concept":"lightbulb","args":{}}`, 200, `{"agent_name":"Test_AI","data":"define of lightbulb","status":"success"}`},
		{"POST", "/query", `{"task_id":1}`, 400, "Missing 'intent'"},
		{"POST", "/query", `{"task_id":`, 400, "no JSON object"},
		{"POST", "/query", `[]`, 400, "no JSON object"},
		{"POST", "/query", `"` + strings.Repeat("x", maxJob) + `"`, 413, "too large"},
		{"GET", "/query", "", 405, `"status":"error"`},
		{"POST", "/elsewhere", "{}", 404, `"status":"error"`},
		{"GET", "/health", "", 200, `{"agent":"Test_AI","status":"healthy"}`},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, b.proxy.URL()+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		if got := b.do(r); got.err != nil || got.status != c.status || !strings.Contains(got.body, c.want) {
			t.Errorf("%s %s %.40s: %d %s %v, want %d %s", c.method, c.path, c.body, got.status, got.body, got.err, c.status, c.want)
		}
	}
	if s := b.agent.Stats(); s.Jobs != 1 || s.Running != 0 {
		t.Errorf("%+v, want one job", s)
	}
}

func TestBehaviours(t *testing.T) {
	for _, c := range []struct {
		name             string
		behaviour        Behaviour
		check            func(reply) bool
		begun, completed int
	}{
		{"error", Behaviour{Fail: true}, func(r reply) bool { return r.status == 200 && strings.Contains(r.body, `"status":"error"`) }, 1, 1},
		{"500", Behaviour{Status: 500}, func(r reply) bool { return r.status == 500 && strings.Contains(r.body, `"status":"error"`) }, 1, 0},
		{"429", Behaviour{Status: 429, RetryAfter: "2"}, func(r reply) bool { return r.status == 429 && r.header.Get("Retry-After") == "2" }, 0, 0},
		{"503", Behaviour{Status: 503}, func(r reply) bool { return r.status == 503 }, 0, 0},
		{"404", Behaviour{Status: 404}, func(r reply) bool { return r.status == 404 }, 0, 0},
		{"own body", Behaviour{Body: []byte("[1,2]")}, func(r reply) bool { return r.status == 200 && r.body == "[1,2]" }, 1, 1},
		{"no content", Behaviour{Status: 204, Body: []byte{}}, func(r reply) bool { return r.status == 204 && r.body == "" }, 1, 1},
		{"abort", Behaviour{Abort: true}, func(r reply) bool { return r.err != nil }, 1, 1},
		{"own data", Behaviour{Data: func(j Job) any { return j.Concept }}, func(r reply) bool { return strings.Contains(r.body, `"data":"lightbulb"`) }, 1, 1},
		{"data that is no JSON", Behaviour{Data: func(Job) any { return func() {} }}, func(r reply) bool { return r.status == 500 }, 1, 1},
		{"delay", Behaviour{Delay: time.Millisecond}, func(r reply) bool { return r.status == 200 }, 1, 1},
		{"past its first", Behaviour{Status: 500, First: 1}, func(r reply) bool { return r.status == 500 }, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.agent.Set(c.behaviour)
			if r := b.ask("1", patience); !c.check(r) {
				t.Errorf("status %d, body %q, error %v", r.status, r.body, r.err)
			}
			if s := b.agent.Stats(); s.Begun != c.begun || s.Completed != c.completed || s.Jobs != 1 {
				t.Errorf("%+v, want %d begun and %d completed", s, c.begun, c.completed)
			}
			if c.behaviour.First == 1 {
				if r := b.ask("2", patience); r.status != 200 {
					t.Errorf("the second job gets status %d, error %v", r.status, r.err)
				}
			}
		})
	}
}

func TestEndlessAgent(t *testing.T) {
	b := newBench(t)
	b.agent.Set(Behaviour{Endless: true})
	if r := b.ask("1", soon); !timedOut(r.err) || !strings.HasPrefix(r.body, `{"status":"success","data":"xxx`) {
		t.Errorf("%d bytes, error %v", len(r.body), r.err)
	}
	b.eventually("the agent stops", func() bool { return b.agent.Stats().Running == 0 })
}

func TestPeakAndEffects(t *testing.T) {
	b := newBench(t)
	release := make(chan struct{})
	b.agent.Set(Behaviour{Hold: release})
	const n = 7
	var clients sync.WaitGroup
	for i := range n {
		clients.Go(func() {
			if r := b.ask(fmt.Sprint(i%5), patience); r.err != nil { // tasks 0 and 1 are sent twice
				t.Error(r.err)
			}
		})
	}
	b.eventually("all are at work", func() bool { return b.agent.Stats().Running == n })
	close(release)
	clients.Wait()
	if s := b.agent.Stats(); s.Peak != n || s.Begun != n || s.Completed != n || s.Untracked != 0 {
		t.Errorf("%+v, want %d at once", s, n)
	}
	if got := b.agent.Effects(); len(got) != 5 || got[4] != (Effect{"key-4", "4", 1, 1}) {
		t.Errorf("effects %+v", got)
	}
	if got, want := b.agent.Repeated(), []Effect{{"key-0", "0", 2, 2}, {"key-1", "1", 2, 2}}; !slices.Equal(got, want) {
		t.Errorf("repeated %+v, want %+v", got, want)
	}
	b.eventually("all handlers have returned", func() bool { return b.agent.Stats().Running == 0 })
	b.agent.Forget()
	if s := b.agent.Stats(); s != (AgentStats{}) {
		t.Errorf("after Forget: %+v", s)
	}
}

func TestLedgerIsBounded(t *testing.T) {
	const limit = 100
	l := newLedger(limit)
	for i := range limit + 3 {
		l.note("", fmt.Sprint(i), false)
		l.note("", fmt.Sprint(i), true)
	}
	if len(l.effects) != limit || l.untracked != 3 {
		t.Errorf("%d effects, %d untracked", len(l.effects), l.untracked)
	}
}
