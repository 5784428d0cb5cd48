package inprocrt

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
)

// reached is where an instance is, and what answers there in this process.
func reached(t *testing.T, r *Runtime, i myriad.Instance) (*url.URL, http.Handler) {
	t.Helper()
	u, err := url.Parse(i.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	return u, r.Local(u)
}

func TestAKnowledgeAgentAnswersInThisProcess(t *testing.T) {
	r := opened(t, Config{})
	i := started(t, r, "one", tides("factbase_basic"))
	u, h := reached(t, r, i)
	if h == nil {
		t.Fatal("nothing answers at", u)
	}
	status, out, near := ask(t, h, u.Path, `{"task_id":"1","concept":"Tidal Power","intent":"define"}`)
	if status != http.StatusOK || out["data"] != "energy taken from the tides" {
		t.Errorf("HTTP %d %v", status, out)
	}
	if _, far := exchange(t, i.Endpoint(), `{"task_id":"1","concept":"Tidal Power","intent":"define"}`, nil); far != near {
		t.Errorf("over the network: %s, in this process: %s", far, near)
	}
	health := *u
	health.Path = "/one/health"
	if status, out, _ := ask(t, r.Local(&health), health.Path, ""); status != http.StatusOK || out["nonce"] != "nonce-one" {
		t.Errorf("HTTP %d %v", status, out)
	}
}

func TestOnlyKnowledgeAgentsAnswerInThisProcess(t *testing.T) {
	r := opened(t, Config{})
	if h := r.Local(&url.URL{Scheme: "http", Host: "127.0.0.1:1", Path: "/one/query"}); h != nil {
		t.Error("nothing was started yet, and yet something answers")
	}
	u, _ := reached(t, r, started(t, r, "one", tides("factbase_basic")))
	for _, other := range []string{"http://127.0.0.1:1/one/query", "http://" + u.Host + "/two/query", "http://" + u.Host + "/", "http://" + u.Host} {
		if elsewhere, err := url.Parse(other); err != nil || r.Local(elsewhere) != nil {
			t.Errorf("%s is answered here", other)
		}
	}
	code := handler(t, r, func(http.ResponseWriter, *http.Request) {})
	if _, h := reached(t, r, code); h != nil {
		t.Error("a Go handler, which may take its time, is called by whoever asks")
	}
}

// TestStopAndAskingInThisProcess has an instance that ends refuse like one over the network.
func TestStopAndAskingInThisProcess(t *testing.T) {
	r := opened(t, Config{})
	i := started(t, r, "one", tides("factbase_basic"))
	u, h := reached(t, r, i)
	if err := i.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r.Local(u) != nil {
		t.Error("an instance that has ended still answers")
	}
	status, out, _ := ask(t, h, u.Path, `{"intent":"define"}`) // whoever looked it up before
	if text, _ := out["message"].(string); status != http.StatusServiceUnavailable || !strings.Contains(text, "not here any more") {
		t.Errorf("HTTP %d %v", status, out)
	}
}
