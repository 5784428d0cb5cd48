package processrt

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
)

// TestEnvironment: of the server's own environment a child sees only what is named.
func TestEnvironment(t *testing.T) {
	t.Setenv("LC_TESTING", "c")
	t.Setenv("TZ", "UTC")
	t.Setenv("SECRET", "secret")
	t.Setenv("WANTED", "wanted")
	t.Setenv("MYRIAD_TOKEN", "token")
	for _, mode := range []string{myriad.ModeStdio, myriad.ModeExec, myriad.ModeHTTP} {
		t.Run(mode, func(t *testing.T) {
			r := newRig(t, Config{})
			p := command(mode, mode)
			p.Agent.Template.PassEnv = []string{"WANTED", "ABSENT"}
			p.Agent.Template.Env["OWN"] = "x=y z"
			p.Agent.Template.Env["MYRIAD_OWNER"] = "somebody else"
			p.Agent.Template.Env["PORT"] = "1"
			req := r.request(p)
			i := r.begin(req)
			soon(t, "ready", func() bool { return i.Ready(t.Context()) == nil })
			env := map[string]string{}
			for _, pair := range job1(t, i, `{"do":"environ"}`).data().([]any) {
				name, value, _ := strings.Cut(fmt.Sprint(pair), "=")
				if _, twice := env[name]; twice {
					t.Errorf("%s is set twice", name)
				}
				env[name] = value
			}
			for name, want := range map[string]string{"LC_TESTING": "c", "TZ": "UTC", "WANTED": "wanted", "OWN": "x=y z", "PATH": os.Getenv("PATH"),
				"PYTHONUNBUFFERED": "1", "MYRIAD_AGENT": "Tester", "MYRIAD_NONCE": req.Nonce, "MYRIAD_OWNER": r.owner, "MYRIAD_INSTANCE": req.InstanceID} {
				if env[name] != want {
					t.Errorf("%s is %q, want %q", name, env[name], want)
				}
			}
			known := []string{"LC_TESTING", "TZ", "WANTED", "OWN", "PATH", "HOME", "LANG", "TMPDIR", "PYTHONUNBUFFERED", "MYRIAD_AGENT", "MYRIAD_NONCE",
				"MYRIAD_OWNER", "MYRIAD_INSTANCE", "MYRIAD_WORKER", "PORT", roleVariable, "GOMAXPROCS", "GORACE", envDeadline}
			for name := range env {
				if !slices.Contains(known, name) && !strings.HasPrefix(name, "LC_") && runtime.GOOS != "windows" {
					t.Errorf("%s reaches the child", name)
				}
			}
			if mode == myriad.ModeHTTP && (env["PORT"] == "1" || env["PORT"] == "") {
				t.Errorf("PORT is %q", env["PORT"])
			}
		})
	}
}

func TestExecHeaders(t *testing.T) {
	r := newRig(t, Config{})
	a := job1(t, r.start(command(myriad.ModeExec, "exec")), `{"do":"environ"}`, "X-Myriad-Deadline-Ms", "9000", "Idempotency-Key", "the key", "Traceparent", "00-1-2-01")
	for _, want := range []string{`"MYRIAD_DEADLINE_MS=8`, `"MYRIAD_IDEMPOTENCY_KEY=the key"`, `"TRACEPARENT=00-1-2-01"`} {
		if !a.says(want) {
			t.Errorf("%s is not in %s", want, a.raw)
		}
	}
}

// TestLook finds programs where a person would expect them, and not where the server happens to stand.
func TestLook(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("what is executable is told by its name there")
	}
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"a/tool": 0o755, "b/tool": 0o755, "b/other": 0o755, "a/other": 0o644} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(filepath.Join(dir, "b"))
	path := filepath.Join(dir, "a") + ":relative::" + filepath.Join(dir, "b")
	for _, c := range []struct{ name, dir, want string }{
		{"tool", "", "a/tool"},
		{"other", "", "b/other"}, // the first is not executable
		{"./tool", filepath.Join(dir, "a"), "a/tool"},
		{"a/tool", dir, "a/tool"},
		{"./tool", "", "b/tool"},
		{filepath.Join(dir, "b/tool"), filepath.Join(dir, "a"), "b/tool"},
		{"absent", "", ""},
		{"./other", filepath.Join(dir, "a"), ""},
	} {
		got, err := look(c.name, c.dir, path)
		want := c.want
		if want != "" {
			want = filepath.Join(dir, want)
		}
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s from %q: %q, %v; want %q", c.name, c.dir, got, err, want)
		}
	}
}

