package httpapi

import (
	"net/http"
	"reflect"
	"slices"

	"github.com/myriad-mind/myriad"
)

// The parameters that several routes have.
var (
	pageParams = []param{
		{in: "query", name: "limit", about: "entries of the page, 1 to 1000; 100 when absent", kind: "integer"},
		{in: "query", name: "cursor", about: "next_cursor of the page before"},
	}
	runID       = param{in: "path", name: "id", about: "id of the run"}
	agentName   = param{in: "path", name: "name", about: "name of the agent"}
	ifMatch     = param{in: "header", name: "If-Match", about: "only while the agent's revision is one of these ETags, or * for any; it must not be empty, and is judged before If-None-Match"}
	lastEventID = param{in: "header", name: "Last-Event-ID", about: "begin after the event of this id, which must be one of the stream's; when absent or empty a run is told from its start, and what happens from now on"}
	traceparent = param{in: "header", name: "traceparent", about: "W3C trace context; the run's spans go under it"}
)

// streamed are the types of the data of stream events; no route's reply names them.
var streamed = []reflect.Type{typeOf[myriad.RunStarted](), typeOf[myriad.TaskStarted](), typeOf[myriad.RunSummary](), typeOf[Happening](), typeOf[Gap]()}

// routes is the table of all routes. What is not here is not served, and what is here is in the OpenAPI document.
func (a *API) routes() []*route {
	table := []*route{
		{method: "POST", path: "/v1/runs", id: "createRun", tag: "runs", body: takes[RunPlan](0), handle: a.createRun,
			summary: "Carry out a graph of tasks: waiting for its end, as a stream (Accept: text/event-stream), or on its own (Prefer: respond-async)",
			params: []param{{in: "header", name: "Idempotency-Key", about: "the same key gives the same run"},
				{in: "header", name: "Prefer", about: "respond-async: answer at once with the run's id"}, traceparent},
			replies: []reply{gives[myriad.RunRecord](200, "The run was carried out, whatever its tasks came to"),
				plain(200, "Events run.started, task.started, task.finished and run.finished", typeSSE),
				gives[RunAccepted](202, "The run goes on without its client", "Location", "Preference-Applied"),
				(&route{}).failure(422, "The key was used with another body")}},
		{method: "GET", path: "/v1/runs", id: "listRuns", tag: "runs", params: pageParams, handle: a.listRuns,
			summary: "List runs, the newest first", replies: []reply{gives[RunList](200, "One page of runs")}},
		{method: "GET", path: "/v1/runs/{id}", id: "getRun", tag: "runs", params: []param{runID}, handle: a.getRun,
			summary: "Read a run, finished or as far as it is", replies: found(gives[myriad.RunRecord](200, "The run"))},
		{method: "DELETE", path: "/v1/runs/{id}", id: "cancelRun", tag: "runs", params: []param{runID}, handle: a.cancelRun,
			summary: "Cancel a run", replies: found(plain(204, "The run is cancelled, or was over", ""), (&route{}).failure(409, "The run is over"))},
		{method: "GET", path: "/v1/runs/{id}/events", id: "followRun", tag: "runs", params: []param{runID, lastEventID}, handle: a.followRun,
			summary: "Follow a run as a stream of events until it is over",
			replies: found(plain(200, "Events run.started, task.started, task.finished and run.finished", typeSSE), plain(204, "There is no event after that one", ""))},

		{method: "GET", path: "/v1/agents", id: "listAgents", tag: "agents", params: pageParams, handle: a.listAgents,
			summary: "List agents by name", replies: []reply{gives[AgentList](200, "One page of agents")}},
		{method: "POST", path: "/v1/agents", id: "createAgent", tag: "agents", body: takes[myriad.Agent](agentBody), handle: a.createAgent,
			summary: "Register an agent. One with a template that runs a program or container needs the token, on loopback too", replies: []reply{gives[myriad.Agent](201, "The agent as stored", "Location", "ETag"),
				(&route{}).failure(409, "The name is taken")}},
		{method: "GET", path: "/v1/agents/{name}", id: "getAgent", tag: "agents", handle: a.getAgent, summary: "Read an agent",
			params:  []param{agentName, ifMatch, {in: "header", name: "If-None-Match", about: "304 while the revision is one of these ETags"}},
			replies: found(gives[myriad.Agent](200, "The agent", "ETag"), plain(304, "The agent is as you know it", ""), (&route{}).failure(412, "The revision is another one"))},
		{method: "PUT", path: "/v1/agents/{name}", id: "putAgent", tag: "agents", body: takes[myriad.Agent](agentBody), handle: a.putAgent,
			summary: "Write an agent, new or not. One with a template that runs a program or container needs the token, on loopback too",
			params:  []param{agentName, ifMatch, {in: "header", name: "If-None-Match", about: "*: only while there is no such agent"}},
			replies: []reply{gives[myriad.Agent](200, "The agent as stored", "ETag"), gives[myriad.Agent](201, "The new agent as stored", "Location", "ETag"),
				(&route{}).failure(409, "The agent belongs to the agents file"), (&route{}).failure(412, "The revision is another one")}},
		{method: "DELETE", path: "/v1/agents/{name}", id: "deleteAgent", tag: "agents", params: []param{agentName, ifMatch}, handle: a.deleteAgent,
			summary: "Remove an agent", replies: found(plain(204, "The agent is gone", ""),
				(&route{}).failure(409, "The agent belongs to the agents file"), (&route{}).failure(412, "The revision is another one"))},
		{method: "GET", path: "/v1/agents/{name}/breaker", id: "getBreaker", tag: "agents", params: []param{agentName}, handle: a.getBreaker,
			summary: "Read an agent's circuit breakers", replies: found(gives[BreakerList](200, "One for each endpoint that was called"))},
		{method: "POST", path: "/v1/agents/{name}/breaker", id: "forceBreaker", tag: "agents", params: []param{agentName}, handle: a.forceBreaker,
			body: takes[BreakerAction](smallBody), summary: "Force an agent's circuit breakers open or closed, or let them decide again",
			replies: found(gives[BreakerList](200, "The breakers as they are now"))},

		{method: "GET", path: "/v1/concepts", id: "listConcepts", tag: "graph", params: pageParams, handle: a.listConcepts,
			summary: "List concepts by name", replies: []reply{gives[ConceptList](200, "One page of concepts")}},
		{method: "GET", path: "/v1/concepts/{name}", id: "getConcept", tag: "graph", handle: a.getConcept, summary: "Read a concept",
			params:  []param{{in: "path", name: "name", about: "the concept, in any spelling"}},
			replies: found(gives[myriad.Concept](200, "The concept"))},
		{method: "POST", path: "/v1/discover", id: "discover", tag: "graph", body: takes[DiscoverRequest](smallBody), handle: a.discover,
			summary: "Rank who may serve a concept and an intent; nothing is dispatched", replies: []reply{gives[Discovery](200, "The candidates, the best first")}},
		{method: "GET", path: "/v1/events", id: "events", tag: "events", params: []param{lastEventID}, handle: a.events,
			summary: "Follow what happens: breakers, agents, instances, the fleet's queue, growth, parks, the graph. A gap event says how many events a slow reader lost",
			replies: []reply{plain(200, "Events by kind; their data is a Happening, that of gap a Gap", typeSSE)}},

		{method: "GET", path: "/livez", id: "livez", tag: "probes", probe: true, handle: a.livez, summary: "Say whether the process lives",
			replies: []reply{gives[ProbeReply](200, "It does")}},
		{method: "GET", path: "/readyz", id: "readyz", tag: "probes", probe: true, handle: a.readyz, summary: "Say whether the server takes work",
			replies: []reply{gives[ProbeReply](200, "It does; when something else does not go, like writing to the store, the status is degraded and reason says what")}},
		{method: "GET", path: "/openapi.json", id: "openapi", tag: "probes", handle: a.openapi, summary: "This document",
			replies: []reply{gives[any](200, "OpenAPI 3.1")}},
	}
	return slices.Concat(table, a.fleetRoutes(), a.compatRoutes())
}

