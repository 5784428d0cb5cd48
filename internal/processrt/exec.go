package processrt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// The names under which a job's headers reach a process of the mode exec.
const (
	envDeadline = "MYRIAD_DEADLINE_MS"
	envKey      = "MYRIAD_IDEMPOTENCY_KEY"
	envTrace    = "TRACEPARENT"
)

// execHost starts a process for every job: the job is its input, what it writes is the data.
type execHost struct {
	i     *instance
	slots chan struct{}

	mu      sync.Mutex
	running map[*child]bool // guarded by mu
	closed  bool            // guarded by mu
	inside  int             // jobs that run or wait; guarded by mu
	jobs    sync.WaitGroup  // begun before closed
}

func newExecHost(i *instance) *execHost {
	return &execHost{i: i, slots: make(chan struct{}, i.concurrency()), running: map[*child]bool{}}
}

// start does nothing: there is nothing to run before the first job. That there is a program was found out already.
func (h *execHost) start() error { return nil }

func (h *execHost) ready(context.Context) error { return nil }

// carry runs a process for the job.
func (h *execHost) carry(ctx context.Context, j job) answer {
	if refusal := h.enter(); refusal.status != 0 {
		return refusal
	}
	defer h.leave()
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return h.i.late()
	case <-h.i.asked:
		return h.i.endingAnswer()
	}
	defer func() { <-h.slots }()
	return h.run(ctx, j)
}

// enter lets a job in: as many may wait for their turn as may run. A refusal has a status.
func (h *execHost) enter() (refusal answer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return h.i.endingAnswer()
	case h.inside == 2*cap(h.slots):
		return h.i.crowded()
	}
	h.inside++
	h.jobs.Add(1)
	return answer{}
}

func (h *execHost) leave() {
	h.mu.Lock()
	h.inside--
	h.mu.Unlock()
	h.jobs.Done()
}

// output collects what a process writes, up to the limit of an answer.
type output struct {
	text    []byte
	tooLong bool // written before the process is gone
}

func (h *execHost) run(ctx context.Context, j job) answer {
	out := &output{}
	var self *child
	c, err := h.i.spawn(order{
		env:   jobEnvironment(ctx, j),
		stdin: true,
		made:  func(c *child) { self = c; h.made(c) },
		stdout: func(r io.Reader) {
			out.text, _ = io.ReadAll(io.LimitReader(r, maxAnswer+1)) // an end is an end
			if out.tooLong = len(out.text) > maxAnswer; out.tooLong {
				self.kill()
				_, _ = io.Copy(io.Discard, r)
			}
		},
		gone: h.gone,
	})
	if err != nil {
		return h.i.faulty(err.Error())
	}
	unhook := context.AfterFunc(ctx, func() {
		c.kill()
		c.closeStdin() // lets go a write that a grandchild holds up
	})
	defer unhook()
	_, _ = c.stdin.Write(j.line) // a process may answer without having read it all
	c.closeStdin()
	<-c.exited
	return h.judge(ctx, c, j, out)
}

func jobEnvironment(ctx context.Context, j job) []string {
	var env []string
	if until, ok := ctx.Deadline(); ok {
		env = append(env, envDeadline+"="+strconv.FormatInt(max(time.Until(until).Milliseconds(), 1), 10))
	}
	if j.key != "" {
		env = append(env, envKey+"="+j.key)
	}
	if j.trace != "" {
		env = append(env, envTrace+"="+j.trace)
	}
	return env
}

// judge makes the answer of how a process ended and of what it wrote.
func (h *execHost) judge(ctx context.Context, c *child, j job, out *output) answer {
	switch {
	case h.i.forced.Err() != nil:
		return h.i.endingAnswer()
	case out.tooLong:
		return h.i.faulty(fmt.Sprintf("the answer is longer than %d bytes", maxAnswer))
	case c.err != nil && ctx.Err() != nil:
		return h.i.late()
	case c.err != nil:
		return answer{status: http.StatusInternalServerError, body: failure(h.i.agent, c.how())}
	}
	a, wrong := shape(h.i.agent, j.id, out.text)
	if errors.Is(wrong, errNoJSON) {
		text := strings.TrimSpace(strings.ToValidUTF8(string(bytes.TrimSpace(out.text)), string(utf8.RuneError)))
		return success(h.i.agent, []byte(quote(text)))
	}
	if wrong != nil {
		return h.i.faulty(wrong.Error())
	}
	return a
}

func (h *execHost) made(c *child) {
	h.mu.Lock()
	h.running[c] = true
	h.mu.Unlock()
	if h.i.forced.Err() != nil {
		c.kill()
	}
}

func (h *execHost) gone(c *child) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.running, c)
}

// end lets jobs finish until ctx ends; then it kills.
func (h *execHost) end(ctx context.Context) {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	unhook := context.AfterFunc(ctx, func() {
		h.mu.Lock()
		running := make([]*child, 0, len(h.running))
		for c := range h.running {
			running = append(running, c)
		}
		h.mu.Unlock()
		for _, c := range running {
			c.kill()
		}
	})
	defer unhook()
	h.jobs.Wait()
}
