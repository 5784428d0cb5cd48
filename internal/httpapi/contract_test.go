package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/myriad-mind/myriad"
)

// contract is the served OpenAPI document, with which real requests and replies are compared.
type contract struct {
	t       *testing.T
	doc     map[string]any
	defs    json.RawMessage
	mu      sync.Mutex
	checked map[string]bool // method and path of operations that were seen to succeed
}

func newContract(t *testing.T, document string) *contract {
	t.Helper()
	// References are made to lead into $defs of a schema of its own, which every JSON Schema validator understands.
	document = strings.ReplaceAll(document, componentPrefix, "#/$defs/")
	c := &contract{t: t, checked: map[string]bool{}}
	var parts struct {
		Components struct{ Schemas json.RawMessage }
	}
	if err := json.Unmarshal([]byte(document), &c.doc); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(document), &parts); err != nil {
		t.Fatal(err)
	}
	c.defs = parts.Components.Schemas
	return c
}

// dig walks maps by keys; nil where there is none.
func dig(v any, keys ...string) any {
	for _, k := range keys {
		m, _ := v.(map[string]any)
		v = m[k]
	}
	return v
}

// conforms compares JSON with a schema of the document.
func (c *contract) conforms(what string, schema any, text string) {
	c.t.Helper()
	raw, err := json.Marshal(schema)
	if err != nil {
		c.t.Fatal(err)
	}
	whole, _ := json.Marshal(map[string]json.RawMessage{"$defs": c.defs, "allOf": json.RawMessage("[" + string(raw) + "]")})
	var s jsonschema.Schema
	if err := json.Unmarshal(whole, &s); err != nil {
		c.t.Fatalf("%s: %v", what, err)
	}
	resolved, err := s.Resolve(nil)
	if err != nil {
		c.t.Fatalf("%s: %v", what, err)
	}
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		c.t.Errorf("%s: %q is not JSON", what, text)
		return
	}
	if err := resolved.Validate(v); err != nil {
		c.t.Errorf("%s does not conform: %v\n%s", what, err, text)
	}
}

// exchange compares one request and its reply with the operation of pattern.
func (c *contract) exchange(method, pattern, body string, got answer) {
	c.t.Helper()
	what := method + " " + pattern + " -> " + strconv.Itoa(got.status)
	op := dig(c.doc, "paths", pattern, strings.ToLower(method))
	if op == nil {
		c.t.Errorf("%s is not in the document", what)
		return
	}
	if body != "" && got.status < 300 && dig(op, "requestBody") != nil {
		c.conforms(what+" request", dig(op, "requestBody", "content", typeJSON, "schema"), body)
	}
	res := dig(op, "responses", strconv.Itoa(got.status))
	if res == nil {
		c.t.Errorf("%s: the status is not documented", what)
		return
	}
	declared, _ := dig(res, "headers").(map[string]any)
	for _, name := range []string{"Location", "ETag", "WWW-Authenticate", "Preference-Applied", "Accept-Encoding"} {
		if got.header.Get(name) != "" && declared[name] == nil && got.status != 304 {
			c.t.Errorf("%s: the header %s is not documented", what, name)
		}
	}
	if got.status < 300 {
		c.mu.Lock()
		c.checked[method+" "+pattern] = true
		c.mu.Unlock()
	}
	media, _, _ := strings.Cut(got.header.Get("Content-Type"), ";")
	content, _ := dig(res, "content").(map[string]any)
	switch {
	case media == "" && len(content) == 0 && got.body == "":
	case content[media] == nil:
		c.t.Errorf("%s: the media type %q is not documented", what, media)
	case strings.HasSuffix(media, "json"):
		c.conforms(what+" reply", dig(content[media], "schema"), got.body)
	}
}