// compatRoutes are those of the Python system's orchestrator, and the one of its integration tester.
func (a *API) compatRoutes() []*route {
	process := route{method: "POST", path: "/process", id: "process", tag: "compatible", dialect: compat, body: takes[ProcessRequest](0),
		summary: "Carry out tasks, or one query", handle: a.process, done: a.toldQuery, params: []param{traceparent},
		replies: []reply{gives[processAnswer](200, "The results by the string form of their task's id, or the result of the query")}}
	alias, orchestration := process, process
	alias.path, alias.id = "/process_query", "processQuery"
	orchestration.path, orchestration.id, orchestration.dialect, orchestration.handle = "/run_orchestration", "runOrchestration", tester, a.runOrchestration
	orchestration.summary = "Carry out tasks, as the integration tester did"
	table := []*route{&process, &alias, &orchestration,
		{method: "GET", path: "/health", id: "health", tag: "compatible", dialect: compat, probe: true, handle: a.health,
			summary: "Say that the orchestrator is healthy", replies: []reply{gives[HealthReply](200, "It is")}},
		{method: "GET", path: "/agents", id: "compatAgents", tag: "compatible", dialect: compat, handle: a.compatAgents,
			summary: "List all agents", replies: []reply{gives[CompatAgents](200, "The agents")}},
		{method: "POST", path: "/discover", id: "compatDiscover", tag: "compatible", dialect: compat, body: takes[CompatDiscover](smallBody),
			handle: a.compatDiscover, done: a.toldDiscover, summary: "Name the endpoint of the best agent",
			replies: []reply{gives[CompatDiscovery](200, "The endpoint, as it is stored"), gives[CompatDiscovery](404, "No agent was found")}},
		{method: "GET", path: "/status", id: "status", tag: "compatible", dialect: compat, handle: a.status,
			summary: "Say which parts there are", replies: []reply{gives[StatusReply](200, "The parts")}},
		{method: "GET", path: "/metrics/json", id: "metricsJSON", tag: "compatible", dialect: compat, handle: a.metricsJSON,
			summary: "Figures as JSON", replies: []reply{gives[MetricsReply](200, "The figures")}},
	}
	if a.cfg.Metrics != nil {
		table = append(table, &route{method: "GET", path: "/metrics", id: "metrics", tag: "compatible", dialect: compat, handle: a.metrics,
			summary: "Figures for Prometheus", replies: []reply{plain(http.StatusOK, "Prometheus text", "text/plain")}})
	}
	return table
}

// found are replies of a native route that may not find what is asked for.
func found(replies ...reply) []reply {
	return append(replies, (&route{}).failure(http.StatusNotFound, "There is no such thing"))
}
