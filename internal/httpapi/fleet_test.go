package httpapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/myriad-mind/myriad"
)

func TestFleetIsShownWhole(t *testing.T) {
	w := newWorld(t)
	var got myriad.FleetStatus
	reply := w.do("GET", "/v1/fleet", "")
	if err := json.Unmarshal([]byte(reply.body), &got); err != nil || reply.status != 200 {
		t.Fatalf("%d %s: %v", reply.status, reply.body, err)
	}
	i, q := got.Instances[0], got.Queue[0]
	if !got.Enabled || got.InUse != 1 || i.State != myriad.InstanceReady || i.Usage.MemoryBytes != 9<<20 || i.Unenforced[0] != "cpu" || q.Position != 1 || q.Concept != "tax" {
		t.Errorf("got %+v", got)
	}
	w.fleet.status.Instances, w.fleet.status.Queue = nil, nil
	if body := w.do("GET", "/v1/fleet", "").body; !strings.Contains(body, `"instances":[],"queue":[]`) {
		t.Errorf("an empty fleet is %s", body)
	}
}

func TestInstancesAreSteered(t *testing.T) {
	w := newWorld(t)
	for _, action := range []string{"stop", "restart"} {
		if got := w.do("POST", "/v1/fleet/i1/"+action, ""); got.status != 204 || got.body != "" {
			t.Errorf("%s gave %d %s", action, got.status, got.body)
		}
		w.do("POST", "/v1/fleet/i2/"+action, "{}").problem(t, 404, myriad.CodeNotFound)
		w.do("GET", "/v1/fleet/i1/"+action, "").problem(t, 405, myriad.CodeMethod)
		// A page of another origin must not.
		w.do("POST", "/v1/fleet/i1/"+action, "", "Origin", "https://elsewhere.example").problem(t, 403, myriad.CodeForbidden)
	}
	if want := []string{"stop i1", "stop i2", "restart i1", "restart i2"}; !slices.Equal(w.fleet.asked, want) {
		t.Errorf("the fleet was asked %q", w.fleet.asked)
	}
}

