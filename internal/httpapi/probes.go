package httpapi

import (
	"net/http"
	"time"

	"github.com/myriad-mind/myriad"
)

// ProbeReply answers a probe that is well.
type ProbeReply struct {
	Status string `json:"status"`           // ok, or degraded
	Reason string `json:"reason,omitempty"` // what does not work, when it is degraded
}

// readyAgain is when a probe of a server that is not ready is worth repeating.
const readyAgain = time.Second

// livez answers as long as the process can answer at all.
func (a *API) livez(w *responder, _ *http.Request, _ []byte) error {
	return a.replyJSON(w, http.StatusOK, ProbeReply{Status: "ok"})
}

// readyz says whether the server takes work now: not while it drains, nor when its store does not answer. Where it takes work and something
// else does not go, it says so and is ready: tasks are better answered without that than not at all.
func (a *API) readyz(w *responder, _ *http.Request, _ []byte) error {
	err := said(a.cfg.Ready)
	if err == nil {
		reply := ProbeReply{Status: "ok"}
		if err := said(a.cfg.Degraded); err != nil {
			reply = ProbeReply{Status: "degraded", Reason: err.Error()}
		}
		return a.replyJSON(w, http.StatusOK, reply)
	}
	code := myriad.ErrorCode(err)
	if code.HTTPStatus() != http.StatusServiceUnavailable {
		code = myriad.CodeUnavailable
	}
	return &myriad.Error{Code: code, Message: "not ready: " + err.Error(), RetryAfter: readyAgain, Err: err}
}

// said asks what need not be there.
func said(ask func() error) error {
	if ask == nil {
		return nil
	}
	return ask()
}

// openapi serves the document of the table.
func (a *API) openapi(w *responder, _ *http.Request, _ []byte) error {
	document, err := a.document()
	if err != nil {
		return err
	}
	a.reply(w, http.StatusOK, typeJSON, document)
	return nil
}
