//go:build unix

package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// reload has the server read its agents file again.
func (p *served) reload(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.reloaded:
	case <-time.After(longest):
		t.Fatalf("the agents file is not read again:\n%s", p.said())
	}
}

// stop ends the server in order.
func (p *served) stop(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.drain.Wait()
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the server does not end in order: %v\n%s", err, p.said())
	}
}

// running says whether there is a process of that number.
func running(pid int) bool {
	return !errors.Is(syscall.Kill(pid, 0), os.ErrProcessDone) && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

// TestAgentsFileWithPrograms: an instance of a declaration that changed is replaced, one whose declaration is gone is stopped, one whose declaration is
// the same works on.
func TestAgentsFileWithPrograms(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "agents.yaml")
	write := func(says map[string]string) {
		t.Helper()
		text := "agents:\n"
		for _, name := range slices.Sorted(maps.Keys(says)) {
			text += fmt.Sprintf("  - {name: %s, concepts: [%s], intents: [do], template: {kind: command, command: [%q], env: {%s: stdio, SAYS: %s}}}\n", name, strings.ToLower(name), exe, roleEnv, says[name])
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(map[string]string{"Same": "always", "Changes": "before", "Goes": "farewell"})
	p := startProgram(t, t.TempDir(), "--agents", file)
	says := func(concept string) (string, int) {
		t.Helper()
		a := answerOf(t, mustOne(t, p.client, concept, "do", nil))
		return a.Says, a.PID
	}
	word, changes := says("changes")
	_, same := says("same")
	_, goes := says("goes")
	if word != "before" {
		t.Fatalf("it says %q", word)
	}
	write(map[string]string{"Same": "always", "Changes": "after"})
	p.reload(t)
	eventually(t, func() (bool, string) {
		word, pid := says("changes")
		_, err := p.client.Agent(t.Context(), "Goes")
		f := fleetOf(t, p.client)
		_, alive := livingOf(f, "Goes")
		return word == "after" && pid != changes && myriad.ErrorCode(err) == myriad.CodeNotFound && !alive, fmt.Sprintf("%s %d, %v, %+v", word, pid, err, f)
	})
	if _, pid := says("same"); pid != same {
		t.Errorf("an agent whose declaration is the same was started again: %d, before %d", pid, same)
	}
	if r := one(t, p.client, "goes", "do", nil); r.Succeeded {
		t.Errorf("an agent that is gone answers: %s", r.AppendJSON(nil))
	}
	eventually(t, func() (bool, string) {
		return !running(changes) && !running(goes), fmt.Sprintf("processes %d and %d end", changes, goes)
	})
	p.stop(t)
	eventually(t, func() (bool, string) { return !running(same), fmt.Sprintf("process %d ends", same) })
}

// TestSecondServerLeavesTheFirstAlone: it says why it does not start, and the agents of the first work on.
func TestSecondServerLeavesTheFirstAlone(t *testing.T) {
	p := startProgram(t, t.TempDir())
	put(t, p.owner, program(t, "Steady_AI", "steadiness", myriad.ModeStdio, "stdio"))
	before := answerOf(t, mustOne(t, p.client, "steadiness", "do", nil))
	code, out := runProgram(t, "serve", "--data", p.data, "--listen", "127.0.0.1:0")
	if code != exitFailed || !strings.Contains(out, p.data) || !strings.Contains(out, "another") {
		t.Errorf("a second server on %s: exit code %d\n%s", p.data, code, out)
	}
	if after := answerOf(t, mustOne(t, p.client, "steadiness", "do", nil)); after.PID != before.PID {
		t.Errorf("the second server ended an agent of the first: %+v, before %+v", after, before)
	}
	p.stop(t)
}