// TestARepeatedStopIsDocumented: an instance that has stopped is not remembered, so who repeats a stop is told 404, and the document says what that means.
func TestARepeatedStopIsDocumented(t *testing.T) {
	w := newWorld(t)
	const path = "/v1/fleet/i1/stop"
	if got := w.do("POST", path, ""); got.status != 204 {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	w.fleet.status.Instances = nil // what is left of it
	w.do("POST", path, "").problem(t, 404, myriad.CodeNotFound)
	c := newContract(t, w.do("GET", "/openapi.json", "").body)
	op := dig(c.doc, "paths", "/v1/fleet/{instance}/stop", "post")
	if about, _ := dig(op, "responses", "404", "description").(string); !strings.Contains(about, "have stopped are not remembered") {
		t.Errorf("404 is %q", about)
	}
}

func TestLimitsChangeInPart(t *testing.T) {
	w := newWorld(t)
	before := w.fleet.status.Limits
	for _, body := range []string{`{}`, `{"instance":{}}`} {
		if got := w.do("PATCH", "/v1/fleet/limits", body); got.status != 200 || w.fleet.status.Limits != before {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
	}
	got := w.do("PATCH", "/v1/fleet/limits", `{"max_agents":2,"total_cpu":0,"min_life_ms":0,"instance":{"memory_bytes":67108864}}`)
	want := before
	want.MaxAgents, want.TotalCPU, want.MinLifeMS, want.Instance.MemoryBytes = 2, 0, 0, 64<<20
	var limits myriad.FleetLimits
	if err := json.Unmarshal([]byte(got.body), &limits); err != nil || limits != want || w.fleet.status.Limits != want {
		t.Errorf("%s: %v; want %+v", got.body, err, want)
	}
}

func TestLimitsThatCannotBe(t *testing.T) {
	w := newWorld(t)
	before := w.fleet.status.Limits
	for body, want := range map[string][]string{
		`{"max_agents":0,"max_queue":-1,"idle_timeout_ms":0,"max_age_ms":0,"queue_max_age_ms":0}`: {"max_agents", "idle_timeout_ms", "max_age_ms", "max_queue", "queue_max_age_ms"},
		`{"total_cpu":-1,"total_memory_bytes":-5,"min_life_ms":-1}`:                               {"total_cpu", "total_memory_bytes", "min_life_ms"},
		`{"instance":{"cpu":0,"memory_bytes":1024,"pids":0}}`:                                     {"instance.cpu", "instance.memory_bytes", "instance.pids"},
		`{"max_agent":3,"instance":{"gpu":1},"max_queue":"many"}`:                                 {"instance.gpu", "max_agent", "max_queue"},
		`{"max_agents":null,"instance":{"cpu":null}}`:                                             {"max_agents", "instance.cpu"},
		`{"instance":null}`:                         {"instance"},
		`{"instance":{"cpu":5}}`:                    {"instance.cpu"}, // over the total in force
		`{"total_cpu":0.25}`:                        {"instance.cpu"},
		`{"total_memory_bytes":1048576}`:            {"instance.memory_bytes"},
		`{"idle_timeout_ms":9223372036854775807}`:   {"idle_timeout_ms"},
		`{"max_agents":1.5}`:                        {"max_agents"},
		`{"max_agents":99999999999999999999999999}`: {"max_agents"},
		`[]`:              {""},
		`{"max_agents":3`: {""},
		`{"total_cpu":1,"instance":{"cpu":2,"pids":0}}`: {"instance.pids", "instance.cpu"},
	} {
		p := w.do("PATCH", "/v1/fleet/limits", body).problem(t, 400, myriad.CodeInvalid)
		if got := paths(p); !slices.Equal(got, want) {
			t.Errorf("%s: mistakes at %q, want %q", body, got, want)
		}
	}
	w.do("PATCH", "/v1/fleet/limits", `{}`, "Content-Type", "text/plain").problem(t, 415, myriad.CodeMediaType)
	if w.fleet.status.Limits != before {
		t.Errorf("limits are %+v", w.fleet.status.Limits)
	}
}

// TestRangesOfLimitsHaveUnits: a bare number would leave open whether it is bytes or MiB.
func TestRangesOfLimitsHaveUnits(t *testing.T) {
	w := newWorld(t)
	p := w.do("PATCH", "/v1/fleet/limits", `{"max_agents":0,"total_cpu":-1,"total_memory_bytes":-1,"idle_timeout_ms":0,"max_age_ms":0,"min_life_ms":-1,
		"max_queue":0,"queue_max_age_ms":0,"instance":{"cpu":0,"memory_bytes":1024,"pids":0}}`).problem(t, 400, myriad.CodeInvalid)
	const ms = "316224000000 milliseconds (1 ms and ten years)"
	want := []string{"1 and 1000000 instances", "0 and 1000000 cores (0 is no budget)", "0 and 1152921504606846976 bytes (0 is no budget, and 1 EiB)", "1 and " + ms, "1 and " + ms,
		"0 and 316224000000 milliseconds (0 and ten years)", "1 and 1000000 requests", "1 and " + ms, "0.001 and 1000000 cores",
		"6291456 and 1152921504606846976 bytes (6 MiB and 1 EiB)", "1 and 4194304 processes and threads"}
	if len(p.Mistakes) != len(want) {
		t.Fatalf("%+v", p.Mistakes)
	}
	for i, m := range p.Mistakes {
		if m.Rule != "must be within "+want[i] {
			t.Errorf("%s: %s", m.Path, m.Rule)
		}
	}
}

// TestWhateverIsAcceptedCanBe: limits that were accepted are in range, and let an instance start.
func TestWhateverIsAcceptedCanBe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := newFakeFleet().status.Limits
		var c FleetLimitsChange
		number := rapid.Int64Range(-2, 1<<40)
		draw := func(name string) *int64 { return rapid.Ptr(number, true).Draw(t, name) }
		c.TotalMemoryBytes, c.IdleTimeoutMS, c.MaxAgeMS = draw("memory"), draw("idle"), draw("age")
		c.TotalCPU = rapid.Ptr(rapid.Float64Range(-1, 100), true).Draw(t, "cpu")
		c.Instance = &InstanceLimitsChange{CPU: rapid.Ptr(rapid.Float64Range(-1, 100), true).Draw(t, "one cpu"), MemoryBytes: draw("one memory")}
		wrong := c.mistakes(now)
		c.apply(&now)
		fits := now.IdleTimeoutMS > 0 && now.MaxAgeMS > 0 && now.TotalCPU >= 0 && now.TotalMemoryBytes >= 0 && now.Instance.CPU >= 0.001 && now.Instance.MemoryBytes >= 6<<20 &&
			now.IdleTimeoutMS <= maxLimitMS && now.MaxAgeMS <= maxLimitMS &&
			(now.TotalCPU == 0 || now.Instance.CPU <= now.TotalCPU) && (now.TotalMemoryBytes == 0 || now.Instance.MemoryBytes <= now.TotalMemoryBytes)
		if fits != (len(wrong) == 0) {
			t.Fatalf("%+v: mistakes %v", now, wrong)
		}
	})
}