// TestRepliesConformToTheDocument sends real requests to every route and compares them and their replies with the served document.
func TestRepliesConformToTheDocument(t *testing.T) {
	var draining error
	w := newWorld(t, func(c *Config) { c.Ready = func() error { return draining } })
	w.addAgent(lamp())
	w.addAgent(myriad.Agent{Name: "Filed", Endpoint: "http://127.0.0.1:1/x", Concepts: []string{"y"}, Owner: myriad.OwnerFile})
	c := newContract(t, w.do("GET", "/openapi.json", "").body)
	w.api.Hub.Emit(myriad.Event{Kind: myriad.KindAgentPut, Agent: "before"})

	const plan = `{"tasks":[{"task_id":1,"concept":"lightbulb","intent":"define","args":{"a":1},"dependencies":["x"],"priority":3,"idempotent":true,"on_dependency_failure":"continue","fallback":{"value":null},"timeout_ms":5,"max_age_ms":9}],"timeout_ms":1000}`
	const agent = `{"name":"New","endpoint":"http://127.0.0.1:5009/query","concepts":["x"],"intents":["define"],"labels":{"a":"b"}}`
	const packet = `{"name":"Run","concepts":["x"],"template":{"kind":"command","command":["cat"]}}`
	bearer := []string{"Authorization", "Bearer " + testToken}
	for _, tc := range []struct {
		method, pattern, path, body string
		status                      int
		headers                     []string
	}{
		{"POST", "/v1/runs", "", plan, 200, nil},
		{"POST", "/v1/runs", "", plan, 200, []string{"Accept", "text/event-stream"}},
		{"POST", "/v1/runs", "", plan, 202, []string{"Prefer", "respond-async"}},
		{"POST", "/v1/runs", "", `{"tasks":[{"task_id":1}]}`, 400, nil},
		{"POST", "/v1/runs", "", plan, 415, []string{"Content-Type", "text/plain"}},
		{"POST", "/v1/runs", "", plan, 415, []string{"Content-Encoding", "gzip"}},
		{"POST", "/process", "", "\x1f\x8b", 415, []string{"Content-Encoding", "gzip"}},
		{"GET", "/v1/runs", "", "", 200, nil},
		{"GET", "/v1/runs", "/v1/runs?limit=1&cursor=c1", "", 200, nil},
		{"GET", "/v1/runs", "/v1/runs?cursor=other", "", 400, nil},
		{"GET", "/v1/runs/{id}", "/v1/runs/" + runUUID, "", 200, nil},
		{"GET", "/v1/runs/{id}", "/v1/runs/x", "", 404, nil},
		{"GET", "/v1/runs/{id}/events", "/v1/runs/" + runUUID + "/events", "", 200, nil},
		{"GET", "/v1/runs/{id}/events", "/v1/runs/" + runUUID + "/events", "", 204, []string{"Last-Event-ID", "4"}},
		{"GET", "/v1/runs/{id}/events", "/v1/runs/x/events", "", 404, nil},
		{"DELETE", "/v1/runs/{id}", "/v1/runs/" + runUUID, "", 204, nil},
		{"DELETE", "/v1/runs/{id}", "/v1/runs/x", "", 404, nil},
		{"POST", "/v1/agents", "", agent, 201, nil},
		{"POST", "/v1/agents", "", agent, 409, nil},
		{"POST", "/v1/agents", "", packet, 401, nil},
		{"POST", "/v1/agents", "", packet, 201, bearer},
		{"POST", "/v1/agents", "", `{"name":"M","endpoint":"http://169.254.169.254/","concepts":["x"]}`, 403, nil},
		{"GET", "/v1/agents", "", "", 200, nil},
		{"GET", "/v1/agents/{name}", "/v1/agents/New", "", 200, nil},
		{"GET", "/v1/agents/{name}", "/v1/agents/New", "", 304, []string{"If-None-Match", `"1"`}},
		{"GET", "/v1/agents/{name}", "/v1/agents/None", "", 404, nil},
		{"PUT", "/v1/agents/{name}", "/v1/agents/New", agent, 200, []string{"If-Match", `"1"`}},
		{"PUT", "/v1/agents/{name}", "/v1/agents/New", agent, 412, []string{"If-Match", `"1"`}},
		{"PUT", "/v1/agents/{name}", "/v1/agents/Put", strings.Replace(agent, "New", "Put", 1), 201, nil},
		{"PUT", "/v1/agents/{name}", "/v1/agents/Filed", strings.Replace(agent, "New", "Filed", 1), 409, nil},
		{"DELETE", "/v1/agents/{name}", "/v1/agents/Filed", "", 409, nil},
		{"DELETE", "/v1/agents/{name}", "/v1/agents/New", "", 204, nil},
		{"DELETE", "/v1/agents/{name}", "/v1/agents/New", "", 404, nil},
		{"GET", "/v1/agents/{name}/breaker", "/v1/agents/Put/breaker", "", 200, nil},
		{"POST", "/v1/agents/{name}/breaker", "/v1/agents/Put/breaker", `{"action":"open"}`, 200, nil},
		{"POST", "/v1/agents/{name}/breaker", "/v1/agents/Put/breaker", `{"action":"break"}`, 400, nil},
		{"POST", "/v1/agents/{name}/breaker", "/v1/agents/None/breaker", `{"action":"open"}`, 404, nil},
		{"GET", "/v1/concepts", "", "", 200, nil},
		{"GET", "/v1/concepts/{name}", "/v1/concepts/Light%20Bulb", "", 200, nil},
		{"GET", "/v1/concepts/{name}", "/v1/concepts/none", "", 404, nil},
		{"POST", "/v1/discover", "", `{"concept":"Light Bulb","intent":"define"}`, 200, nil},
		{"POST", "/v1/discover", "", `{"concept":"","intent":"","x":1}`, 400, nil},
		{"GET", "/v1/fleet", "", "", 200, nil},
		{"POST", "/v1/fleet/{instance}/stop", "/v1/fleet/i1/stop", "", 204, nil},
		{"POST", "/v1/fleet/{instance}/stop", "/v1/fleet/none/stop", "", 404, nil},
		{"POST", "/v1/fleet/{instance}/restart", "/v1/fleet/i1/restart", "{}", 204, nil},
		{"POST", "/v1/fleet/{instance}/restart", "/v1/fleet/none/restart", "", 404, nil},
		{"PATCH", "/v1/fleet/limits", "", `{"max_agents":3,"instance":{"cpu":0.25}}`, 200, nil},
		{"PATCH", "/v1/fleet/limits", "", `{"max_agents":0}`, 400, nil},
		{"GET", "/livez", "", "", 200, nil},
		{"GET", "/readyz", "", "", 200, nil},
		{"GET", "/readyz", "", "", 503, []string{"X-Drain", "yes"}},
		{"GET", "/openapi.json", "", "", 200, nil},
		{"POST", "/process", "", `{"tasks":[{"task_id":true,"concept":"x","intent":"define","colour":"red"}]}`, 400, nil},
		{"POST", "/process", "", `{"tasks":[{"task_id":1,"concept":"x","intent":"define","colour":"red"}],"query_id":1}`, 200, nil},
		{"POST", "/process_query", "", `{"query":"lightbulb"}`, 200, nil},
		{"POST", "/process_query", "", `{}`, 400, nil},
		{"POST", "/run_orchestration", "", `{"tasks":[{"task_id":1,"concept":"x","intent":"define"}]}`, 200, nil},
		{"POST", "/run_orchestration", "", `{"query":"x"}`, 400, nil},
		{"GET", "/health", "", "", 200, nil},
		{"GET", "/agents", "", "", 200, nil},
		{"POST", "/discover", "", `{"concept":"Light Bulb"}`, 200, nil},
		{"POST", "/discover", "", `{"concept":"none"}`, 404, nil},
		{"GET", "/status", "", "", 200, nil},
		{"GET", "/metrics", "", "", 200, nil},
		{"GET", "/metrics/json", "", "", 200, nil},
	} {
		draining = nil
		if slices.Contains(tc.headers, "X-Drain") {
			draining = myriad.Errorf(myriad.CodeDraining, "the server is shutting down")
		}
		path := tc.path
		if path == "" {
			path = tc.pattern
		}
		got := w.do(tc.method, path, tc.body, tc.headers...)
		if got.status != tc.status {
			t.Errorf("%s %s gave %d, want %d: %s", tc.method, path, got.status, tc.status, got.body)
		}
		c.exchange(tc.method, tc.pattern, tc.body, got)
	}
	c.events(w)
	for _, rt := range w.api.table {
		if !c.checked[rt.method+" "+rt.path] {
			t.Errorf("%s %s was not seen to succeed here", rt.method, rt.path)
		}
	}
}

