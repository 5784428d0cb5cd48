// Command agent is what tests run in containers. AGENT says how it behaves.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/myriad-mind/myriad/agent"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "sleep" {
		time.Sleep(time.Hour)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go sayUser()
	switch os.Getenv("AGENT") {
	case "dead":
		fmt.Println("dead on arrival")
		os.Exit(3)
	case "never":
		<-ctx.Done()
		return
	case "imposter":
		must(os.Setenv("MYRIAD_NONCE", "another-instance"))
	case "deaf":
		ctx = context.WithoutCancel(ctx) // the signal is taken, and nothing comes of it
	case "plain":
		plain(ctx)
		return
	}
	a := agent.New("contained").Handle(agent.Any, agent.Any, answer)
	must(a.ListenAndServe(ctx, net.JoinHostPort("0.0.0.0", os.Getenv("PORT"))))
}

// sayUser tells of a signal that only images ask for, and ends.
func sayUser() {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGUSR1)
	fmt.Println("stopped by", <-told)
	os.Exit(0)
}

// plain is an agent that knows nothing of nonces, written without the SDK.
func plain(ctx context.Context) {
	mux := http.NewServeMux()
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "fine") })
	mux.HandleFunc("/query", func(w http.ResponseWriter, r *http.Request) {
		var job struct{ Args json.RawMessage }
		_ = json.NewDecoder(r.Body).Decode(&job)
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": job.Args})
	})
	srv := &http.Server{Addr: ":" + os.Getenv("PORT"), Handler: mux}
	context.AfterFunc(ctx, func() { _ = srv.Close() })
	_ = srv.ListenAndServe()
}

// args are the wishes that a job may have.
type args struct {
	SleepMS int    `json:"sleep_ms"`
	Crash   bool   `json:"crash"`
	Line    string `json:"line"`
	Times   int    `json:"times"`
	Probe   string `json:"probe"`
	Bytes   int    `json:"bytes"`
}

func answer(ctx context.Context, job agent.Job) (any, error) {
	var a args
	if err := job.Bind(&a); err != nil {
		return nil, err
	}
	if a.Crash {
		os.Exit(1)
	}
	for range max(a.Times, 1) {
		if a.Line != "" {
			fmt.Fprintln(os.Stderr, a.Line)
		}
	}
	if a.SleepMS > 0 {
		if os.Getenv("AGENT") == "deaf" {
			ctx = context.WithoutCancel(ctx)
		}
		select {
		case <-time.After(time.Duration(a.SleepMS) * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if a.Probe != "" {
		return probe(a)
	}
	return job.Args, nil
}

// probe says what the container lets its agent do.
func probe(a args) (any, error) {
	switch a.Probe {
	case "cage":
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			return nil, err
		}
		words := map[string]string{}
		for line := range strings.Lines(string(status)) {
			if name, value, ok := strings.Cut(line, ":"); ok {
				words[name] = strings.TrimSpace(value)
			}
		}
		words["root"] = written("/x")
		words["tmp"] = written("/tmp/x")
		words["env"] = strings.Join(os.Environ(), "\n")
		return words, nil
	case "fill": // /tmp, until it is full
		n, err := fill("/tmp/fill", a.Bytes)
		return map[string]any{"written": n, "error": fmt.Sprint(err)}, nil
	case "eat": // memory, which a limit ends
		eaten := make([]byte, a.Bytes)
		for i := 0; i < len(eaten); i += 4096 {
			eaten[i] = 1
		}
		return len(eaten), nil
	case "fork": // processes, until one is refused
		var started []*exec.Cmd
		defer func() {
			for _, c := range started {
				_ = c.Process.Kill()
				_ = c.Wait()
			}
		}()
		for range a.Times {
			c := exec.Command("/proc/self/exe", "sleep")
			if err := c.Start(); err != nil {
				return map[string]any{"started": len(started), "error": err.Error()}, nil
			}
			started = append(started, c)
		}
		return map[string]any{"started": len(started), "error": ""}, nil
	}
	return nil, agent.CallerError{Message: "no such probe"}
}

func fill(path string, bytes int) (n int, err error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer os.Remove(path)
	defer f.Close()
	for chunk := make([]byte, 64<<10); n < bytes; {
		w, err := f.Write(chunk)
		n += w
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func written(path string) string {
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		return err.Error()
	}
	return "written"
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
