package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/myriad-mind/myriad"
)

// What the Python orchestrator calls itself; its clients may compare it.
const (
	compatService = "orchestrator"
	compatVersion = "1.0.0"
)

const (
	maxListed   = 10_000          // agents of one GET /agents, which knows no pages
	pingTimeout = 5 * time.Second // of the graph, for GET /status
)

// HealthReply answers GET /health.
type HealthReply struct {
	Service string `json:"service"`
	Status  string `json:"status"`
	Version string `json:"version"`
}

// CompatAgent is an agent of GET /agents.
type CompatAgent struct {
	Capabilities []string `json:"capabilities"`
	Endpoint     *string  `json:"endpoint"`
	Name         string   `json:"name"`
	Status       string   `json:"status"`
	Type         *string  `json:"type"`
}

// CompatAgents answers GET /agents.
type CompatAgents struct {
	Agents    []CompatAgent `json:"agents"`
	Count     int           `json:"count"`
	Truncated bool          `json:"truncated,omitempty" jsonschema:"there are more agents than one reply lists; /v1/agents has pages"`
}

// CompatDiscovery answers POST /discover, found or not.
type CompatDiscovery struct {
	AgentURL *string `json:"agent_url"`
	Concept  string  `json:"concept"`
	Intent   string  `json:"intent"`
	Message  string  `json:"message,omitempty"`
	Status   string  `json:"status"`
}

// StatusReply answers GET /status.
type StatusReply struct {
	Dependencies StatusDependencies `json:"dependencies"`
	Environment  StatusEnvironment  `json:"environment"`
	Service      string             `json:"service"`
	Status       string             `json:"status"`
	Version      string             `json:"version"`
}

// StatusDependencies are the parts that the Python orchestrator asked after: available or unavailable, the graph connected or disconnected.
type StatusDependencies struct {
	Intelligence string `json:"enhanced_intelligence"`
	Graph        string `json:"graphdb_manager"`
	Learning     string `json:"learning_engine"`
	Lifecycle    string `json:"lifecycle_manager"`
	Performance  string `json:"performance_engine"`
}

// StatusEnvironment holds strings, as the environment does.
type StatusEnvironment struct {
	Learning      string `json:"autonomous_learning"`
	DynamicAgents string `json:"dynamic_agents"`
	GraphURL      string `json:"graphdb_url"`
}

// MetricsReply answers GET /metrics/json.
type MetricsReply struct {
	Features    MetricsFeatures `json:"features"`
	Performance any             `json:"performance"`
	Service     string          `json:"service"`
	Version     string          `json:"version"`
}

// MetricsFeatures says what is switched on.
type MetricsFeatures struct {
	Learning      bool `json:"autonomous_learning_enabled"`
	DynamicAgents bool `json:"dynamic_agents_enabled"`
	Performance   bool `json:"performance_optimization_enabled"`
}

func (a *API) health(w *responder, _ *http.Request, _ []byte) error {
	return a.replyJSON(w, http.StatusOK, HealthReply{Service: compatService, Status: "healthy", Version: compatVersion})
}

func (a *API) compatAgents(w *responder, r *http.Request, _ []byte) error {
	list := CompatAgents{Agents: []CompatAgent{}}
	for page := (myriad.Page{Limit: maxLimit}); ; {
		agents, next, err := a.cfg.Agents.Agents(r.Context(), page)
		if err != nil {
			return err
		}
		for i := range agents {
			list.Agents = append(list.Agents, compatAgent(&agents[i]))
		}
		list.Truncated = next != "" && len(list.Agents) >= maxListed
		if next == "" || list.Truncated {
			break
		}
		page.Cursor = next
	}
	list.Count = len(list.Agents)
	return a.replyJSON(w, http.StatusOK, list)
}

