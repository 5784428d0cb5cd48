package call

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
)

// TestLocalIsAsTheNetwork has the same handlers asked over the network and in this process: what comes of it must be the same.
func TestLocalIsAsTheNetwork(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"an answer": answering(200, `{"agent_name":"A","status":"success","data":{"n":12345678901234567890}}`),
		"no WriteHeader": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"status":"success","data":1}`)
		},
		"an error": answering(200, `{"status":"error","data":"cannot"}`),
		"in pieces": func(w http.ResponseWriter, _ *http.Request) {
			for _, piece := range []string{`{"sta`, `tus":"succ`, `ess","data":"whole"}`} {
				_, _ = io.WriteString(w, piece)
			}
		},
		"an interim answer first": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			answering(200, `{"status":"success"}`)(w, nil)
		},
		"a second status":   func(w http.ResponseWriter, _ *http.Request) { answering(500, `{"x":1}`)(w, nil); w.WriteHeader(200) },
		"nothing":           func(http.ResponseWriter, *http.Request) {},
		"no content":        answering(204, ``),
		"no JSON":           answering(200, `light`),
		"a list":            answering(200, `[]`),
		"coded":             answering(200, `{"status":"success"}`, "Content-Encoding", "gzip"),
		"the caller's":      answering(400, `{"message":"no such field"}`),
		"not found":         answering(404, `{"message":"no such path"}`),
		"broken":            answering(500, `no`, "Content-Type", "text/plain"),
		"told to wait":      answering(503, `{"message":"later"}`, "Retry-After", "2"),
		"moved":             answering(302, ``, "Location", "http://elsewhere/"),
		"too large":         answering(200, `{"status":"success","data":"`+strings.Repeat("x", 3000)+`"}`),
		"too large, pieces": func(w http.ResponseWriter, _ *http.Request) { endlessly(w) },
		"exactly as large":  answering(200, `{"data":"`+strings.Repeat("x", 2000-11)+`"}`),
		"cut off":           aborting,
	} {
		t.Run(name, func(t *testing.T) {
			small := func(cfg *Config) { cfg.MaxAnswer, cfg.MaxAttempts = 2000, 1 }
			far := newRig(t, nil, small)
			over := far.do(t.Context(), far.job("turn_on", agentAt(t, "A", h).Agent))
			near := newRig(t, nowhere, small, func(cfg *Config) { cfg.Local = at("here.test", h) })
			here := near.do(t.Context(), near.job("turn_on", &myriad.Agent{Name: "A", Endpoint: "http://here.test/query"}))
			is(t, "outcome", here.Outcome, over.Outcome)
			is(t, "error code", here.ErrorCode, over.ErrorCode)
			is(t, "error", endpointless(here.Error), endpointless(over.Error))
			is(t, "status", here.Answer.Status, over.Answer.Status)
			is(t, "answer", string(here.Answer.Raw), string(over.Answer.Raw))
			is(t, "requeue", here.Requeue, over.Requeue)
			is(t, "parked", near.slots.parked["A"] > 0, far.slots.parked["A"] > 0)
		})
	}
}

// endpointless takes what differs by nature out of a message: addresses, and how the end of a connection shows.
func endpointless(text string) string {
	before, _, _ := strings.Cut(text, ": ")
	return before
}

func endlessly(w http.ResponseWriter) {
	for range 1 << 20 {
		if _, err := io.WriteString(w, "[[[[[[[["); err != nil {
			return
		}
	}
}

// at answers for one host.
func at(host string, h http.Handler) func(*url.URL) http.Handler {
	return func(u *url.URL) http.Handler {
		if u.Host == host {
			return h
		}
		return nil
	}
}

func nowhere(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("nothing is to be reached over the network")
}

func TestLocalSeesTheWholeRequest(t *testing.T) {
	rec := &recorder{}
	h := rec.then(answering(200, `{"status":"success"}`))
	srv := httptest.NewServer(h)
	defer srv.Close()
	far, near := newRig(t, nil), newRig(t, nowhere, func(cfg *Config) { cfg.Local = at("here.test", h) })
	far.do(t.Context(), far.job("define", &myriad.Agent{Name: "A", Endpoint: srv.URL + "/a/query?x=1"}))
	near.do(t.Context(), near.job("define", &myriad.Agent{Name: "A", Endpoint: "http://here.test/a/query?x=1"}))
	is(t, "path", rec.paths[1], rec.paths[0])
	is(t, "body", rec.bodies[1], rec.bodies[0])
	for name := range rec.heads[0] {
		switch name {
		case "Content-Length", "Traceparent", headerDeadline: // told by the request itself; one for each attempt; as time goes by
			continue
		}
		is(t, name, rec.heads[1].Get(name), rec.heads[0].Get(name))
	}
	if rec.heads[1].Get("Traceparent") == "" || rec.heads[1].Get(headerDeadline) == "" {
		t.Errorf("missing: %v", rec.heads[1])
	}
}

func TestLocalIsNotBegunForWhoLeft(t *testing.T) {
	asked := false
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked = true; answering(200, `{}`)(w, r) })
	var x exchanged
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (carrier{local: at("here.test", h)}).post(ctx, &url.URL{Scheme: "http", Host: "here.test"}, nil, nil, 10, &x); !errors.Is(err, context.Canceled) || asked || x.stage != stageConnected {
		t.Errorf("%v, asked %v, stage %v", err, asked, x.stage)
	}
}

// TestPanicOfLocal is a defect of ours, told as every other, and costs no slot.
func TestPanicOfLocal(t *testing.T) {
	r := newRig(t, nowhere, func(cfg *Config) {
		cfg.Local = at("here.test", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a defect") }))
	})
	reply := r.do(t.Context(), r.job("turn_on", &myriad.Agent{Name: "A", Endpoint: "http://here.test/query"}))
	is(t, "outcome", reply.Outcome, myriad.OutcomePanic)
	is(t, "events", len(r.events.of(myriad.KindPanic)), 1)
}
