package inprocrt

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/myriad-mind/myriad"
)

// question is a job, in the dialect of jobs (intent) or that of older callers of grown agents (query_type), or the body of a template's
// function.
type question struct {
	Intent    *string        `json:"intent"`
	QueryType *string        `json:"query_type"`
	Concept   *string        `json:"concept"`
	Function  *string        `json:"function_type"`
	Args      map[string]any `json:"args"`
}

// query answers POST /query in both dialects. The type of knowledge that is asked for by name wins over an intent; without either the
// question is for the definition.
func (k *KnowledgeAgent) query(body []byte) (int, message) {
	q, status, refusal := k.question(body)
	if refusal != nil {
		return status, refusal
	}
	known := k.known.Load()
	asked, kind := typeDefinition, typeDefinition
	switch {
	case q.QueryType != nil:
		name, err := myriad.CanonicalIntent(*q.QueryType)
		if err != nil {
			return http.StatusBadRequest, k.failure("Unknown query_type: " + err.Error())
		}
		asked, kind = *q.QueryType, name
	case q.Intent != nil:
		intent, err := myriad.CanonicalIntent(*q.Intent)
		if err != nil {
			return http.StatusBadRequest, k.failure("Unknown intent: " + err.Error())
		}
		kind = typeFor(known, intent)
		asked = kind
	}
	return http.StatusOK, k.answer(known, asked, kind)
}

// function answers one of the routes that a template has beside /query, in the same shape. A function may be named in the body; else it is
// the route's own.
func (k *KnowledgeAgent) function(route string, body []byte) (int, message) {
	q, status, refusal := k.question(body)
	if refusal != nil {
		return status, refusal
	}
	intent := route
	for _, named := range []*string{q.Intent, q.Function} {
		if route != "execute" || named == nil {
			continue
		}
		canonical, err := myriad.CanonicalIntent(*named)
		if err != nil {
			return http.StatusBadRequest, k.failure("Unknown function: " + err.Error())
		}
		intent = canonical
	}
	known := k.known.Load()
	kind := typeFor(known, intent)
	return http.StatusOK, k.answer(known, kind, kind)
}

// question decodes a body and checks that the agent may be asked. refusal is nil when it may.
func (k *KnowledgeAgent) question(body []byte) (q question, status int, refusal message) {
	if bytes.TrimSpace(body)[0] != '{' {
		return q, http.StatusBadRequest, k.failure("Missing 'intent': a job is a JSON object")
	}
	if err := json.Unmarshal(body, &q); err != nil {
		return q, http.StatusBadRequest, k.failure(unfit(err))
	}
	if q.Concept != nil && *q.Concept != "" && !k.mine(*q.Concept) {
		return q, http.StatusBadRequest, k.failure(fmt.Sprintf("Unknown concept '%.100s': this agent knows about %s", *q.Concept, display(k.known.Load())))
	}
	return q, 0, nil
}

// answer is a success in both dialects. asked is the type as the caller wrote it.
func (k *KnowledgeAgent) answer(known *myriad.Knowledge, asked, kind string) message {
	told := tell(known, kind)
	return message{
		"agent_name": k.name, "status": myriad.StatusSuccess, "data": told.text,
		"agent": k.name, "concept": known.Concept, "query_type": cmp.Or(asked, kind), "knowledge": told.text, "confidence": told.confidence,
	}
}
