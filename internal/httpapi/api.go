package httpapi

import (
	"crypto/sha256"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/myriad-mind/myriad"
)

// API serves the routes of the table.
type API struct {
	// Hub is the sink that feeds GET /v1/events. Whoever emits events must tell it.
	Hub *Hub

	cfg      Config
	table    []*route
	mux      *http.ServeMux
	document func() ([]byte, error) // OpenAPI, made from table when it is first asked for
	hosts    hostCheck
	origins  *http.CrossOriginProtection
	token    [sha256.Size]byte // of Config.Token
	guarded  bool              // every route but the probes asks for the token
}

// New makes the API. Errors tell what cfg lacks.
func New(cfg Config) (*API, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	a := &API{Hub: cfg.Hub, cfg: cfg, mux: http.NewServeMux(), hosts: newHostCheck(cfg), token: sha256.Sum256([]byte(cfg.Token)),
		guarded: !cfg.loopback() && !cfg.Insecure}
	if a.origins, err = originCheck(cfg.Origins); err != nil {
		return nil, err
	}
	a.table = a.routes()
	for _, rt := range a.table {
		a.mux.Handle(rt.method+" "+rt.path, a.serve(rt))
	}
	a.mux.HandleFunc("/", a.unrouted)
	a.document = sync.OnceValues(func() ([]byte, error) { return document(a.table, cfg.Version) })
	return a, nil
}

// Handler is the whole API as one handler.
func (a *API) Handler() http.Handler { return http.HandlerFunc(a.enter) }

// Close ends the event streams, so that a server that shuts down need not wait for their readers. Other requests go on.
func (a *API) Close() { a.Hub.Close() }

// serve leads a request of rt to its handler.
func (a *API) serve(rt *route) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w, start := rw.(*responder), time.Now() // enter made the responder
		err := a.lead(w, r, rt)
		if rt.done != nil {
			rt.done(err, time.Since(start))
		}
		if err != nil {
			a.fail(w, r, rt.dialect, err)
		}
	})
}

func (a *API) lead(w *responder, r *http.Request, rt *route) error {
	if err := a.admit(r, rt); err != nil {
		return err
	}
	if err := rt.checkQuery(r); err != nil {
		return err
	}
	body, err := a.bodyOf(w, r, rt)
	if err != nil {
		return err
	}
	return rt.handle(w, r, body)
}

// unrouted answers what no route of the table serves.
func (a *API) unrouted(w http.ResponseWriter, r *http.Request) {
	d := dialectOf(r.URL.Path)
	allowed := methodsOf(a.mux, r)
	if len(allowed) == 0 {
		a.fail(w, r, d, myriad.Errorf(myriad.CodeNotFound, "there is nothing at %s", r.URL.Path))
		return
	}
	w.Header().Set("Allow", strings.Join(append(allowed, http.MethodOptions), ", "))
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusOK)
		return
	}
	a.fail(w, r, d, myriad.Errorf(myriad.CodeMethod, "%s is not allowed at %s; allowed: %s", r.Method, r.URL.Path, strings.Join(allowed, ", ")))
}

// dialectOf guesses the dialect where there is no route to ask.
func dialectOf(path string) dialect {
	switch {
	case path == "/run_orchestration":
		return tester
	case strings.HasPrefix(path, "/v1/") || path == "/v1" || path == "/livez" || path == "/readyz" || path == "/openapi.json":
		return native
	}
	return compat
}

// cleanPath says whether the path is as a client of ours writes it; the mux would redirect others.
func cleanPath(p string) bool {
	return p == "/" || p != "" && p[0] == '/' && path.Clean(p) == strings.TrimSuffix(p, "/")
}