func compatAgent(a *myriad.Agent) CompatAgent {
	c := CompatAgent{Name: a.Name, Type: orNull(a.Type), Endpoint: orNull(a.Endpoint), Status: a.Status, Capabilities: orEmpty(a.Capabilities)}
	if c.Status == "" {
		c.Status = "unknown"
	}
	return c
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// CompatDiscover is the body of POST /discover.
type CompatDiscover struct {
	Concept string `json:"concept"`
	Intent  string `json:"intent,omitempty" jsonschema:"define when absent"`
}

// compatDiscover names the endpoint of the best agent that is awake. It starts nothing.
func (a *API) compatDiscover(w *responder, r *http.Request, body []byte) error {
	ask, err := discoverOf(body)
	if err != nil {
		return err
	}
	found, err := a.lookup(r.Context(), ask.Concept, ask.Intent)
	if err != nil {
		return err
	}
	reply := CompatDiscovery{Concept: ask.Concept, Intent: ask.Intent}
	for _, c := range found.Candidates {
		if c.Agent.Endpoint != "" {
			reply.Status, reply.AgentURL = "success", &c.Agent.Endpoint
			a.told(myriad.KindDiscover, "found")
			return a.replyJSON(w, http.StatusOK, reply)
		}
	}
	reply.Status, reply.Message = "no_agent_found", "No suitable agent found for concept '"+ask.Concept+"' with intent '"+ask.Intent+"'"
	if len(found.Candidates) > 0 {
		reply.Message = "The agent for concept '" + ask.Concept + "' with intent '" + ask.Intent + "' is dormant: a task wakes it"
	}
	a.told(myriad.KindDiscover, "not_found")
	return a.replyJSON(w, http.StatusNotFound, reply)
}

// discoverOf reads the body of /discover; unknown fields are passed over.
func discoverOf(body []byte) (CompatDiscover, error) {
	ask := CompatDiscover{Intent: "define"}
	switch {
	case !json.Valid(body):
		return ask, decodeLoose(body, &ask)
	case falsy(body):
		return ask, myriad.Errorf(myriad.CodeInvalid, "No data provided")
	case fieldOf(body, "concept") == nil:
		return ask, myriad.Errorf(myriad.CodeInvalid, "Missing required field: 'concept'")
	}
	return ask, myriad.Invalid(slices.Concat(textOf(body, "concept", &ask.Concept), textOf(body, "intent", &ask.Intent)))
}

// textOf reads the field of exactly that name; null is as absent.
func textOf(body []byte, name string, into *string) []myriad.Mistake {
	value := fieldOf(body, name)
	if value == nil || value[0] == 'n' {
		return nil
	}
	if value[0] != '"' {
		return []myriad.Mistake{{Path: name, Rule: "must be a string"}}
	}
	*into = string(myriad.Unquote(value))
	return nil
}

// lookup is Lookup for names as they were written.
func (a *API) lookup(ctx context.Context, concept, intent string) (myriad.Found, error) {
	concept, err := myriad.CanonicalConcept(concept)
	if err != nil {
		return myriad.Found{}, at("concept", err)
	}
	if intent, err = myriad.CanonicalIntent(intent); err != nil {
		return myriad.Found{}, at("intent", err)
	}
	return a.cfg.Discover.Lookup(ctx, concept, intent)
}

// at makes a canonical form's refusal a mistake with its path.
func at(path string, err error) error {
	return myriad.Invalid([]myriad.Mistake{{Path: path, Rule: err.Error()}})
}

func (a *API) told(kind myriad.EventKind, word string) {
	a.cfg.Sink.Emit(myriad.Event{Kind: kind, At: time.Now(), Reason: word})
}

// toldDiscover counts the failures of /discover; what it found is told where it is found.
func (a *API) toldDiscover(err error, _ time.Duration) {
	if err != nil {
		a.told(myriad.KindDiscover, compatWord(err, ""))
	}
}

func (a *API) status(w *responder, r *http.Request, _ []byte) error {
	graph := "connected"
	if a.ping(r.Context()) != nil {
		graph = "disconnected"
	}
	return a.replyJSON(w, http.StatusOK, StatusReply{
		Service: compatService, Status: "running", Version: compatVersion,
		Dependencies: StatusDependencies{Graph: graph, Lifecycle: available(a.cfg.Fleet != nil), Learning: available(a.cfg.Learning),
			Intelligence: available(true), Performance: available(a.cfg.Performance != nil)},
		Environment: StatusEnvironment{GraphURL: a.cfg.Graph.URL, DynamicAgents: word(a.cfg.DynamicAgents), Learning: word(a.cfg.Learning)},
	})
}

func (a *API) ping(ctx context.Context) error {
	if a.cfg.Graph.Ping == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	return a.cfg.Graph.Ping(ctx)
}

func available(yes bool) string {
	if yes {
		return "available"
	}
	return "unavailable"
}

func word(yes bool) string {
	if yes {
		return "true"
	}
	return "false"
}

func (a *API) metrics(w *responder, r *http.Request, _ []byte) error {
	if a.cfg.Metrics == nil {
		return errors.New("no metrics handler") // the route is only there with one
	}
	w.Header().Del("Cache-Control")
	a.cfg.Metrics.ServeHTTP(w, r)
	return nil
}

func (a *API) metricsJSON(w *responder, _ *http.Request, _ []byte) error {
	reply := MetricsReply{Service: compatService, Version: compatVersion, Features: MetricsFeatures{Learning: a.cfg.Learning,
		DynamicAgents: a.cfg.DynamicAgents, Performance: a.cfg.Performance != nil}}
	reply.Performance = map[string]string{"status": "performance_engine_not_available"}
	if a.cfg.Performance != nil {
		reply.Performance = a.cfg.Performance()
	}
	return a.replyJSON(w, http.StatusOK, reply)
}
