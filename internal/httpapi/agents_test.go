package httpapi

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
)

const newAgent = `{"name":"New","endpoint":"http://127.0.0.1:5009/query","concepts":["Light Bulb"],"intents":[" Define "]}`

func (a answer) agent(t *testing.T) myriad.Agent {
	t.Helper()
	var agent myriad.Agent
	if err := json.Unmarshal([]byte(a.body), &agent); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return agent
}

func TestAgentFromCreationToRemoval(t *testing.T) {
	w := newWorld(t)
	made := w.do("POST", "/v1/agents", newAgent)
	agent := made.agent(t)
	if made.status != 201 || made.header.Get("Location") != "/v1/agents/New" || made.header.Get("ETag") != `"1"` {
		t.Fatalf("creation gave %d %v", made.status, made.header)
	}
	if agent.Owner != myriad.OwnerAPI || agent.Intents[0] != "define" || agent.Protocol != myriad.ProtocolHTTP || agent.Concepts[0] != "Light Bulb" {
		t.Errorf("stored %+v", agent)
	}
	w.do("POST", "/v1/agents", newAgent).problem(t, 409, myriad.CodeConflict)

	// What was read can be written back as it is, the server's own fields included.
	read := w.do("GET", "/v1/agents/New", "")
	if put := w.do("PUT", "/v1/agents/New", read.body, "If-Match", read.header.Get("ETag")); put.status != 200 || put.header.Get("ETag") != `"2"` {
		t.Errorf("writing back gave %d %s", put.status, put.body)
	}
	if got := w.do("DELETE", "/v1/agents/New", "", "If-Match", `"2"`); got.status != 204 || got.body != "" {
		t.Errorf("removal gave %d %s", got.status, got.body)
	}
	w.do("GET", "/v1/agents/New", "").problem(t, 404, myriad.CodeNotFound)
	w.do("DELETE", "/v1/agents/New", "").problem(t, 404, myriad.CodeNotFound)
}

func TestConditionalWrites(t *testing.T) {
	for _, tc := range []struct {
		name, method, header, value string
		there                       bool
		status                      int
	}{
		{"the present revision", "PUT", "If-Match", `"1"`, true, 200},
		{"one of several", "PUT", "If-Match", `"7", "1"`, true, 200},
		{"another revision", "PUT", "If-Match", `"2"`, true, 412},
		{"a weak tag never matches", "PUT", "If-Match", `W/"1"`, true, 412},
		{"a foreign tag", "PUT", "If-Match", `"abc"`, true, 412},
		{"any revision", "PUT", "If-Match", `*`, true, 200},
		{"any revision of nothing", "PUT", "If-Match", `*`, false, 412},
		{"a revision of nothing", "PUT", "If-Match", `"1"`, false, 412},
		{"no tag at all", "PUT", "If-Match", `1`, true, 400},
		{"only a new one", "PUT", "If-None-Match", `*`, false, 201},
		{"only a new one, but there is one", "PUT", "If-None-Match", `*`, true, 412},
		{"none of these", "PUT", "If-None-Match", `"1"`, true, 400},
		{"remove the present revision", "DELETE", "If-Match", `"1"`, true, 204},
		{"remove another revision", "DELETE", "If-Match", `"2"`, true, 412},
		{"remove if none match", "DELETE", "If-None-Match", `*`, true, 400},
		{"upsert something new", "PUT", "X-None", "", false, 201},
		{"upsert something old", "PUT", "X-None", "", true, 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			if tc.there {
				w.do("POST", "/v1/agents", newAgent)
			}
			body := newAgent
			if tc.method == "DELETE" {
				body = ""
			}
			got := w.do(tc.method, "/v1/agents/New", body, tc.header, tc.value)
			if got.status != tc.status {
				t.Errorf("got %d, want %d: %s", got.status, tc.status, got.body)
			}
		})
	}
}

