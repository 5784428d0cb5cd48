package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/myriad-mind/myriad"
)

// discardWriter is a response writer that costs nothing.
type discardWriter struct{ header http.Header }

func (w discardWriter) Header() http.Header         { return w.header }
func (w discardWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w discardWriter) WriteHeader(int)             {}

// BenchmarkHandler is the API's own share of a synchronous run of one task: all but the socket and the run. "floor" is a handler that
// only reads the body and writes the same reply.
func BenchmarkHandler(b *testing.B) {
	rec, err := answered(myriad.RunRequest{Body: []byte(onePlan)})
	if err != nil {
		b.Fatal(err)
	}
	w := &world{runs: &fakeRuns{}, agents: &fakeAgents{}, found: &fakeDirectory{}, breakers: &fakeBreakers{}}
	cfg := config(w)
	cfg.Runs, cfg.Sink = staticRuns{&fakeRuns{}, rec}, myriad.Discard
	api, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	floor := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			b.Error(err)
		}
		w.Header().Set("Content-Type", typeJSON)
		_, _ = w.Write(rec.AppendJSON(nil))
	})
	for _, bc := range []struct {
		name, path string
		handler    http.Handler
	}{{"native", "/v1/runs", api.Handler()}, {"compatible", "/process", api.Handler()}, {"floor", "/", floor}} {
		b.Run(bc.name, func(b *testing.B) {
			body := bytes.NewReader([]byte(onePlan))
			r := httptest.NewRequest("POST", bc.path, nil)
			r.Host, r.ContentLength = "localhost", int64(len(onePlan))
			r.Header.Set("Content-Type", typeJSON)
			out := discardWriter{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				body.Reset([]byte(onePlan))
				r.Body = io.NopCloser(body)
				clear(out.header)
				bc.handler.ServeHTTP(out, r)
			}
		})
	}
}

// staticRuns answers every run with one record.
type staticRuns struct {
	*fakeRuns
	rec *myriad.RunRecord
}

func (s staticRuns) Do(context.Context, myriad.RunRequest) (*myriad.RunRecord, error) {
	return s.rec, nil
}

// BenchmarkNew is what the API adds to the start of a server, its document included.
func BenchmarkNew(b *testing.B) {
	w := &world{runs: &fakeRuns{}, agents: &fakeAgents{}, found: &fakeDirectory{}, breakers: &fakeBreakers{}}
	for b.Loop() {
		if _, err := New(config(w)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHubEmit: an event that nobody may see, as those of tasks are, and one that is kept.
func BenchmarkHubEmit(b *testing.B) {
	h := NewHub()
	for name, e := range map[string]myriad.Event{"passed over": {Kind: myriad.KindTaskFinished}, "kept": breakerEvent(1)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h.Emit(e)
			}
		})
	}
}

// BenchmarkAppendEvent is one event of a stream with an ordinary result.
func BenchmarkAppendEvent(b *testing.B) {
	rec, err := answered(myriad.RunRequest{Body: []byte(onePlan)})
	if err != nil {
		b.Fatal(err)
	}
	data, _ := json.Marshal(rec.Results[0])
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = appendEvent(buf[:0], "12", "task.finished", data)
	}
}
