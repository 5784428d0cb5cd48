package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
)

// relay is the floor of any orchestrator in Go: a handler that only decodes the request, makes the same calls (with the headers that
// agents are promised) through a pooled transport, and encodes a reply of the same shape. It plans nothing, finds nobody, keeps nothing.
type relay struct {
	agent  string
	client *http.Client
	slots  chan struct{}
}

func newRelay(agent string, slots int) *relay {
	return &relay{agent: agent, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: slots, MaxConnsPerHost: slots}}, slots: make(chan struct{}, slots)}
}

func (r *relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var plan struct {
		Tasks []struct {
			TaskID  json.RawMessage `json:"task_id"`
			Concept string          `json:"concept"`
			Intent  string          `json:"intent"`
			Args    json.RawMessage `json:"args"`
		} `json:"tasks"`
	}
	if err := json.NewDecoder(req.Body).Decode(&plan); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	begin := time.Now()
	results := make(map[string]relayed, len(plan.Tasks))
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, task := range plan.Tasks {
		one := func() {
			job, _ := json.Marshal(task)
			start := time.Since(begin)
			raw, err := post(r.client, r.agent, job, jobHeaders...)
			answer := relayed{TaskID: task.TaskID, Succeeded: err == nil}
			if err != nil || json.Unmarshal(raw, &answer) != nil {
				answer.Status = "error"
			}
			took := myriad.Millis(time.Since(begin) - start)
			answer.Provenance = myriad.Provenance{Source: myriad.SourceLive, Agent: "Bench_AI", Endpoint: r.agent, DurationMS: took, Graph: myriad.GraphFresh,
				Attempts: []myriad.Attempt{{Agent: "Bench_AI", Endpoint: r.agent, Outcome: myriad.OutcomeSuccess, HTTPStatus: 200, StartMS: myriad.Millis(start), DurationMS: took}},
				Ranking:  []myriad.Ranked{{Agent: "Bench_AI", Score: 0.5, Tier: myriad.TierExact}}}
			mu.Lock()
			results[string(task.TaskID)] = answer
			mu.Unlock()
		}
		if len(plan.Tasks) == 1 {
			one()
			break
		}
		r.slots <- struct{}{}
		all.Go(func() {
			defer func() { <-r.slots }()
			one()
		})
	}
	all.Wait()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(struct {
		myriad.RunSummary
		Results map[string]relayed `json:"results"`
	}{myriad.RunSummary{RunID: "01890a5d-ac96-774b-bcce-b302099a8057", Status: myriad.RunSuccess, StartedAt: begin, FinishedAt: time.Now()}, results})
}

// relayed is a result in the shape of ours, so that both replies are as long.
type relayed struct {
	TaskID     json.RawMessage   `json:"task_id"`
	AgentName  string            `json:"agent_name"`
	Data       json.RawMessage   `json:"data"`
	Status     string            `json:"status"`
	Succeeded  bool              `json:"succeeded"`
	Provenance myriad.Provenance `json:"provenance"`
}

// jobHeaders are those that agents are promised, as names and values.
var jobHeaders = []string{"X-Myriad-Deadline-Ms", "10000", "Idempotency-Key", "01890a5d-ac96-774b-bcce-b302099a8057/1",
	"Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Accept", "application/json", "User-Agent", "bench"}

// post sends body with the headers given as names and values.
func post(c *http.Client, url string, body []byte, headers ...string) ([]byte, error) {
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %.200s", resp.StatusCode, answer)
	}
	return answer, err
}

// rate makes callers send requests for d and gives how many were answered in a second.
func rate(b *testing.B, callers int, d time.Duration, send func() error) float64 {
	b.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex
	done, begin := 0, time.Now()
	for range callers {
		all.Go(func() {
			n := 0
			for time.Since(begin) < d {
				if err := send(); err != nil {
					b.Error(err)
					return
				}
				n++
			}
			mu.Lock()
			done += n
			mu.Unlock()
		})
	}
	all.Wait()
	return float64(done) / time.Since(begin).Seconds()
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// bench is everything that a benchmark measures against each other: one agent, Myriad before it, the relay before it.
type bench struct {
	agent, myriad, relay string
	http                 *http.Client
	client               *client.Client
}

func newBench(b *testing.B, delay time.Duration, slots int) *bench {
	b.Helper()
	s, c := startServer(b, wide(slots))
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		time.Sleep(delay)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"agent_name":"Bench_AI","status":"success","data":"an answer of a usual length, about as long as this"}`)
	}))
	b.Cleanup(agent.Close)
	front := httptest.NewServer(newRelay(agent.URL, slots))
	b.Cleanup(front.Close)
	put(b, c, myriad.Agent{Name: "Bench_AI", Endpoint: agent.URL + "/query", Concepts: []string{"bench"}, MaxConcurrency: slots})
	transport := &http.Transport{MaxIdleConnsPerHost: slots}
	b.Cleanup(transport.CloseIdleConnections)
	return &bench{agent: agent.URL + "/query", myriad: s.url() + "/v1/runs", relay: front.URL, http: &http.Client{Transport: transport}, client: c}
}

// tasks is the body of a request with n independent tasks.
func tasks(n int) []byte {
	var plan bytes.Buffer
	plan.WriteString(`{"tasks":[`)
	for i := range n {
		if i > 0 {
			plan.WriteByte(',')
		}
		fmt.Fprintf(&plan, `{"task_id":%d,"concept":"bench","intent":"do","args":{"text":"some words to work on"}}`, i)
	}
	plan.WriteString(`]}`)
	return plan.Bytes()
}

func (s *bench) send(url string, body []byte) func() error {
	return func() error { _, err := post(s.http, url, body); return err }
}
