package inprocrt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"time"

	"github.com/myriad-mind/myriad"
)

// maxBody is the size of the largest job, in bytes.
const maxBody = 8 << 20

// host is the one listener of all instances.
type host struct {
	runtime *Runtime
	ln      net.Listener
	addr    string // of ln
	srv     *http.Server
	served  chan struct{} // closed when serve's goroutine has ended; nil before
}

func listen(ctx context.Context, r *Runtime) (*host, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		if ctx.Err() != nil {
			return nil, ended(ctx.Err(), "listen for the agents in this process")
		}
		return nil, myriad.Errorf(myriad.CodeUnavailable, "listen for the agents in this process: %w", err)
	}
	h := &host{runtime: r, ln: ln, addr: ln.Addr().String()}
	h.srv = &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(r.cfg.Logger.Handler(), slog.LevelDebug),
	}
	return h, nil
}

// serve begins to answer; close ends it.
func (h *host) serve() {
	h.served = make(chan struct{})
	go func() {
		defer close(h.served)
		if err := h.srv.Serve(h.ln); !errors.Is(err, http.ErrServerClosed) {
			h.runtime.cfg.Logger.Error("the listener of the agents in this process ended", slog.Any("error", err))
		}
	}()
}

// discard gives up a host that never served.
func (h *host) discard() { _ = h.ln.Close() }

// close gives up the listener and every connection. The instances have ended before, so nobody works for one.
func (h *host) close() {
	_ = h.srv.Close()
	<-h.served
}

// ServeHTTP takes a request to the instance that its path begins with.
func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Host != h.addr || r.Header.Get("Origin") != "" {
		refuse(w, http.StatusForbidden, "agents answer the server that hosts them, not web pages")
		return
	}
	id, path := partsOf(r.URL.Path)
	value, ok := h.runtime.instances.Load(id)
	if !ok {
		gone(w, id)
		return
	}
	i := value.(*instance)
	if !i.enter() {
		gone(w, id)
		return
	}
	defer i.leave()
	ctx, cancel := i.context(r.Context())
	defer cancel()
	i.serve(w, within(r.WithContext(ctx), path))
}

// within gives a request, which nobody else looks at any more, the path that the instance knows.
func within(r *http.Request, path string) *http.Request {
	r.URL = &url.URL{Path: path, RawQuery: r.URL.RawQuery}
	return r
}

// gone answers for an instance that ends or has ended. Instances have unguessable names, so whoever asks for one knew it once: being told to
// come back is nobody's fault, and then the agent is looked for anew.
func gone(w http.ResponseWriter, id string) {
	w.Header().Set("Retry-After", "0")
	refuse(w, http.StatusServiceUnavailable, fmt.Sprintf("the instance %.64q is not here any more", id))
}

// serve calls the handler, and makes a panic an answer.
func (i *instance) serve(w http.ResponseWriter, r *http.Request) {
	out := &reply{ResponseWriter: w}
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p)
		default:
			i.panicked(p, debug.Stack())
			if out.begun {
				panic(http.ErrAbortHandler) // half an answer must not look like a whole one
			}
			refuse(w, http.StatusInternalServerError, "internal error: the agent's handler panicked")
		}
	}()
	if r.Body != nil {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	}
	i.handler.ServeHTTP(out, r)
}

// reply knows whether an answer has begun.
type reply struct {
	http.ResponseWriter
	begun bool
}

func (r *reply) WriteHeader(status int) {
	r.begun = true
	r.ResponseWriter.WriteHeader(status)
}

func (r *reply) Write(b []byte) (int, error) {
	r.begun = true
	return r.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (r *reply) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Flush is for handlers that look for an http.Flusher.
func (r *reply) Flush() {
	r.begun = true
	_ = http.NewResponseController(r.ResponseWriter).Flush() // what cannot be flushed comes at the end
}
