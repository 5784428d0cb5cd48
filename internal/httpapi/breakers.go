package httpapi

import (
	"net/http"

	"github.com/myriad-mind/myriad"
)

// BreakerList are the circuit breakers of an agent, one for each endpoint that was called.
type BreakerList struct {
	Agent    string                `json:"agent"`
	Breakers []myriad.BreakerState `json:"breakers"`
}

// BreakerAction is the body of POST /v1/agents/{name}/breaker.
type BreakerAction struct {
	Action string `json:"action" jsonschema:"open rejects everything, close lets everything through, auto decides by outcomes"`
}

func (a *API) getBreaker(w *responder, r *http.Request, _ []byte) error {
	agent, err := a.cfg.Agents.Agent(r.Context(), nameOf(r))
	if err != nil {
		return err
	}
	return a.replyJSON(w, http.StatusOK, BreakerList{Agent: agent.Name, Breakers: orEmpty(a.cfg.Breakers.Breakers(agent.Name))})
}

func (a *API) forceBreaker(w *responder, r *http.Request, body []byte) error {
	act, err := decodeStrict[BreakerAction](body)
	if err != nil {
		return err
	}
	switch act.Action {
	case "open", "close", "auto":
	default:
		return myriad.Invalid([]myriad.Mistake{{Path: "action", Rule: "must be open, close or auto"}})
	}
	agent, err := a.cfg.Agents.Agent(r.Context(), nameOf(r))
	if err != nil {
		return err
	}
	states, err := a.cfg.Breakers.ForceBreaker(agent.Name, act.Action)
	if err != nil {
		return err
	}
	return a.replyJSON(w, http.StatusOK, BreakerList{Agent: agent.Name, Breakers: orEmpty(states)})
}
