package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
)

// lectured tells an instance something over HTTP, as anybody may. It is false when the instance refuses in order, or is not there any more.
func lectured(t testing.TB, endpoint, kind, content string) bool {
	t.Helper()
	body, err := json.Marshal(map[string]any{"knowledge_type": kind, "content": content, "confidence": 0.7})
	if err != nil {
		t.Error(err)
		return false
	}
	resp, reply, err := exchanged(http.MethodPost, strings.TrimSuffix(endpoint, "query")+"update_knowledge", string(body))
	switch {
	case err != nil:
		t.Errorf("told something: %v", err)
	case resp.StatusCode == http.StatusOK:
		return true
	case resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "":
		t.Errorf("told something: HTTP %d, Retry-After %q, %s", resp.StatusCode, resp.Header.Get("Retry-After"), reply)
	}
	return false
}

// answered is one for goroutines: a task about known tide, sent again for as long as an operator stops the agent before it is awake.
func answered(t testing.TB, c *client.Client, name, intent string) (r myriad.Result) {
	t.Helper()
	plan := client.Plan{Timeout: longest, Tasks: []client.Task{{ID: "t", Concept: "known tide", Intent: intent, Fallback: client.NoFallback}}}
	for {
		run, err := c.Run(context.Background(), plan)
		if err != nil || len(run.Results) != 1 {
			t.Errorf("ask %s: %v", name, err)
			return r
		}
		switch r = run.Results[0]; {
		case r.ErrorCode == myriad.TaskErrStart && strings.Contains(r.ErrorMessage, "was stopped before it was awake"):
			continue
		case !r.Succeeded || r.Provenance.Agent != name:
			t.Errorf("ask %s: %s", name, r.AppendJSON(nil))
		}
		return r
	}
}

// TestWhatAnAgentIsToldSurvivesItsInstance teaches an agent while its instance is restarted, stopped and woken again and again: whatever was
// acknowledged is in the next answer and in the packet.
func TestWhatAnAgentIsToldSurvivesItsInstance(t *testing.T) {
	const teachers, lessons = 4, 60
	_, c := startServer(t)
	startScholar(t, c)
	name := mustOne(t, c, "known tide", "define", nil).Provenance.Agent
	ctx, stop := context.WithCancel(t.Context())
	var disturbing, teaching sync.WaitGroup
	disturbing.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			f, err := c.Fleet(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			i, ok := livingOf(f, name)
			if !ok {
				answered(t, c, name, "define")
				continue
			}
			end := c.RestartInstance
			if n%3 == 0 {
				end = c.StopInstance
			}
			if err := end(t.Context(), i.ID); err != nil && myriad.ErrorCode(err) != myriad.CodeNotFound && myriad.ErrorCode(err) != myriad.CodeConflict {
				t.Errorf("end an instance: %v", err)
			}
			time.Sleep(3 * time.Millisecond) // teaching goes on; nothing is judged by it
		}
	})
	var refused int
	var mu sync.Mutex
	for teacher := range teachers {
		teaching.Go(func() {
			kind := fmt.Sprint("subject", teacher)
			for n := 0; n < lessons; {
				r := answered(t, c, name, kind)
				if n > 0 && !strings.Contains(string(r.Answer.Data), fmt.Sprintf("lesson %d.", n)) {
					t.Errorf("%s: lesson %d was taken, and the answer is %s", kind, n, r.AppendJSON(nil))
					return
				}
				a, err := c.Agent(t.Context(), name)
				if err != nil {
					t.Error(err)
					return
				}
				if a.Endpoint == "" {
					continue // asleep this moment
				}
				if lectured(t, a.Endpoint, kind, fmt.Sprintf("lesson %d.", n+1)) {
					n++
				} else {
					mu.Lock()
					refused++
					mu.Unlock()
				}
			}
		})
	}
	teaching.Wait()
	stop()
	disturbing.Wait()
	t.Logf("%d lessons were refused", refused)
	eventually(t, func() (bool, string) {
		a, err := c.Agent(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		for teacher := range teachers {
			if got := a.Template.Knowledge.Learned[fmt.Sprint("subject", teacher)].Content; got != fmt.Sprintf("lesson %d.", lessons) {
				return false, fmt.Sprintf("of subject%d the packet holds %q", teacher, got)
			}
		}
		return true, ""
	})
}