func TestServerWithoutAFleet(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Fleet = nil })
	var got myriad.FleetStatus
	if err := json.Unmarshal([]byte(w.do("GET", "/v1/fleet", "").body), &got); err != nil || got.Enabled || got.Instances == nil || got.Queue == nil {
		t.Errorf("%+v, %v", got, err)
	}
	w.do("POST", "/v1/fleet/i1/stop", "").problem(t, 501, myriad.CodeNotImplemented)
	w.do("POST", "/v1/fleet/i1/restart", "").problem(t, 501, myriad.CodeNotImplemented)
	w.do("PATCH", "/v1/fleet/limits", `{"max_agents":1}`).problem(t, 501, myriad.CodeNotImplemented)
	if body := w.do("GET", "/status", "").body; !strings.Contains(body, `"lifecycle_manager":"unavailable"`) {
		t.Errorf("status is %s", body)
	}
}

func TestStatusTellsOfTheFleet(t *testing.T) {
	for _, grows := range []bool{true, false} {
		w := newWorld(t, func(c *Config) { c.DynamicAgents = grows })
		body := w.do("GET", "/status", "").body
		if !strings.Contains(body, `"lifecycle_manager":"available"`) || !strings.Contains(body, fmt.Sprintf(`"dynamic_agents":"%v"`, grows)) {
			t.Errorf("status is %s", body)
		}
	}
}

// TestFleetEventsAreHeard: with the fields that each kind has, and no others.
func TestFleetEventsAreHeard(t *testing.T) {
	w := newWorld(t)
	events, _ := w.listen("")
	for _, c := range []struct {
		event myriad.Event
		want  string
	}{
		{myriad.Event{Kind: myriad.KindInstance, Agent: "a", Instance: "i", Runtime: "process", From: "starting", To: "ready", Duration: 21_500_000},
			`"agent":"a","instance":"i","runtime":"process","from":"starting","to":"ready","duration_ms":21.5}`},
		{myriad.Event{Kind: myriad.KindQueue}, `"count":0}`},
		{myriad.Event{Kind: myriad.KindQueue, Count: 3}, `"count":3}`},
		{myriad.Event{Kind: myriad.KindEvicted, Agent: "a", Instance: "i", Reason: "room for b"}, `"agent":"a","instance":"i","reason":"room for b"}`},
		{myriad.Event{Kind: myriad.KindNeurogenesis, Concept: "tax", Reason: myriad.StatusNeurogenesisAgent}, `"concept":"tax","reason":"` + myriad.StatusNeurogenesisAgent + `"}`},
		{myriad.Event{Kind: myriad.KindUnenforced, Agent: "a", Reason: "memory"}, `"agent":"a","reason":"memory"}`},
	} {
		c.event.At = noon
		w.api.Hub.Emit(c.event)
		e := events.next(t)
		if want := fmt.Sprintf(`{"kind":"%s","at":"2026-11-24T12:00:00Z",%s`, c.event.Kind, c.want); e.kind != string(c.event.Kind) || e.data != want {
			t.Errorf("got %s %s\nwant %s", e.kind, e.data, want)
		}
	}
}