// TestFileOwnedAgentsAreNotTheAPIs: they are read, but neither written nor removed.
func TestFileOwnedAgentsAreNotTheAPIs(t *testing.T) {
	w := newWorld(t)
	filed := lamp()
	filed.Name, filed.Owner = "New", myriad.OwnerFile
	w.addAgent(filed)
	for _, got := range []answer{w.do("PUT", "/v1/agents/New", newAgent), w.do("PUT", "/v1/agents/New", newAgent, "If-Match", `"1"`),
		w.do("POST", "/v1/agents", newAgent), w.do("DELETE", "/v1/agents/New", "")} {
		got.problem(t, 409, myriad.CodeConflict)
	}
	if got := w.do("GET", "/v1/agents/New", "").agent(t); got.Owner != myriad.OwnerFile || got.Revision != 1 {
		t.Errorf("now it is %+v", got)
	}
	// Claiming to be the file changes nothing.
	w.do("PUT", "/v1/agents/New", strings.Replace(newAgent, "{", `{"owner":"file",`, 1)).problem(t, 409, myriad.CodeConflict)
}

func TestBadAgentsGetEveryMistake(t *testing.T) {
	w := newWorld(t)
	for body, want := range map[string][]string{
		`{"name":"","concepts":[],"endpoint":"ftp://x"}`:                                  {"name", "endpoint", "concepts"},
		`{"name":"x","concepts":["a"]}`:                                                   {"endpoint"},
		`{"name":"x","concepts":["a"],"endpoint":"http://h","colour":1,"auth":{"b":2}}`:   {"auth.b", "colour"},
		`{"name":"x","concepts":"a","endpoint":7}`:                                        {"concepts", "endpoint"},
		`{"name":"x","concepts":["a"],"endpoint":"http://127.0.0.1:1","protocol":"smtp"}`: {"protocol"},
		`nonsense`: {""},
	} {
		if p := w.do("POST", "/v1/agents", body).problem(t, 400, myriad.CodeInvalid); !slices.Equal(paths(p), want) {
			t.Errorf("%s: mistakes at %q, want %q", body, paths(p), want)
		}
	}
	if p := w.do("PUT", "/v1/agents/Other", newAgent).problem(t, 400, myriad.CodeInvalid); paths(p)[0] != "name" {
		t.Errorf("a name beside the path's gave %+v", p)
	}
}

func TestNetworkPolicyAtRegistration(t *testing.T) {
	w := newWorld(t)
	for endpoint, status := range map[string]int{
		"http://127.0.0.1:5001/query":       201,
		"http://10.0.0.7/query":             201,
		"http://169.254.169.254/latest":     403,
		"http://[fe80::1]/":                 403,
		"http://8.8.8.8/":                   403,
		"http://user:secret@127.0.0.1:5001": 400,
	} {
		name := "A" + strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return r
			}
			return '_'
		}, endpoint)
		got := w.do("POST", "/v1/agents", `{"name":"`+name+`","concepts":["x"],"endpoint":"`+endpoint+`"}`)
		if got.status != status || strings.Contains(got.body, "secret") {
			t.Errorf("%s gave %d %s", endpoint, got.status, got.body)
		}
		if status == 403 {
			if p := got.problem(t, 403, myriad.CodeForbidden); paths(p)[0] != "endpoint" {
				t.Errorf("%s gave %+v", endpoint, p)
			}
		}
	}
}

