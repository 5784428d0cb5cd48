package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/myriad-mind/myriad/client"
)

// served is a server in a process of its own, which is the test's executable in the role of the program.
type served struct {
	cmd           *exec.Cmd
	data, url     string
	client, owner *client.Client // the latter has the token
	reloaded      chan struct{}  // the agents file was read again
	drain         sync.WaitGroup

	mu  sync.Mutex
	log bytes.Buffer // guarded by mu
}

// programCommand is the program with arguments. It is killed with the test, if it is there.
func programCommand(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), roleEnv+"=myriad")
	return cmd
}

// runProgram runs the program to its end.
func runProgram(t testing.TB, args ...string) (code int, out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	cmd := programCommand(t, args...)
	cmd = exec.CommandContext(ctx, cmd.Path, cmd.Args[1:]...)
	cmd.Env = append(os.Environ(), roleEnv+"=myriad")
	raw, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	} else if ok {
		code = exit.ExitCode()
	}
	return code, string(raw)
}

// startProgram starts a server and waits until it is ready.
func startProgram(t testing.TB, data string, args ...string) *served {
	t.Helper()
	return startServed(t, programCommand(t, append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--log-format", "json"}, args...)...), data)
}

func startServed(t testing.TB, cmd *exec.Cmd, data string) *served {
	t.Helper()
	p := &served{cmd: cmd, data: data, reloaded: make(chan struct{}, 10)}
	errOut, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.kill() })
	ready := make(chan string, 1)
	p.drain.Go(func() { p.follow(bufio.NewScanner(errOut), ready) })
	url, ok := <-ready
	if !ok {
		t.Fatalf("the server does not start:\n%s", p.said())
	}
	p.url = url
	if p.client, err = client.New(client.Config{Server: url}); err != nil {
		t.Fatal(err)
	}
	p.owner = ownerOf(t, url, data)
	return p
}

// follow reads the log to its end. ready gets the server's URL, or is closed.
func (p *served) follow(lines *bufio.Scanner, ready chan<- string) {
	defer close(ready)
	for lines.Scan() {
		p.mu.Lock()
		p.log.Write(append(lines.Bytes(), '\n'))
		p.mu.Unlock()
		var line struct{ Msg, URL string }
		_ = json.Unmarshal(lines.Bytes(), &line)
		switch line.Msg {
		case "ready":
			ready <- line.URL
		case "agents file read again":
			p.reloaded <- struct{}{}
		}
	}
}

func (p *served) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// kill ends the server without a word. It is harmless when it has ended.
func (p *served) kill() {
	_ = p.cmd.Process.Kill() // gone is what was asked for
	p.drain.Wait()
	_ = p.cmd.Wait() // it says that it was killed
	if p.client != nil {
		p.client.Close()
	}
}
