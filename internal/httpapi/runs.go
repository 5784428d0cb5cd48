package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/myriad-mind/myriad"
)

// RunPlan is the body of POST /v1/runs: a graph of tasks. The handler hands its bytes on; the orchestrator reads them.
type RunPlan struct {
	Tasks     []myriad.Task `json:"tasks"`
	TimeoutMS int64         `json:"timeout_ms,omitempty" jsonschema:"for the whole run; the server has a default and a ceiling"`
}

// RunAccepted answers a run that is carried out without its client.
type RunAccepted struct {
	RunID  string           `json:"run_id"`
	Status myriad.RunStatus `json:"status"`
}

// RunList is one page of runs, the newest first.
type RunList struct {
	Runs       []myriad.RunSummary `json:"runs"`
	NextCursor string              `json:"next_cursor,omitempty"`
}

const maxKey = 255 // bytes of an Idempotency-Key

// keyOf is the request's Idempotency-Key, "" when it has none. One that is there but empty is a mistake: its client counts on it.
func keyOf(r *http.Request) (string, error) {
	keys := r.Header["Idempotency-Key"]
	rule := ""
	switch {
	case len(keys) == 0:
		return "", nil
	case len(keys) > 1:
		rule = "is given more than once"
	case keys[0] == "":
		rule = "must not be empty"
	case len(keys[0]) > maxKey:
		rule = "has at most " + strconv.Itoa(maxKey) + " bytes"
	default:
		return keys[0], nil
	}
	return "", myriad.Invalid([]myriad.Mistake{{Path: "Idempotency-Key", Rule: rule}})
}

// createRun carries out a graph of tasks: waiting, streaming, or without its client.
func (a *API) createRun(w *responder, r *http.Request, body []byte) error {
	key, err := keyOf(r)
	if err != nil {
		return err
	}
	req := myriad.RunRequest{Body: body, Dialect: myriad.Native, IdempotencyKey: key, TraceParent: r.Header.Get("Traceparent")}
	switch {
	case prefersAsync(r):
		return a.startRun(w, r, req)
	case wantsStream(r):
		return a.streaming(w, r, func(ctx context.Context, s *stream) error {
			return a.cfg.Runs.DoStream(ctx, req, s.runEvent)
		})
	}
	rec, err := a.cfg.Runs.Do(r.Context(), req)
	if err != nil {
		return err
	}
	a.replyAppended(w, rec.SpillJSON)
	return nil
}

func (a *API) startRun(w *responder, r *http.Request, req myriad.RunRequest) error {
	id, replayed, err := a.cfg.Runs.Start(r.Context(), req)
	if err != nil {
		return err
	}
	status := myriad.RunRunning
	if replayed { // it may be over
		rec, err := a.cfg.Runs.Run(r.Context(), id)
		if err != nil {
			return err
		}
		status = rec.Status
	}
	h := w.Header()
	h.Set("Location", "/v1/runs/"+id)
	h.Set("Preference-Applied", "respond-async")
	return a.replyJSON(w, http.StatusAccepted, RunAccepted{RunID: id, Status: status})
}

// prefersAsync reads the preference respond-async (RFC 7240).
func prefersAsync(r *http.Request) bool {
	for _, prefer := range r.Header["Prefer"] {
		for part := range strings.SplitSeq(prefer, ",") {
			name, _, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(name), "respond-async") {
				return true
			}
		}
	}
	return false
}

func (a *API) listRuns(w *responder, r *http.Request, _ []byte) error {
	page, err := pageOf(r)
	if err != nil {
		return err
	}
	list, next, err := a.cfg.Runs.Runs(r.Context(), page)
	if err != nil {
		return cursorMistake(page, err)
	}
	return a.replyJSON(w, http.StatusOK, RunList{Runs: orEmpty(list), NextCursor: next})
}

func (a *API) getRun(w *responder, r *http.Request, _ []byte) error {
	rec, err := a.cfg.Runs.Run(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	a.replyAppended(w, rec.SpillJSON)
	return nil
}

func (a *API) cancelRun(w *responder, r *http.Request, _ []byte) error {
	if err := a.cfg.Runs.Cancel(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// followRun streams a run's events from the one after Last-Event-ID on, and ends after the last.
func (a *API) followRun(w *responder, r *http.Request, _ []byte) error {
	last, err := lastEventOf(r)
	if err != nil {
		return err
	}
	var after uint64
	if last != "" {
		if after, err = strconv.ParseUint(last, 10, strconv.IntSize-1); err != nil {
			return notAnID("must be the number of an event of this run, such as 1")
		}
	}
	return a.streaming(w, r, func(ctx context.Context, s *stream) error {
		return a.cfg.Runs.Follow(ctx, r.PathValue("id"), int(after), s.runEvent)
	})
}

func (s *stream) runEvent(e myriad.RunEvent) error {
	return s.event(strconv.Itoa(e.ID), e.Kind, e.Data)
}

// orEmpty keeps an empty list from being null on the wire.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
