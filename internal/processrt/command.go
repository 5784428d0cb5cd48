package processrt

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/myriad-mind/myriad"
)

// The names of what is set for every child.
const (
	envOwner    = "MYRIAD_OWNER"
	envInstance = "MYRIAD_INSTANCE"
	envWorker   = "MYRIAD_WORKER"
)

// program is what a template's command comes to on this machine.
type program struct {
	path string   // of the executable, absolute
	argv []string // argv[0] included
	dir  string
	env  []string
}

// resolve finds the program of the instance and makes the environment of its children.
func (i *instance) resolve(ctx context.Context) (program, error) {
	env := i.environment()
	p := program{argv: slices.Clone(i.template.Command), env: flatten(env)}
	if i.template.Dir != "" {
		if !filepath.IsAbs(i.template.Dir) && !strings.HasPrefix(i.template.Dir, "/") { // where the server was started must not matter
			return p, myriad.Errorf(myriad.CodeInvalid, "start of %s: its folder %q is no whole path", i.agent, i.template.Dir)
		}
		dir, err := filepath.Abs(i.template.Dir)
		if err != nil {
			return p, fmt.Errorf("start of %s: its folder: %w", i.agent, err)
		}
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return p, myriad.Errorf(myriad.CodeInvalid, "start of %s: there is no folder %s", i.agent, dir)
		}
		p.dir = dir
	}
	path, err := look(p.argv[0], p.dir, env["PATH"])
	if err != nil {
		return p, myriad.Errorf(myriad.CodeInvalid, "start of %s: %w", i.agent, err)
	}
	p.path = path
	if target := i.rt.shims.target(ctx, p); target != "" {
		p.path, p.argv[0] = target, target
	}
	return p, nil
}

// look finds an executable: a bare name in the folders of path, a relative one from dir.
func look(name, dir, path string) (string, error) {
	if strings.ContainsRune(name, '/') || strings.ContainsRune(name, filepath.Separator) || filepath.IsAbs(name) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		whole, err := filepath.Abs(name)
		if err == nil {
			whole, err = exec.LookPath(whole)
		}
		if err != nil {
			return "", fmt.Errorf("the program cannot be run: %w", err)
		}
		return whole, nil
	}
	for _, folder := range filepath.SplitList(path) {
		if !filepath.IsAbs(folder) {
			continue // what runs must not depend on where the server was started
		}
		if found, err := exec.LookPath(filepath.Join(folder, name)); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("no program %q in PATH", name)
}

// passed are the variables that reach every child from the server's environment, besides LC_*.
var passed = []string{"PATH", "HOME", "LANG", "TZ", "TMPDIR"}

// passedWindows are those without which programs do not start there.
var passedWindows = []string{"SystemRoot", "SystemDrive", "ComSpec", "PATHEXT", "TEMP", "TMP", "USERPROFILE"}

// environment is what a child sees: of the server's own only what is named here and by the template; ours win over the template's.
func (i *instance) environment() map[string]string {
	env := map[string]string{}
	names := slices.Concat(passed, i.template.PassEnv)
	if runtime.GOOS == "windows" {
		names = slices.Concat(names, passedWindows)
	}
	for _, pair := range os.Environ() {
		if name, value, ok := strings.Cut(pair, "="); ok && strings.HasPrefix(name, "LC_") {
			env[name] = value
		}
	}
	for _, name := range names {
		if value, set := os.LookupEnv(name); set {
			env[name] = value
		}
	}
	env["PYTHONUNBUFFERED"] = "1"
	for name, value := range i.template.Env {
		env[name] = value
	}
	env["MYRIAD_AGENT"] = i.agent
	env["MYRIAD_NONCE"] = i.req.Nonce
	env[envOwner] = i.req.OwnerID
	env[envInstance] = i.id
	return env
}

func flatten(env map[string]string) []string {
	out := make([]string, 0, len(env)+4)
	for name, value := range env {
		out = append(out, name+"="+value)
	}
	slices.Sort(out)
	return out
}
