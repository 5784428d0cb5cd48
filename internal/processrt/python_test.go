package processrt

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/myriad-mind/myriad"
)

// Scripts as people write them.
var pythonScripts = map[string]string{
	myriad.ModeStdio: `import json, sys
for line in sys.stdin:
    job = json.loads(line)
    print(json.dumps({"words": len(job["args"]["text"].split())}))
`,
	myriad.ModeExec: `import json, sys
job = json.load(sys.stdin)
print(json.dumps({"words": len(job["args"]["text"].split())}))
`,
	myriad.ModeHTTP: `import json, os
from http.server import BaseHTTPRequestHandler, HTTPServer

class Agent(BaseHTTPRequestHandler):
    def do_POST(self):
        job = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = {"agent_name": "Tester", "status": "success", "data": {"words": len(job["args"]["text"].split())}}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Agent).serve_forever()
`,
}

// TestPython: a script of a few lines is an agent in every mode; in the mode http it needs no /health of its own where its socket tells.
func TestPython(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not here")
	}
	for mode, text := range pythonScripts {
		t.Run(mode, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "words.py"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			r := newRig(t, Config{})
			p := command(mode, "")
			p.Agent.Template.Command, p.Agent.Template.Dir = []string{"python3", "words.py"}, dir
			i := r.start(p)
			if mode == myriad.ModeHTTP && !seesProcesses {
				t.Skip("without a nonce it cannot be told here who listens")
			}
			soon(t, "ready", func() bool { return i.Ready(t.Context()) == nil })
			for range 3 {
				if a := job1(t, i, `{"text":"three words here"}`); fmt.Sprint(a.data()) != "map[words:3]" || a.body["agent_name"] != "Tester" {
					t.Errorf("HTTP %d %s", a.status, a.raw)
				}
			}
		})
	}
}
