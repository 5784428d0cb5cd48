package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

func hostPacket(t *testing.T) string {
	t.Helper()
	raw, err := json.Marshal(myriad.Packet{Revision: 3, Agent: myriad.Agent{Name: "Tides", Concepts: []string{"tides"}, Template: &myriad.Template{
		Kind: myriad.TemplateKnowledge, Knowledge: &myriad.Knowledge{Concept: "tides", PrimaryDefinition: "the rise and fall of the sea", ConfidenceScore: 0.9},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestHost runs the command as a container does: with the packet, the port and the nonce in its environment, until it is asked to end.
func TestHost(t *testing.T) {
	file := filepath.Join(t.TempDir(), "packet.json")
	if err := os.WriteFile(file, []byte(hostPacket(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, env := range map[string][2]string{"environment": {"MYRIAD_PACKET", hostPacket(t)}, "file": {"MYRIAD_PACKET_FILE", file}} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(env[0], env[1])
			t.Setenv("MYRIAD_NONCE", "n-1")
			base, end := runHost(t, "agent Tides, revision 3,")
			defer end()
			if body := fetched(t, http.MethodGet, base+"/health", ""); !strings.Contains(body, `"nonce":"n-1"`) {
				t.Errorf("/health does not prove the instance: %s", body)
			}
			body := fetched(t, http.MethodPost, base+"/query", `{"task_id":"t","concept":"tides","intent":"define","args":{}}`)
			if !strings.Contains(body, "rise and fall of the sea") {
				t.Errorf("the answer is %s", body)
			}
		})
	}
}

// runHost runs the command until end, which wants it to end in order; greeting is what its first line begins with.
func runHost(t *testing.T, greeting string) (base string, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, w := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- execute(ctx, []string{"host", "--listen", "127.0.0.1:0"}, strings.NewReader(""), w, w)
		_ = w.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), greeting+" listens at ")
	if err != nil || !ok {
		t.Fatalf("the host says %q, %v", line, err)
	}
	return "http://" + address, func() {
		t.Helper()
		cancel()
		select {
		case got := <-code:
			if got != exitOK {
				t.Errorf("exit code %d", got)
			}
		case <-time.After(30 * time.Second):
			t.Error("the host does not end")
		}
	}
}

// exchanged sends a body of JSON on a connection of its own, and gives what came back.
func exchanged(method, url, body string) (resp *http.Response, reply string, err error) {
	req, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Close = true
	if resp, err = http.DefaultClient.Do(req); err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp, string(raw), err
}

// fetched is exchanged for those who cannot do without the reply.
func fetched(t *testing.T, method, url, body string) string {
	t.Helper()
	resp, reply, err := exchanged(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("HTTP %d: %s", resp.StatusCode, reply)
	}
	return reply
}

// TestHostRefuses what it cannot host, and says why.
func TestHostRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct{ name, packet, file, says string }{
		{"nothing", "", "", "MYRIAD_PACKET"},
		{"no JSON", "{", "", "holds no packet"},
		{"no knowledge", `{"agent":{"name":"x","concepts":["y"]}}`, "", "no knowledge"},
		{"no such file", "", filepath.Join(t.TempDir(), "absent"), "absent"},
		{"a port that is taken", hostPacket(t), "", "listen"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("MYRIAD_PACKET", c.packet)
			t.Setenv("MYRIAD_PACKET_FILE", c.file)
			code, _, errOut := command(t, "", "host", "--listen", taken.Addr().String())
			if code == exitOK || !strings.Contains(errOut, c.says) {
				t.Errorf("exit code %d: %s", code, errOut)
			}
		})
	}
}

// TestHostRetires: before its container goes the host says what its agent was told, and from then on refuses to be told more.
func TestHostRetires(t *testing.T) {
	var p myriad.Packet
	if err := json.Unmarshal([]byte(hostPacket(t)), &p); err != nil {
		t.Fatal(err)
	}
	for _, lessons := range []int{0, 2} {
		h, err := newHosted(p, "n-1")
		if err != nil {
			t.Fatal(err)
		}
		srv := httptest.NewServer(h)
		defer srv.Close()
		for n := range lessons {
			if !lectured(t, srv.URL+"/query", fmt.Sprint("subject", n), "a lesson") {
				t.Fatal("refused too early")
			}
		}
		for range 2 { // asking twice changes nothing
			resp, body, err := exchanged(http.MethodPost, srv.URL+"/retire", "")
			if err != nil {
				t.Fatal(err)
			}
			status := resp.StatusCode
			if lessons == 0 {
				if status != http.StatusNoContent || body != "" {
					t.Errorf("nothing was learned: HTTP %d %s", status, body)
				}
				continue
			}
			var said struct {
				Nonce     string
				Knowledge myriad.Knowledge
			}
			if err := json.Unmarshal([]byte(body), &said); err != nil || status != http.StatusOK || said.Nonce != "n-1" || len(said.Knowledge.Learned) != lessons || said.Knowledge.Concept != "tides" {
				t.Errorf("HTTP %d %s", status, body)
			}
		}
		if lectured(t, srv.URL+"/query", "subject", "too late") {
			t.Error("a lesson that would go with the container was taken")
		}
		if body := fetched(t, http.MethodPost, srv.URL+"/query", `{"concept":"tides","intent":"define"}`); !strings.Contains(body, "rise and fall") {
			t.Errorf("jobs are still answered: %s", body)
		}
	}
}