// events compares the data of stream events with the components that describe them.
func (c *contract) events(w *world) {
	c.t.Helper()
	res := w.open("GET", "/v1/events", "", "Last-Event-ID", "otherlife-7")
	defer res.Body.Close()
	c.exchange("GET", "/v1/events", "", answer{status: res.StatusCode, header: res.Header})
	events := newEventReader(res.Body)
	for _, want := range []string{"Gap", "Happening"} {
		e := events.next(c.t)
		c.conforms("event "+e.kind, map[string]any{"$ref": "#/$defs/" + want}, e.data)
	}
	run := newEventReader(strings.NewReader(w.do("GET", "/v1/runs/"+runUUID+"/events", "").body))
	for _, want := range []string{"RunStarted", "TaskStarted", "Result", "RunSummary"} {
		e := run.next(c.t)
		c.conforms("event "+e.kind, map[string]any{"$ref": "#/$defs/" + want}, e.data)
	}
}

// TestDocumentAndRoutesAreOne: what the mux serves is in the document, and the other way round.
func TestDocumentAndRoutesAreOne(t *testing.T) {
	w := newWorld(t)
	c := newContract(t, w.do("GET", "/openapi.json", "").body)
	var documented, served []string
	for path, item := range dig(c.doc, "paths").(map[string]any) {
		for method := range item.(map[string]any) {
			documented = append(documented, strings.ToUpper(method)+" "+path)
		}
	}
	ids := map[string]bool{}
	for _, rt := range w.api.table {
		served = append(served, rt.method+" "+rt.path)
		known := slices.ContainsFunc(tags, func(tag oaTag) bool { return tag.Name == rt.tag })
		if rt.id == "" || ids[rt.id] || rt.summary == "" || !known || len(rt.replies) == 0 {
			t.Errorf("%s %s is not described, or under another's id", rt.method, rt.path)
		}
		ids[rt.id] = true
		for _, part := range strings.Split(rt.path, "/") {
			if name, ok := strings.CutPrefix(part, "{"); ok && !slices.ContainsFunc(rt.params, func(p param) bool { return p.in == "path" && "{"+p.name+"}" == "{"+name }) {
				t.Errorf("%s %s does not describe {%s", rt.method, rt.path, name)
			}
		}
	}
	slices.Sort(documented)
	slices.Sort(served)
	if !slices.Equal(documented, served) {
		t.Errorf("documented %q\nserved %q", documented, served)
	}
	for _, pattern := range documented {
		method, path, _ := strings.Cut(pattern, " ")
		path = strings.NewReplacer("{id}", "x", "{name}", "x", "{instance}", "x").Replace(path)
		if _, got := w.api.mux.Handler(httptest.NewRequest(method, path, http.NoBody)); !strings.HasPrefix(got, method+" ") {
			t.Errorf("%s is documented, but the mux leads it to %q", pattern, got)
		}
	}
}

