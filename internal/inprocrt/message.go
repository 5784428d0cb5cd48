package inprocrt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/myriad-mind/myriad"
)

// message is one JSON object of the wire.
type message = map[string]any

// answerer answers the body of one POST, which is JSON, with an HTTP status and a body.
type answerer func(body []byte) (int, message)

// post reads the body of a POST and sends what answer makes of it.
func (k *KnowledgeAgent) post(w http.ResponseWriter, r *http.Request, answer answerer) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		send(w, http.StatusMethodNotAllowed, k.failure("only POST is answered here"))
		return
	}
	if !isJSON(r.Header.Get("Content-Type")) {
		send(w, http.StatusUnsupportedMediaType, k.failure("the body must be application/json"))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	switch _, tooLarge := errors.AsType[*http.MaxBytesError](err); {
	case tooLarge:
		send(w, http.StatusRequestEntityTooLarge, k.failure(fmt.Sprintf("the body is over %d bytes", maxBody)))
	case err != nil: // the caller is gone
	case !json.Valid(body):
		send(w, http.StatusBadRequest, k.failure("the body is no JSON"))
	default:
		status, out := answer(body)
		send(w, status, out)
	}
}

func isJSON(contentType string) bool {
	if contentType == "application/json" {
		return true // as nearly always
	}
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}

// failure is an explanation for readers of either dialect.
func (k *KnowledgeAgent) failure(text string) message { return k.explanation(myriad.StatusError, text) }

func (k *KnowledgeAgent) explanation(status, text string) message {
	return message{"agent_name": k.name, "agent": k.name, "status": status, "data": text, "message": text}
}

// refuse answers for an agent that cannot.
func refuse(w http.ResponseWriter, status int, text string) {
	send(w, status, message{"status": myriad.StatusError, "data": text, "message": text})
}

// send writes a body that is known to marshal: texts, numbers that are finite, and lists and maps of them.
func send(w http.ResponseWriter, status int, body message) {
	raw, err := json.Marshal(body)
	if err != nil {
		status, raw = http.StatusInternalServerError, []byte(`{"status":"error","data":"the answer cannot be written"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(raw)+1))
	if status == http.StatusServiceUnavailable && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	_, _ = w.Write(append(raw, '\n')) // the caller may be gone; there is nobody left to tell
}

// falsy says that a valid JSON value holds nothing, in the sense of the agents before us.
func falsy(raw []byte) bool {
	raw = bytes.TrimSpace(raw)
	switch string(raw) {
	case "", "null", "0", `""`, "false":
		return true
	}
	return (raw[0] == '{' || raw[0] == '[') && len(bytes.TrimSpace(raw[1:len(raw)-1])) == 0
}

// unfit says what of a JSON value did not fit, without the words of our types.
func unfit(err error) string {
	e, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case !ok:
		return "the body does not fit: " + err.Error()
	case e.Field == "":
		return "the body must not be of type " + e.Value
	}
	return e.Field + " must not be of type " + e.Value
}
