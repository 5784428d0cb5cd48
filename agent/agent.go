package agent

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/myriad-mind/myriad"
)

// Any stands for every concept, or every intent, in Handle.
const Any = myriad.AnyConcept

// HandlerFunc answers one job. What it returns is marshalled as the answer's data, unless it is an Answer. ctx ends at the job's deadline,
// when the caller leaves, and when the agent's grace is over. See CallerError and Busy for failures that are not the agent's.
type HandlerFunc func(ctx context.Context, job Job) (any, error)

// Options are the settings of an Agent. Zero values are the defaults given with each field.
type Options struct {
	Description    string
	Version        string            // the agent's own, free text
	Capabilities   []string          // words for people and old clients
	SafeIntents    []string          // intents that only read, so that a job may be repeated
	Concepts       []string          // what the card says, in place of the handlers' concepts
	Labels         map[string]string //
	MaxConcurrency int               // jobs at once, told to the server; 10
	MaxBody        int64             // bytes of one job; 8 MiB
	Grace          time.Duration     // for jobs under way when the agent stops; 10 s
	// BadBody is the HTTP status for a body that is no JSON or of the wrong types: 400. Clients of some older agents expect 500.
	BadBody int
	// Health, when set, adds fields to the answer of /health; it must be quick.
	Health func() map[string]any
	Logger *slog.Logger // slog.Default()
}

// Agent is one agent. Configure it first, then serve it; the zero value is not usable.
type Agent struct {
	name         string
	opts         Options
	handlers     map[route]HandlerFunc
	order        []route // as they were declared, for the card
	collaborator Collaborator
	registration *registration
	mistakes     []myriad.Mistake
	nonce        string

	limit    limiter
	draining atomic.Bool
	inFlight sync.WaitGroup
}

// route is what a handler answers for, in canonical form.
type route struct{ concept, intent string }

// New makes an agent without handlers. name has letters, digits, _ - and . only.
func New(name string) *Agent {
	a := &Agent{name: name, handlers: map[route]HandlerFunc{}, nonce: os.Getenv("MYRIAD_NONCE")}
	return a.With(Options{})
}

// With sets the agent's options, all of them.
func (a *Agent) With(opts Options) *Agent {
	opts.MaxConcurrency = cmp.Or(opts.MaxConcurrency, 10)
	opts.MaxBody = cmp.Or(opts.MaxBody, 8<<20)
	opts.Grace = cmp.Or(opts.Grace, 10*time.Second)
	opts.BadBody = cmp.Or(opts.BadBody, http.StatusBadRequest)
	opts.Logger = cmp.Or(opts.Logger, slog.Default())
	a.opts = opts
	a.limit = newLimiter(opts.MaxConcurrency)
	return a
}

// Handle answers jobs of a concept and an intent with h; Any stands for every one of them. The closest handler wins: the concept before
// Any, then the intent before Any. Names are compared in their canonical form. Mistakes are told when the agent is served.
func (a *Agent) Handle(concept, intent string, h HandlerFunc) *Agent {
	r, err := routeOf(concept, intent)
	switch {
	case err != nil:
		a.mistake("handle", err.Error())
		return a
	case h == nil:
		a.mistake("handle", "the handler of "+concept+" / "+intent+" is nil")
		return a
	}
	if _, known := a.handlers[r]; known {
		a.mistake("handle", concept+" / "+intent+" has a handler already")
		return a
	}
	a.handlers[r] = h
	a.order = append(a.order, r)
	return a
}

func (a *Agent) mistake(path, rule string) {
	a.mistakes = append(a.mistakes, myriad.Mistake{Path: path, Rule: rule})
}

func routeOf(concept, intent string) (r route, err error) {
	r.concept, r.intent = Any, Any
	if concept != Any {
		if r.concept, err = myriad.CanonicalConcept(concept); err != nil {
			return r, err
		}
	}
	if intent != Any {
		r.intent, err = myriad.CanonicalIntent(intent)
	}
	return r, err
}

// Name is the agent's name.
func (a *Agent) Name() string { return a.name }

// Card is the agent as it is registered with a server: what it answers for, reached at endpoint.
func (a *Agent) Card(endpoint string) myriad.Agent {
	card := myriad.Agent{
		Name: a.name, Endpoint: endpoint, Protocol: myriad.ProtocolHTTP, Concepts: slices.Clone(a.opts.Concepts),
		SafeIntents: a.opts.SafeIntents, MaxConcurrency: a.opts.MaxConcurrency, Labels: a.opts.Labels,
		Description: a.opts.Description, Capabilities: a.opts.Capabilities, Version: a.opts.Version,
	}
	anyIntent := false
	for _, r := range a.order {
		if len(a.opts.Concepts) == 0 && !slices.Contains(card.Concepts, r.concept) {
			card.Concepts = append(card.Concepts, r.concept)
		}
		anyIntent = anyIntent || r.intent == Any
		if r.intent != Any && !slices.Contains(card.Intents, r.intent) {
			card.Intents = append(card.Intents, r.intent)
		}
	}
	if anyIntent {
		card.Intents = nil // none declared means any
	}
	return card
}

// check tells every mistake of the agent's declaration.
func (a *Agent) check() error {
	_, mistakes := myriad.CheckAgent(a.Card("http://agent.invalid"))
	return myriad.Invalid(append(slices.Clone(a.mistakes), mistakes...))
}