// TestHubLeavesOtherEventsAlone: events that nobody can hear cost nothing.
func TestHubLeavesOtherEventsAlone(t *testing.T) {
	h := NewHub()
	if n := testing.AllocsPerRun(100, func() { h.Emit(myriad.Event{Kind: myriad.KindAttempt, Agent: "a", Count: 3}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestTemplatesAreJudgedAndGuarded: what makes the server run something needs the token wherever it comes from, and every mistake is named.
func TestTemplatesAreJudgedAndGuarded(t *testing.T) {
	w := newWorld(t)
	const command = `{"name":"S","concepts":["text"],"template":{"kind":"command","command":["python3","s.py"],"limits":{"cpu":0.5,"memory_bytes":67108864,"pids":16}}}`
	const image = `{"name":"S","concepts":["text"],"template":{"kind":"image","image":"registry.example/s:1","pull":"missing"}}`
	for _, body := range []string{command, image} {
		w.do("POST", "/v1/agents", body).problem(t, 401, myriad.CodeUnauthorized)
		w.do("PUT", "/v1/agents/S", body).problem(t, 401, myriad.CodeUnauthorized)
		w.do("PUT", "/v1/agents/S", body, "Authorization", "Bearer wrong").problem(t, 401, myriad.CodeUnauthorized)
		if got := w.do("PUT", "/v1/agents/S", body, "Authorization", "Bearer "+testToken); got.status > 201 {
			t.Errorf("%d %s", got.status, got.body)
		}
		w.do("DELETE", "/v1/agents/S", "")
	}
	for template, want := range map[string][]string{
		`{"kind":"shell"}`:   {"template.kind"},
		`{"kind":"command"}`: {"template.command"},
		`{"kind":"command","command":["x"],"mode":"cgi","image":"y"}`: {"template.mode", "template.image"},
		`{"kind":"command","command":"ls -l"}`:                        {"template.command"},
		`{"kind":"command","command":["x"],"env":{"A B":"1"},"pass_env":["9"],"limits":{"cpu":-1,"memory_bytes":-1,"pids":-1}}`: {"template.env", "template.pass_env[0]",
			"template.limits.cpu", "template.limits.memory_bytes", "template.limits.pids"},
		`{"kind":"command","command":["x"],"limits":{"memory_bytes":1}}`:              {"template.limits.memory_bytes"},
		`{"kind":"image","image":"x","limits":{"cpu":0.0001,"memory_bytes":6291455}}`: {"template.limits.cpu", "template.limits.memory_bytes"},
		`{"kind":"command","command":["x"],"dir":"scripts"}`:                          {"template.dir"},
		`{"kind":"image","image":"-x","dir":"/","port":70000}`:                        {"template.image", "template.dir", "template.port"},
		`{"kind":"knowledge"}`:                            {"template.knowledge"},
		`{"kind":"command","command":["x"],"shell":true}`: {"template.shell"},
	} {
		p := w.do("POST", "/v1/agents", `{"name":"S","concepts":["text"],"template":`+template+`}`, "Authorization", "Bearer "+testToken).problem(t, 400, myriad.CodeInvalid)
		if got := paths(p); !slices.Equal(got, want) {
			t.Errorf("%s: mistakes at %q, want %q", template, got, want)
		}
	}
}