// TestPacketHasNoEndpointOfItsOwn: where a packet is reached is the fleet's to say.
func TestPacketHasNoEndpointOfItsOwn(t *testing.T) {
	w := newWorld(t)
	got := w.do("POST", "/v1/agents", `{"name":"K","concepts":["x"],"endpoint":"http://127.0.0.1:9/q","template":{"kind":"knowledge","knowledge":{"concept":"x","primary_definition":"d","confidence_score":0.5}}}`)
	if agent := got.agent(t); got.status != 201 || agent.Endpoint != "" || !agent.Dormant || agent.Type != myriad.AgentDynamic {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

func TestAgentPages(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"a", "b", "c"} {
		w.addAgent(myriad.Agent{Name: name})
	}
	first := w.do("GET", "/v1/agents?limit=2", "").body
	if !strings.Contains(first, `"next_cursor":"b"`) || strings.Contains(first, "null") {
		t.Errorf("got %s", first)
	}
	if last := w.do("GET", "/v1/agents?limit=2&cursor=b", "").body; !strings.Contains(last, `"name":"c"`) || strings.Contains(last, "next_cursor") {
		t.Errorf("got %s", last)
	}
}

func TestBreakers(t *testing.T) {
	w := newWorld(t)
	w.addAgent(lamp())
	const path = "/v1/agents/Lightbulb_Definition_AI/breaker"
	if got := w.do("GET", path, "").body; strings.TrimSpace(got) != `{"agent":"Lightbulb_Definition_AI","breakers":[]}` {
		t.Errorf("got %s", got)
	}
	for action, mode := range map[string]string{"open": "forced_open", "close": "forced_closed", "auto": "auto"} {
		if got := w.do("POST", path, `{"action":"`+action+`"}`); got.status != 200 || !strings.Contains(got.body, `"mode":"`+mode+`"`) {
			t.Errorf("%s gave %d %s", action, got.status, got.body)
		}
	}
	for body, at := range map[string]string{`{"action":"half"}`: "action", `{}`: "action", `{"mode":"open"}`: "mode", `{"action":1}`: "action"} {
		if p := w.do("POST", path, body).problem(t, 400, myriad.CodeInvalid); paths(p)[0] != at {
			t.Errorf("%s gave %+v", body, p)
		}
	}
}

func TestDiscover(t *testing.T) {
	w := newWorld(t)
	w.addAgent(lamp())
	got := w.do("POST", "/v1/discover", `{"concept":"Light-Bulb","intent":" DEFINE"}`).body
	const want = `{"concept":"light_bulb","intent":"define","known":true,"graph":"fresh","candidates":[{"agent":"Lightbulb_Definition_AI","score":0.5,"tier":"exact","parts":{"weight":0.5,"availability":1,"load":1,"latency":1},"endpoint":"http://127.0.0.1:5001/query"}]}`
	if strings.TrimSpace(got) != want {
		t.Errorf("got %s", got)
	}
	w.found.stale = true
	if got := w.do("POST", "/v1/discover", `{"concept":"x","intent":"y"}`).body; !strings.Contains(got, `"known":false,"graph":"stale","graph_age_ms":1000,"candidates":[]`) {
		t.Errorf("got %s", got)
	}
	if p := w.do("POST", "/v1/discover", `{"concept":" ","intent":""}`).problem(t, 400, myriad.CodeInvalid); !slices.Equal(paths(p), []string{"concept", "intent"}) {
		t.Errorf("got %+v", p)
	}
	w.found.err = &myriad.Error{Code: myriad.CodeUnavailable, Message: "the graph does not answer", RetryAfter: 1}
	w.do("POST", "/v1/discover", `{"concept":"x","intent":"y"}`).problem(t, 503, myriad.CodeUnavailable)
}

func TestReadiness(t *testing.T) {
	var err, degraded error
	w := newWorld(t, func(c *Config) {
		c.Ready = func() error { return err }
		c.Degraded = func() error { return degraded }
	})
	if got := w.do("GET", "/readyz", ""); got.status != 200 || string(got.body) != `{"status":"ok"}`+"\n" {
		t.Errorf("got %d %s", got.status, got.body)
	}
	degraded = errors.New("no writing")
	if got := w.do("GET", "/readyz", ""); got.status != 200 || string(got.body) != `{"status":"degraded","reason":"no writing"}`+"\n" {
		t.Errorf("got %d %s", got.status, got.body)
	}
	for code, want := range map[myriad.Code]myriad.Code{myriad.CodeDraining: myriad.CodeDraining, myriad.CodeUnavailable: myriad.CodeUnavailable, myriad.CodeInternal: myriad.CodeUnavailable} {
		err = myriad.Errorf(code, "why")
		got := w.do("GET", "/readyz", "")
		if p := got.problem(t, 503, want); !strings.Contains(p.Detail, "why") || got.header.Get("Retry-After") == "" {
			t.Errorf("%s gave %+v %v", code, p, got.header)
		}
	}
}
