package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/egress"
)

// AgentList is one page of agents, by name.
type AgentList struct {
	Agents     []myriad.Agent `json:"agents"`
	NextCursor string         `json:"next_cursor,omitempty"`
}

// nameOf is the agent's name in the path, as it would be stored.
func nameOf(r *http.Request) string { return myriad.CanonicalName(r.PathValue("name")) }

func (a *API) listAgents(w *responder, r *http.Request, _ []byte) error {
	page, err := pageOf(r)
	if err != nil {
		return err
	}
	list, next, err := a.cfg.Agents.Agents(r.Context(), page)
	if err != nil {
		return cursorMistake(page, err)
	}
	for i := range list {
		list[i].Concepts = orEmpty(list[i].Concepts)
	}
	return a.replyJSON(w, http.StatusOK, AgentList{Agents: orEmpty(list), NextCursor: next})
}

func (a *API) getAgent(w *responder, r *http.Request, _ []byte) error {
	agent, err := a.cfg.Agents.Agent(r.Context(), nameOf(r))
	if err != nil {
		return err
	}
	match, err := tagsOf(r, "If-Match")
	switch {
	case err != nil:
		return err
	case match != nil && !match.names(agent.Revision):
		return errStale(agent.Revision)
	}
	if none, _ := tagsOf(r, "If-None-Match"); none != nil && none.resembles(agent.Revision) { // one that is malformed is no reason not to answer
		w.Header().Set("ETag", etag(agent.Revision))
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return a.replyAgent(w, http.StatusOK, agent)
}

// createAgent registers an agent under a name that is free.
func (a *API) createAgent(w *responder, r *http.Request, body []byte) error {
	agent, err := a.agentOf(r, body, "")
	if err != nil {
		return err
	}
	stored, err := a.cfg.Agents.PutAgent(r.Context(), agent, myriad.Guard{MustNotExist: true, Owner: myriad.OwnerAPI})
	if err != nil {
		return err
	}
	return a.replyAgent(w, http.StatusCreated, stored)
}

// putAgent writes an agent, new or not, as far as If-Match and If-None-Match allow.
func (a *API) putAgent(w *responder, r *http.Request, body []byte) error {
	agent, err := a.agentOf(r, body, nameOf(r))
	if err != nil {
		return err
	}
	var stored myriad.Agent
	err = a.writeGuarded(r, agent.Name, func(guard myriad.Guard) (err error) {
		stored, err = a.cfg.Agents.PutAgent(r.Context(), agent, guard)
		if guard.MustNotExist && myriad.ErrorCode(err) == myriad.CodeConflict {
			return &myriad.Error{Code: myriad.CodePrecondition, Message: "If-None-Match: " + err.Error(), Err: err}
		}
		return err
	})
	if err != nil {
		return err
	}
	status := http.StatusOK
	if stored.Revision == 1 {
		status = http.StatusCreated
	}
	return a.replyAgent(w, status, stored)
}

func (a *API) deleteAgent(w *responder, r *http.Request, _ []byte) error {
	name := nameOf(r)
	err := a.writeGuarded(r, name, func(guard myriad.Guard) error {
		_, err := a.cfg.Agents.DeleteAgent(r.Context(), name, guard)
		return err
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *API) replyAgent(w *responder, status int, agent myriad.Agent) error {
	agent.Concepts = orEmpty(agent.Concepts)
	w.Header().Set("ETag", etag(agent.Revision))
	if status == http.StatusCreated {
		w.Header().Set("Location", "/v1/agents/"+url.PathEscape(agent.Name))
	}
	return a.replyJSON(w, status, agent)
}

// agentOf reads and judges the agent of a request; named is the name in the path, "" where there is none. Fields that the server sets
// (revision, owner, times, dormant, and the endpoint of a packet) may be there, so that what was read can be written back; they count for
// nothing.
func (a *API) agentOf(r *http.Request, body []byte, named string) (myriad.Agent, error) {
	agent, err := decodeStrict[myriad.Agent](body)
	if err != nil {
		return agent, err
	}
	agent.Revision, agent.Owner, agent.CreatedAt, agent.UpdatedAt = 0, myriad.OwnerAPI, time.Time{}, time.Time{}
	if agent.Template != nil {
		agent.Endpoint = ""
	}
	agent, mistakes := myriad.CheckAgent(agent)
	if named != "" && agent.Name != named {
		mistakes = append(mistakes, myriad.Mistake{Path: "name", Rule: "must be the name in the path"})
	}
	if err := myriad.Invalid(mistakes); err != nil {
		return agent, err
	}
	if err := a.authorizeAgent(r, &agent); err != nil {
		return agent, err
	}
	return agent, a.checkEndpoint(r.Context(), agent.Endpoint)
}

// authorizeAgent wants the token, on loopback too, for what reaches beyond routing: running a program or container, and sending a
// credential of the server's environment or files somewhere.
func (a *API) authorizeAgent(r *http.Request, agent *myriad.Agent) error {
	runs := agent.Template != nil && agent.Template.Kind != myriad.TemplateKnowledge
	if a.guarded || !runs && agent.Auth == nil { // guarded: asked for already
		return nil
	}
	return a.authorize(r)
}

// checkEndpoint asks the network policy: a malformed URL is the client's mistake, a network that is closed is forbidden.
func (a *API) checkEndpoint(ctx context.Context, endpoint string) error {
	if endpoint == "" {
		return nil
	}
	err := a.cfg.Checker.CheckURL(ctx, endpoint)
	refusal, ok := errors.AsType[*egress.Error](err)
	if !ok {
		return err
	}
	code := myriad.CodeForbidden
	switch refusal.Rule {
	case egress.RuleURL, egress.RuleScheme, egress.RuleUserinfo, egress.RuleHost, egress.RulePort:
		code = myriad.CodeInvalid
	}
	return &myriad.Error{Code: code, Message: "endpoint: " + refusal.Error(), Err: err,
		Mistakes: []myriad.Mistake{{Path: "endpoint", Rule: refusal.Error()}}}
}

// maxTries is how often a write is tried whose condition more than one revision can meet.
const maxTries = 5

// writeGuarded does a write as far as the conditions of its request allow. The agent may move on between the moment in which If-Match is judged and
// the write: somebody else writes it, or the fleet writes what it was told. When the condition can hold for the revision that is there now, it is judged anew
// and the write tried again; one tag names one revision, and is never tried again.
func (a *API) writeGuarded(r *http.Request, name string, write func(myriad.Guard) error) error {
	guard, match, err := conditionsOf(r)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		if match != nil {
			if guard.Revision, err = a.judge(r, match, name, guard); err != nil {
				return err
			}
		}
		err = write(guard)
		if myriad.ErrorCode(err) != myriad.CodePrecondition || !match.several() || try == maxTries {
			return err
		}
	}
}

// conditionsOf is the condition of a write: never on what another owner declared, and what If-None-Match says, beside the tags of If-Match, which are nil
// when there are none. What is malformed is told whatever the agent is.
func conditionsOf(r *http.Request) (myriad.Guard, *tagSet, error) {
	guard := myriad.Guard{Owner: myriad.OwnerAPI}
	match, err := tagsOf(r, "If-Match")
	if err != nil {
		return guard, nil, err
	}
	if r.Header["If-None-Match"] != nil {
		none, err := tagsOf(r, "If-None-Match")
		if err != nil || !none.any || r.Method != http.MethodPut {
			return guard, nil, at("If-None-Match", errors.New("only * on PUT means something here"))
		}
		guard.MustNotExist = true
	}
	return guard, match, nil
}

// judge gives the present revision when the conditions hold for it, in the order of RFC 9110 (13.2): what is not there to be removed is told whatever
// the condition, then If-Match is judged, then If-None-Match.
func (a *API) judge(r *http.Request, match *tagSet, name string, guard myriad.Guard) (revision int64, err error) {
	present, err := a.cfg.Agents.Agent(r.Context(), name)
	switch code := myriad.ErrorCode(err); {
	case code == myriad.CodeNotFound && r.Method != http.MethodDelete:
		return 0, myriad.Errorf(myriad.CodePrecondition, "If-Match: there is no agent %s", name)
	case err != nil:
		return 0, err
	case !match.names(present.Revision):
		return 0, errStale(present.Revision)
	case guard.MustNotExist:
		return 0, myriad.Errorf(myriad.CodePrecondition, "If-None-Match: there is an agent %s already", name)
	}
	return present.Revision, nil
}

func errStale(revision int64) error {
	return myriad.Errorf(myriad.CodePrecondition, "If-Match does not name the present revision, which is %s", etag(revision))
}
