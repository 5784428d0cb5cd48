package processrt

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// A version manager puts a script in place of python3 that finds out at every start which python3 is meant: some 65 ms, more than the
// interpreter itself takes. For pyenv we ask once and run what it names, as its script would; whatever else looks like a wrapper is left
// as it is.

const (
	shimTimeout = 5 * time.Second
	shimKept    = time.Minute // a changed version file is seen after that
	shimMaxSize = 4 << 10
)

// pyenvShim finds the manager in one of its scripts.
var pyenvShim = regexp.MustCompile(`(?m)^exec "(/[^"\n]*/pyenv)" exec "\$program" "\$@"$`)

// shims remembers what wrappers of a version manager stand for.
type shims struct {
	mu    sync.Mutex
	known map[[2]string]shimTarget // by the wrapper and the working folder; guarded by mu
}

type shimTarget struct {
	path string // "" for what is no wrapper, or cannot be resolved
	at   time.Time
}

// target is the executable behind p.path when that is a wrapper of pyenv; "" when it is none, or pyenv does not say.
func (s *shims) target(ctx context.Context, p program) string {
	key := [2]string{p.path, p.dir}
	s.mu.Lock()
	t, known := s.known[key]
	s.mu.Unlock()
	if known && time.Since(t.at) < shimKept {
		return t.path
	}
	t = shimTarget{path: behind(ctx, p), at: time.Now()}
	if ctx.Err() != nil {
		return t.path
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil || len(s.known) > 1000 {
		s.known = map[[2]string]shimTarget{}
	}
	s.known[key] = t
	return t.path
}

func behind(ctx context.Context, p program) string {
	info, err := os.Stat(p.path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > shimMaxSize {
		return ""
	}
	text, err := os.ReadFile(p.path)
	if err != nil || !bytes.HasPrefix(text, []byte("#!")) {
		return ""
	}
	manager := pyenvShim.FindSubmatch(text)
	if manager == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, shimTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, string(manager[1]), "which", filepath.Base(p.path))
	cmd.Dir, cmd.Env, cmd.WaitDelay = p.dir, p.env, time.Second
	var out strings.Builder
	cmd.Stdout = &out
	if err = startPlain(cmd); err == nil {
		err = cmd.Wait()
	}
	target := strings.TrimSpace(out.String())
	if err != nil || !filepath.IsAbs(target) {
		return ""
	}
	if found, err := exec.LookPath(target); err != nil || found == p.path {
		return ""
	}
	return target
}
