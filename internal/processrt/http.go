package processrt

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/myriad-mind/myriad"
)

const (
	probeTimeout = 2 * time.Second
	maxHealth    = 64 << 10 // bytes of an answer of /health that are read
)

// httpHost is a process that listens itself and speaks the job protocol.
type httpHost struct {
	i     *instance
	port  int
	child *child
}

// newProbe makes the client that asks children how they are: it keeps nothing open and follows nothing.
func newProbe() *http.Client {
	return &http.Client{
		Timeout: probeTimeout,
		Transport: &http.Transport{
			DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: probeTimeout}).DialContext, MaxResponseHeaderBytes: maxHealth,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// start starts the process with a port that is free now. Whoever takes that port first meanwhile is found out by ready.
func (h *httpHost) start() error {
	port, err := h.i.rt.ports.take()
	if err != nil {
		return myriad.Errorf(myriad.CodeUnavailable, "start of %s: %w", h.i.agent, err)
	}
	h.port = port
	h.i.endpoint = fmt.Sprintf("http://127.0.0.1:%d/query", port)
	_, err = h.i.spawn(order{
		env:  []string{"PORT=" + strconv.Itoa(port)},
		made: func(c *child) { h.child = c },
		gone: h.gone,
	})
	return err
}

// gone ends the instance with its process, unless that was asked for.
func (h *httpHost) gone(c *child) {
	select {
	case <-h.i.asked:
	default:
		h.i.fail(myriad.Errorf(myriad.CodeUnavailable, "%s: its process ended: %s", h.i.agent, c.how()))
	}
}

// ready says whether the process listens and answers. Both are asked: a stranger may answer at that port, and a process may listen before
// it is able to answer. Its nonce proves who it is as well as its socket does.
func (h *httpHost) ready(ctx context.Context) error {
	owner := h.i.fence.listens(h.port)
	if owner == socketNone || owner == socketOpen {
		return myriad.Errorf(myriad.CodeUnavailable, "%s: %s", h.i.agent, owner.say(h.port))
	}
	nonce, err := h.health(ctx)
	switch {
	case err != nil:
		return myriad.Errorf(myriad.CodeUnavailable, "%s: %w", h.i.agent, err)
	case nonce != "" && nonce != h.i.req.Nonce:
		return myriad.Errorf(myriad.CodeUnavailable, "%s: what answers at port %d says that it is another instance", h.i.agent, h.port)
	case nonce == "" && owner != socketOurs:
		return myriad.Errorf(myriad.CodeUnavailable, "%s: %s", h.i.agent, owner.say(h.port))
	}
	return nil
}

// health asks /health. A program that has none is as good as one that says it is healthy; what it says it is, is its nonce.
func (h *httpHost) health(ctx context.Context) (nonce string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/health", h.port), http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := h.i.rt.probe.Do(req)
	if err != nil {
		return "", fmt.Errorf("it does not answer yet: %w", err)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxHealth))
	_ = resp.Body.Close() // only read
	if err != nil {
		return "", fmt.Errorf("it does not answer yet: %w", err)
	}
	switch s := resp.StatusCode; {
	case s >= 200 && s < 300:
	case s == http.StatusNotFound || s == http.StatusMethodNotAllowed || s == http.StatusNotImplemented:
		return "", nil
	default:
		return "", fmt.Errorf("its /health answers HTTP %d", s)
	}
	var says struct {
		Nonce string `json:"nonce"`
	}
	_ = json.Unmarshal(raw, &says) // a program of any kind may answer anything
	return says.Nonce, nil
}

// carry is not asked: jobs go straight to the process.
func (h *httpHost) carry(context.Context, job) answer {
	return answer{status: http.StatusNotFound, body: failure(h.i.agent, "no such path")}
}

// end asks the process to end and kills it when ctx ends.
func (h *httpHost) end(ctx context.Context) {
	defer h.i.rt.ports.giveBack(h.port)
	if h.child == nil {
		return
	}
	unhook := context.AfterFunc(ctx, h.child.kill)
	defer unhook()
	h.child.dismiss()
	<-h.child.exited
}

// socket says whose the listening socket of a port is.
type socket int

const (
	socketUnknown socket = iota // the platform does not tell
	socketNone
	socketForeign
	socketOpen // ours, and open to other machines
	socketOurs
)

func (s socket) say(port int) string {
	switch s {
	case socketForeign:
		return fmt.Sprintf("somebody else listens at port %d", port)
	case socketOpen:
		return fmt.Sprintf("it listens at port %d of every address of this machine; it must listen at 127.0.0.1", port)
	case socketUnknown:
		return fmt.Sprintf("it cannot be told here whose port %d is; let /health give a field nonce with the value of MYRIAD_NONCE", port)
	default:
		return fmt.Sprintf("it does not listen at port %d yet", port)
	}
}
