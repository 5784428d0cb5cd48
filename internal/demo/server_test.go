package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// reference is a server in small: it carries plans out as simply as can be, with the failover and the last good answers that the second
// act needs. What it says is what the demo's plan, agents and rendering are tested against.
type reference struct {
	mu     sync.Mutex
	agents []myriad.Agent
	good   map[string]myriad.Result
	ran    []string
	most   int // tasks of one plan
}

func (s *reference) start(t *testing.T) *client.Client {
	t.Helper()
	s.good = map[string]myriad.Result{}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	c, err := client.New(client.Config{Server: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	return c
}

func (s *reference) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	switch {
	case r.Method == http.MethodPut:
		var a myriad.Agent
		if err := json.Unmarshal(body, &a); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if _, mistakes := myriad.CheckAgent(a); len(mistakes) > 0 {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"detail":%q}`, fmt.Sprint(mistakes))
			return
		}
		s.mu.Lock()
		s.agents = append(s.agents, a)
		s.mu.Unlock()
		_, _ = w.Write(body)
	case r.URL.Path == "/v1/fleet":
		fmt.Fprint(w, `{"limits":{"max_agents":3},"in_use":1,"instances":[{"id":"i","agent":"X_Definition_AI","state":"ready"}]}`)
	default:
		s.run(w, r, body)
	}
}

func (s *reference) run(w http.ResponseWriter, r *http.Request, body []byte) {
	var plan struct{ Tasks []myriad.Task }
	if err := json.Unmarshal(body, &plan); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	n := 0
	tell := func(kind string, data any) {
		raw, _ := json.Marshal(data)
		n++
		fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", n, kind, raw)
		_ = http.NewResponseController(w).Flush()
	}
	s.most = max(s.most, len(plan.Tasks))
	tell(myriad.EventRunStarted, myriad.RunStarted{RunID: "r1"})
	results := map[string]myriad.Result{}
	finished := make(chan myriad.Result)
	begun := map[string]bool{}
	sum := myriad.RunSummary{RunID: "r1", Status: myriad.RunSuccess, Tasks: len(plan.Tasks)}
	for len(results) < len(plan.Tasks) {
		for i := range plan.Tasks {
			t := &plan.Tasks[i]
			if begun[t.ID.Key] || slices.ContainsFunc(t.Dependencies, func(d myriad.TaskID) bool { return results[d.Key].Status == "" }) {
				continue
			}
			begun[t.ID.Key] = true
			job := jobOf(t, results)
			go func() { finished <- s.task(r.Context(), t, job) }()
		}
		res := <-finished
		results[res.TaskID.Key] = res
		if res.Succeeded {
			sum.Succeeded++
		}
		tell(myriad.EventTaskFinished, res)
	}
	sum.DurationMS = 1
	tell(myriad.EventRunFinished, sum)
}

var ref = regexp.MustCompile(`"\$\{tasks\.([\w-]+)\.data((?:\.\w+|\[\d+\])*)\}"`)

func jobOf(t *myriad.Task, results map[string]myriad.Result) myriad.Job {
	job := myriad.Job{TaskID: t.ID, Concept: t.Concept, Intent: t.Intent, Dependencies: map[string]myriad.Dependency{}}
	job.Args = ref.ReplaceAllFunc(t.Args, func(m []byte) []byte {
		parts := ref.FindSubmatch(m)
		var v any
		if json.Unmarshal(results[string(parts[1])].Answer.Data, &v) != nil {
			return m
		}
		for _, step := range strings.FieldsFunc(string(parts[2]), func(r rune) bool { return strings.ContainsRune(".[]", r) }) {
			if i, err := strconv.Atoi(step); err == nil {
				v = v.([]any)[i]
			} else {
				v = v.(map[string]any)[step]
			}
		}
		raw, _ := json.Marshal(v)
		return raw
	})
	for _, d := range t.Dependencies {
		r := results[d.Key]
		job.Dependencies[d.Key] = myriad.Dependency{Status: r.Status, Data: r.Answer.Data, AgentName: r.Answer.AgentName}
	}
	return job
}

// task asks one candidate after the other, then the last good answers.
func (s *reference) task(ctx context.Context, t *myriad.Task, job myriad.Job) myriad.Result {
	res := myriad.Result{TaskID: t.ID, Status: myriad.StatusNoAgent, ErrorCode: myriad.TaskErrNoAgent, Provenance: myriad.Provenance{Source: myriad.SourceNone}}
	raw, _ := json.Marshal(job)
	key := t.Concept + t.Intent + string(job.Args)
	s.mu.Lock()
	s.ran = append(s.ran, t.ID.Key)
	agents := slices.Clone(s.agents)
	s.mu.Unlock()
	for _, a := range agents {
		if !slices.Contains(append(a.ConceptKeys(), a.Concepts...), strings.ReplaceAll(t.Concept, " ", "_")) && a.Concepts[0] != "*" || !slices.Contains(a.Intents, t.Intent) {
			continue
		}
		status, body, err := exchange(ctx, a.Endpoint+"/query", raw)
		at := myriad.Attempt{Agent: a.Name, Endpoint: a.Endpoint, Outcome: myriad.OutcomeSuccess}
		res.Provenance.Agent = a.Name
		if err != nil || status != 200 {
			at.Outcome, at.Error = myriad.OutcomeReset, fmt.Sprint(err, string(body))
			res.Status, res.ErrorCode, res.ErrorMessage = myriad.StatusError, myriad.TaskErrReset, at.Error
			res.Provenance.Attempts = append(res.Provenance.Attempts, at)
			continue
		}
		res.Provenance.Attempts = append(res.Provenance.Attempts, at)
		res.Provenance.Source, res.Answer, res.Status, res.Succeeded, res.ErrorCode, res.ErrorMessage = myriad.SourceLive, myriad.ReadAnswer(body), "success", true, "", ""
		s.mu.Lock()
		s.good[key] = res
		s.mu.Unlock()
		return res
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if g, ok := s.good[key]; ok {
		attempts := res.Provenance.Attempts
		res = g
		res.Provenance = myriad.Provenance{Source: myriad.SourceCache, AgeMS: 5, Agent: g.Provenance.Agent, Attempts: attempts}
	}
	return res
}

func exchange(ctx context.Context, url string, body []byte) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.GetBody = nil
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return res.StatusCode, raw, err
}
