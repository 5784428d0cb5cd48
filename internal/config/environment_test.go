package config

import (
	"strings"
	"testing"
)

// TestMisspeltVariables: what looks like ours and is none is a mistake that names what may have been meant.
func TestMisspeltVariables(t *testing.T) {
	_, err := load(t, map[string]string{"MYRIAD_RUN_TIMOUT": "5s", "MYRIAD_SLOT_TOTAL": "9", "MYRIADE_DATA": "x", "OTHER_RUN_TIMEOUT": "x"}, "")
	got := mistakesOf(t, err)
	if len(got) != 2 || !strings.Contains(got[0], "MYRIAD_RUN_TIMOUT") || !strings.HasSuffix(got[0], "MYRIAD_RUN_TIMEOUT") ||
		!strings.Contains(got[1], "MYRIAD_SLOT_TOTAL") || !strings.HasSuffix(got[1], "MYRIAD_SLOTS_TOTAL") {
		t.Errorf("mistakes %q", got)
	}
}

// TestVariablesThatAreNoKeys: those of clients and of started agents, and what Kubernetes tells of services.
func TestVariablesThatAreNoKeys(t *testing.T) {
	env := map[string]string{}
	for _, name := range otherVariables {
		env[name] = "x"
	}
	for _, link := range []string{"SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_5000_TCP", "PORT_5000_TCP_ADDR", "GRAPH_SERVICE_HOST",
		"GRAPH_PORT_53_UDP_PROTO"} {
		env["MYRIAD_"+link] = "tcp://10.0.0.1:5000"
	}
	if _, err := load(t, env, ""); err != nil {
		t.Error(err)
	}
	if _, err := load(t, map[string]string{"MYRIAD_EXPORT": "x", "MYRIAD_PORT_5000": "x"}, ""); len(mistakesOf(t, err)) != 2 {
		t.Errorf("got %v", err)
	}
}

func TestEdits(t *testing.T) {
	for pair, want := range map[[2]string]int{{"", ""}: 0, {"", "abc"}: 3, {"abc", ""}: 3, {"kitten", "sitting"}: 3, {"total", "totla"}: 2, {"same", "same"}: 0} {
		if got := edits(pair[0], pair[1]); got != want {
			t.Errorf("%q: %d, want %d", pair, got, want)
		}
	}
}
