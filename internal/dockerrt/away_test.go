package dockerrt

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"github.com/myriad-mind/myriad"
)

// severable stands between a runtime and the daemon, and can be made to answer nothing any more, the way a daemon that dies does.
type severable struct {
	address string
	swallow atomic.Pointer[string] // the end of a path whose answer never arrives, though the daemon does it; then it is severed

	mu    sync.Mutex
	alive context.Context // of the exchanges under way; guarded by mu
	cut   context.CancelFunc
}

func (s *severable) sever() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut()
}

func (s *severable) restore() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alive, s.cut = context.WithCancel(context.Background())
}

func (s *severable) life() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.alive
}

func newSeverable(t *testing.T) *severable {
	t.Helper()
	daemon(t)
	s := &severable{}
	s.restore()
	u, err := client.ParseHostURL(addressOfTests())
	if err != nil || u.Scheme != "unix" {
		t.Skipf("NOT CHECKED: the daemon is not at a unix socket: %v", err)
	}
	dial := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", u.Host)
	}}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "docker"})
	proxy.Transport, proxy.FlushInterval, proxy.ErrorLog = dial, -1, log.New(io.Discard, "", 0)
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	proxy.ModifyResponse = func(resp *http.Response) error {
		if end := s.swallow.Load(); end != nil && strings.HasSuffix(resp.Request.URL.Path, *end) {
			s.sever()
			return http.ErrAbortHandler
		}
		return nil
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		life := s.life()
		if life.Err() != nil {
			panic(http.ErrAbortHandler)
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(life, cancel)()
		proxy.ServeHTTP(w, r.WithContext(ctx))
	})}
	served := make(chan struct{})
	go func() { defer close(served); _ = srv.Serve(ln) }()
	t.Cleanup(func() { _ = srv.Close(); <-served; s.sever(); dial.CloseIdleConnections() })
	s.address = "tcp://" + ln.Addr().String()
	return s
}

func addressOfTests() string { return Config{}.address() }

// TestDoubtfulCreate: the daemon makes a container and dies before it says so. When it is back, the container goes.
func TestDoubtfulCreate(t *testing.T) {
	docker := daemon(t)
	image := built(t, agentMain, "program", agentImage)
	for _, at := range []string{"/containers/create", "/start"} {
		t.Run(at, func(t *testing.T) {
			s := newSeverable(t)
			b := newBench(t, Config{Host: s.address})
			s.swallow.Store(&at)
			_, err := b.Start(t.Context(), b.request(contained(image, "echo")))
			wantCode(t, err, myriad.CodeUnavailable)
			if left := leftOf(t, docker, b.owner); len(left) != 1 {
				t.Fatalf("the case did not come about: %v", left)
			}
			s.swallow.Store(nil)
			s.restore()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			for len(leftOf(t, docker, b.owner)) > 0 {
				if !pause(ctx, 20*time.Millisecond) {
					t.Fatal("what was made is never removed")
				}
			}
		})
	}
}

// TestDaemonAway: while the daemon does not answer an instance is not said to be gone; when it is back, its end is seen.
func TestDaemonAway(t *testing.T) {
	docker := daemon(t)
	s := newSeverable(t)
	b := newBench(t, Config{Host: s.address})
	i := b.awake(t, b.request(contained(built(t, agentMain, "program", agentImage), "echo")))
	seen, err := i.inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hasty := newRuntime(t, Config{Host: s.address, CallTimeout: 200 * time.Millisecond}).newInstance(i.label, seen, i.nonce)
	s.sever()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := hasty.Stop(ctx); myriad.ErrorCode(err) != myriad.CodeUnavailable || !strings.Contains(err.Error(), "may be left") {
		t.Errorf("a container was stopped that nobody could ask: %v", err)
	}
	if hasty.gone() || i.gone() {
		t.Error("and it is said to be gone")
	}
	if _, err := docker.ContainerKill(t.Context(), i.id, client.ContainerKillOptions{}); err != nil {
		t.Fatal(err)
	}
	s.restore()
	exited(t, i)
	if i.Err() == nil {
		t.Error("no reason is given")
	}
}

// TestRecoverLate: the daemon comes after the server. Nothing can be told before, and what an earlier life left may be adopted then.
func TestRecoverLate(t *testing.T) {
	docker := daemon(t)
	image := built(t, agentMain, "program", agentImage)
	s := newSeverable(t)
	b := newBench(t, Config{})
	old := b.awake(t, b.request(contained(image, "echo")))
	mustClose(t, b.Runtime) // a death
	late := newRuntime(t, Config{Host: s.address})
	s.sever()
	left, err := late.Recover(t.Context(), b.owner)
	if myriad.ErrorCode(err) != myriad.CodeUnavailable || len(left) > 0 {
		t.Errorf("while no daemon answers: %v, %v", left, err)
	}
	s.restore()
	if left, err = late.Recover(t.Context(), b.owner); err != nil || len(left) != 1 {
		t.Fatalf("when it answers again: %v, %v", left, err)
	}
	defer stop(t, left[0].Instance, patience)
	if now := leftOf(t, docker, b.owner); len(now) != 1 || !strings.HasPrefix(now[0], old.id) {
		t.Errorf("there are %v", now)
	}
}