// TestPyenvShim resolves the wrapper of the version manager, and nothing that only looks like one.
func TestPyenvShim(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the wrapper is a shell script")
	}
	dir := t.TempDir()
	put := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		return file
	}
	real := put("versions/3/bin/snake", "#!/bin/sh\necho \"[\\\"$0\\\",\\\"$1\\\"]\"\n")
	manager := put("libexec/pyenv", "#!/bin/sh\n[ \"$1 $2\" = 'which snake' ] && echo "+real+"\n")
	wrapper := "#!/usr/bin/env bash\nset -e\nprogram=\"${0##*/}\"\nexec \"" + manager + "\" exec \"$program\" \"$@\"\n"
	put("shims/snake", wrapper)
	put("shims/worm", wrapper)
	put("shims/script", "#!/bin/sh\n# "+manager+"\n")
	var s shims
	for name, want := range map[string]string{"snake": real, "worm": "", "script": ""} {
		for range 2 { // the second time from memory
			if got := s.target(t.Context(), program{path: filepath.Join(dir, "shims", name), dir: dir}); got != want {
				t.Errorf("%s stands for %q, want %q", name, got, want)
			}
		}
	}
	r := newRig(t, Config{})
	p := command(myriad.ModeExec, "")
	p.Agent.Template.Command = []string{"snake", "one argument; no shell"}
	p.Agent.Template.Env = map[string]string{"PATH": filepath.Join(dir, "shims") + ":" + os.Getenv("PATH")}
	if a := job1(t, r.start(p), `{}`); fmt.Sprint(a.data()) != fmt.Sprint([]any{real, "one argument; no shell"}) {
		t.Errorf("it ran %s", a.raw)
	}
}

func TestStartRefuses(t *testing.T) {
	r := newRig(t, Config{})
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte("no program"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*myriad.StartRequest, *myriad.Template){
		"no program":        func(_ *myriad.StartRequest, t *myriad.Template) { t.Command = []string{"no-such-program"} },
		"not executable":    func(_ *myriad.StartRequest, t *myriad.Template) { t.Command = []string{file} },
		"no folder":         func(_ *myriad.StartRequest, t *myriad.Template) { t.Dir = file + "/none" },
		"a relative folder": func(_ *myriad.StartRequest, t *myriad.Template) { t.Dir = "." },
		"a file for folder": func(_ *myriad.StartRequest, t *myriad.Template) { t.Dir = file },
		"another mode":      func(_ *myriad.StartRequest, t *myriad.Template) { t.Mode = "pigeon" },
		"another kind":      func(_ *myriad.StartRequest, t *myriad.Template) { t.Kind = myriad.TemplateImage },
		"an id that climbs": func(q *myriad.StartRequest, _ *myriad.Template) { q.InstanceID = "../up" },
		"no id":             func(q *myriad.StartRequest, _ *myriad.Template) { q.InstanceID = "" },
		"no owner":          func(q *myriad.StartRequest, _ *myriad.Template) { q.OwnerID = "" },
		"a zero byte":       func(_ *myriad.StartRequest, t *myriad.Template) { t.Command = append(t.Command, "a\x00b") },
	} {
		for _, mode := range []string{myriad.ModeStdio, myriad.ModeExec, myriad.ModeHTTP} {
			p := command(mode, mode)
			req := r.request(p)
			spoil(&req, p.Agent.Template)
			i, err := r.Start(t.Context(), req)
			if i != nil || myriad.ErrorCode(err) != myriad.CodeInvalid {
				t.Errorf("%s, %s: %v", name, mode, err)
			}
		}
	}
	if _, err := New(Config{}); myriad.ErrorCode(err) != myriad.CodeInvalid {
		t.Errorf("a runtime without a folder: %v", err)
	}
}