// TestDocumentRefersToWhatIsThere: every reference leads to a component, and every component is referred to or streamed.
func TestDocumentRefersToWhatIsThere(t *testing.T) {
	w := newWorld(t)
	text := w.do("GET", "/openapi.json", "").body
	c := newContract(t, text)
	var defs map[string]any
	if err := json.Unmarshal(c.defs, &defs); err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(text, componentPrefix)[1:] {
		name, _, _ := strings.Cut(part, `"`)
		if defs[name] == nil {
			t.Errorf("nothing is at %s%s", componentPrefix, name)
		}
	}
	for name := range defs {
		used := strings.Contains(text, `"`+componentPrefix+name+`"`)
		if !used && !slices.ContainsFunc(streamed, func(t reflect.Type) bool { return t.Name() == name }) {
			t.Errorf("nobody refers to the component %s", name)
		}
	}
	if dig(c.doc, "openapi") != "3.1.0" || dig(c.doc, "info", "version") != "1.2.3" {
		t.Errorf("the document says %v %v", dig(c.doc, "openapi"), dig(c.doc, "info"))
	}
}

// TestDocumentTellsTheBoundsOfKnowledge, those that CheckAgent holds a packet to.
func TestDocumentTellsTheBoundsOfKnowledge(t *testing.T) {
	c := newContract(t, newWorld(t).do("GET", "/openapi.json", "").body)
	for _, b := range []struct {
		schema, field, bound string
		want                 int
	}{
		{"Knowledge", "primary_definition", "maxLength", myriad.MaxKnowledgeBytes},
		{"Knowledge", "applications", "maxItems", myriad.MaxKnowledgeEntries},
		{"Knowledge", "research_sources", "maxItems", myriad.MaxKnowledgeEntries},
		{"Knowledge", "learned_knowledge", "maxProperties", myriad.MaxLearned},
		{"Learn", "content", "maxLength", myriad.MaxLearnedBytes},
	} {
		if got := dig(c.doc, "components", "schemas", b.schema, "properties", b.field, b.bound); got != float64(b.want) {
			t.Errorf("%s.%s: %s is %v, want %d", b.schema, b.field, b.bound, got, b.want)
		}
	}
}
