package processrt

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// pythonEcho is a script of five lines.
const pythonEcho = `import json, sys
for line in sys.stdin:
    job = json.loads(line)
    print(json.dumps({"task_id": job["task_id"], "status": "success", "data": job["args"]}))
`

// percentiles reports the middle and the end of how long something took.
func percentiles(b *testing.B, name string, took []time.Duration) {
	slices.Sort(took)
	at := func(q int) float64 { return float64(took[len(took)*q/100].Microseconds()) / 1000 }
	b.ReportMetric(at(50), name+"-p50-ms")
	b.ReportMetric(at(99), name+"-p99-ms")
}

// BenchmarkWake is from Start to the first answer of a new instance, beside the program's own bare start to its first answer.
func BenchmarkWake(b *testing.B) {
	script := filepath.Join(b.TempDir(), "echo.py")
	if err := os.WriteFile(script, []byte(pythonEcho), 0o600); err != nil {
		b.Fatal(err)
	}
	python := command(myriad.ModeStdio, "")
	python.Agent.Template.Command = []string{"python3", script}
	for _, c := range []struct {
		name   string
		packet myriad.Packet
		limits myriad.Limits
		off    bool
	}{
		{"go/limits", command(myriad.ModeStdio, "stdio"), myriad.Limits{CPU: 0.5, MemoryBytes: 256 << 20, PIDs: 128}, false},
		{"go/no cgroups", command(myriad.ModeStdio, "stdio"), myriad.Limits{}, true},
		{"go http/limits", command(myriad.ModeHTTP, "http"), myriad.Limits{CPU: 0.5, MemoryBytes: 256 << 20, PIDs: 128}, false},
		{"python/limits", python, myriad.Limits{CPU: 0.5, MemoryBytes: 256 << 20, PIDs: 128}, false},
		{"python/no cgroups", python, myriad.Limits{}, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			if _, err := exec.LookPath(c.packet.Agent.Template.Command[0]); err != nil {
				b.Skip(err)
			}
			r := newRig(b, Config{NoCgroups: c.off})
			var woken, stopped []time.Duration
			for b.Loop() {
				req := r.request(c.packet)
				req.Limits = c.limits
				began := time.Now()
				i := r.begin(req)
				soonFast(b, i)
				works(b, i)
				woken = append(woken, time.Since(began))
				began = time.Now()
				stop(b, i, patience)
				stopped = append(stopped, time.Since(began))
			}
			percentiles(b, "wake", woken)
			percentiles(b, "stop", stopped)
			if c.packet.Agent.Template.Mode == myriad.ModeStdio {
				percentiles(b, "bare", bareStarts(b, r, c.packet, len(woken)))
			}
		})
	}
}

// soonFast waits for readiness as a fleet does, fast at first.
func soonFast(b *testing.B, i myriad.Instance) {
	for pause := 200 * time.Microsecond; i.Ready(b.Context()) != nil; pause = min(2*pause, 2*time.Millisecond) {
		select {
		case <-i.Exited():
			b.Fatal(i.Err(), i.LastLog())
		case <-time.After(pause):
		}
	}
}

// bareStarts runs the program with nothing of ours around it, one line in, one line out.
func bareStarts(b *testing.B, r *rig, p myriad.Packet, n int) (took []time.Duration) {
	b.Helper()
	i := newInstance(r.Runtime, r.request(p))
	prog, err := i.resolve(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for range max(n, 1) {
		began := time.Now()
		cmd := exec.Command(prog.path, prog.argv[1:]...)
		cmd.Env = prog.env
		in, err := cmd.StdinPipe()
		if err != nil {
			b.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		fmt.Fprintln(in, `{"task_id":1,"args":{"x":1}}`)
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
		_ = in.Close()
		_ = cmd.Wait()
	}
	return took
}

// BenchmarkJob is one job to a worker that is warm, through the gate and back.
func BenchmarkJob(b *testing.B) {
	r := newRig(b, Config{})
	i := r.awake(command(myriad.ModeStdio, "stdio"))
	b.ReportAllocs()
	for b.Loop() {
		works(b, i)
	}
}
