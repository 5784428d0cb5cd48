package httpapi

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/myriad-mind/myriad"
)

// ProcessRequest is the body of POST /process: tasks, or a query that becomes one task. Unknown fields are passed over.
type ProcessRequest struct {
	Tasks  []myriad.Task `json:"tasks,omitempty"`
	Query  string        `json:"query,omitempty" jsonschema:"the concept of one task with the intent define; tasks win over it"`
	UserID any           `json:"user_id,omitempty" jsonschema:"an argument of the query's task"`
}

// ProcessReply answers the task form: results keyed by the string form of the ids.
type ProcessReply struct {
	Results map[string]myriad.Result `json:"results"`
	Status  string                   `json:"status"`
}

// QueryReply answers the query form.
type QueryReply struct {
	Result myriad.Result `json:"result"`
	Status string        `json:"status"`
}

// processAnswer is what POST /process answers: a ProcessReply or a QueryReply.
type processAnswer struct{}

// process carries out tasks or one query, waiting for all of them.
func (a *API) process(w *responder, r *http.Request, body []byte) error {
	form, err := formOf(body)
	if err != nil {
		return err
	}
	if form.empty {
		a.reply(w, http.StatusOK, typeJSON, []byte(`{"results":{},"status":"success"}`+"\n"))
		return nil
	}
	rec, err := a.cfg.Runs.Do(r.Context(), myriad.RunRequest{Body: form.plan, Dialect: myriad.Compat, TraceParent: r.Header.Get("Traceparent")})
	if err != nil {
		return err
	}
	a.replyAppended(w, func(b []byte, spill func([]byte) []byte) []byte { return appendProcessed(b, spill, rec, form.query) })
	return nil
}

// runOrchestration is process for clients of the integration tester, which forwarded tasks only.
func (a *API) runOrchestration(w *responder, r *http.Request, body []byte) error {
	if json.Valid(body) && fieldOf(body, "tasks") == nil {
		return myriad.Errorf(myriad.CodeInvalid, "No tasks provided")
	}
	return a.process(w, r, body)
}

// toldQuery makes the event that the query metrics count.
func (a *API) toldQuery(err error, took time.Duration) {
	a.cfg.Sink.Emit(myriad.Event{Kind: myriad.KindQuery, At: time.Now(), Reason: compatWord(err, "success"), Duration: took})
}

// compatWord is the metrics' word for how a compatible request ended.
func compatWord(err error, well string) string {
	switch myriad.ErrorCode(err) {
	case "":
		return well
	case myriad.CodeInvalid, myriad.CodeTooLarge, myriad.CodeMediaType:
		return "invalid"
	}
	return "error"
}

// form is what a body of /process asks for.
type form struct {
	plan  []byte // for the orchestrator
	query bool   // the query form: one task, its result under "result"
	empty bool   // the task form without a task
}

// formOf decides as the Python system did (wire facts 1.3): tasks win over query, and nothing at all is a mistake of its own.
func formOf(body []byte) (form, error) {
	if !json.Valid(body) {
		var v any
		return form{}, malformed(json.Unmarshal(body, &v))
	}
	if tasks := fieldOf(body, "tasks"); tasks != nil {
		if tasks[0] != '[' {
			return form{}, myriad.Errorf(myriad.CodeInvalid, "'tasks' must be a list")
		}
		for range myriad.Elements(tasks) {
			return form{plan: body}, nil
		}
		return form{empty: true}, nil
	}
	if query := fieldOf(body, "query"); query != nil {
		plan, err := planOfQuery(query, fieldOf(body, "user_id"))
		return form{plan: plan, query: true}, err
	}
	if falsy(body) {
		return form{}, myriad.Errorf(myriad.CodeInvalid, "No data provided")
	}
	return form{}, myriad.Errorf(myriad.CodeInvalid, "Request must contain either 'tasks' or 'query'")
}

// planOfQuery is the one task that a query is: the whole text as the concept, nothing parsed.
func planOfQuery(query, user json.RawMessage) ([]byte, error) {
	if query[0] != '"' {
		return nil, myriad.Errorf(myriad.CodeInvalid, "'query' must be a string")
	}
	if user == nil {
		user = json.RawMessage(`"default"`)
	}
	b := append([]byte(`{"tasks":[{"task_id":1,"concept":`), query...)
	b = append(append(b, `,"intent":"define","args":{"user_id":`...), user...)
	return append(b, "}}]}"...), nil
}

// fieldOf is the value of a member of a JSON object, of equal names the last; nil when there is none or body is no object.
func fieldOf(body []byte, name string) (value json.RawMessage) {
	for field, v := range myriad.Fields(body) {
		if string(field) == name {
			value = v
		}
	}
	return value
}

// falsy says whether Python would take the JSON value for false.
func falsy(body []byte) bool {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return false
	}
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case float64:
		return v == 0
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// appendProcessed writes the reply. Status is success whatever the tasks came to, as clients know it.
func appendProcessed(b []byte, spill func([]byte) []byte, rec *myriad.RunRecord, query bool) []byte {
	if query && len(rec.Results) > 0 {
		b = rec.Results[0].AppendJSON(append(b, `{"result":`...))
		return append(b, `,"status":"success"}`...)
	}
	b = append(b, `{"results":{`...)
	for i := range rec.Results {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(myriad.AppendJSONString(b, rec.Results[i].TaskID.Key), ':')
		b = spill(rec.Results[i].AppendJSON(b))
	}
	return append(b, `},"status":"success"}`...)
}
