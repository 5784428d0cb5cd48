package processrt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/myriad-mind/myriad"
)

// gate is the listener on loopback behind which the instances of the modes stdio and exec are: /<instance>/query and /<instance>/health.
type gate struct {
	rt     *Runtime
	addr   string
	server *http.Server
	ended  chan error
}

func openGate(r *Runtime) (*gate, error) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("processes: listen on loopback: %w", err)
	}
	g := &gate{rt: r, addr: ln.Addr().String(), ended: make(chan error, 1)}
	g.server = &http.Server{
		Handler:           g,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(r.log.Handler(), slog.LevelDebug),
	}
	go func() { g.ended <- g.server.Serve(ln) }()
	return g, nil
}

func (g *gate) endpoint(i *instance) string { return "http://" + g.addr + "/" + i.id + "/query" }

// close lets the last answers out while ctx lasts, and cuts them off then.
func (g *gate) close(ctx context.Context) error {
	err := g.server.Shutdown(ctx)
	if err != nil {
		err = g.server.Close()
	}
	if served := <-g.ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	g.ended <- http.ErrServerClosed // for whoever closes again
	return err
}

// ServeHTTP answers for the instance that the path names. Web pages do not get through: a foreign host name is refused, and so is a body
// that a page can send without being asked.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, what, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	i := g.rt.instance(id)
	switch {
	case r.Host != g.addr:
		answer{status: http.StatusMisdirectedRequest, body: failure("", "this is "+g.addr)}.send(w)
	case i == nil || !i.serving.Load() || i.template.Mode == myriad.ModeHTTP || what != "query" && what != "health":
		answer{status: http.StatusNotFound, body: failure("", "no such path: "+r.URL.Path)}.send(w)
	case what == "health":
		i.health(r.Context()).send(w)
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		answer{status: http.StatusMethodNotAllowed, body: failure(i.agent, "only POST is answered here")}.send(w)
	case !isJSON(r.Header.Get("Content-Type")):
		answer{status: http.StatusUnsupportedMediaType, body: failure(i.agent, "the body must be application/json")}.send(w)
	default:
		i.query(w, r)
	}
}

func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}

// query carries the job of a request out.
func (i *instance) query(w http.ResponseWriter, r *http.Request) {
	j, refused := readJob(w, r, i.agent)
	if refused.status != 0 {
		refused.send(w)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), min(j.left, i.rt.cfg.JobTimeout))
	defer cancel()
	i.host.carry(ctx, j).send(w)
}

func (i *instance) health(ctx context.Context) answer {
	status, word := http.StatusOK, "healthy"
	if err := i.Ready(ctx); err != nil {
		status, word = http.StatusServiceUnavailable, err.Error()
	}
	return answer{status: status, body: object(map[string]any{"status": word, "agent": i.agent, "nonce": i.req.Nonce})}
}

// answer is what a job came to, as HTTP.
type answer struct {
	status int
	body   []byte
	retry  int // seconds after which trying again makes sense; 0 says nothing
}

func (a answer) send(w http.ResponseWriter) {
	if a.status == 0 {
		return // nobody waits for it
	}
	if a.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(a.retry))
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the caller may be gone; there is nobody left to tell
}
