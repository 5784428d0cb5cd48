package processrt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/myriad-mind/myriad"
)

const (
	// stillborn is how many workers in a row may end, or talk, before they took a job; then the instance has failed. Of an instance that never
	// answered one is enough.
	stillborn = 3
	// A worker that failed is replaced after a while, twice as long each time until one answers.
	firstBackoff = 50 * time.Millisecond
	lastBackoff  = 2 * time.Second
)

// pool is the workers of an instance of the mode stdio. One is started at once, more as jobs come, up to one per job at once.
type pool struct {
	i   *instance
	max int

	mu        sync.Mutex
	idle      []*worker        // the longest idle first; guarded by mu
	all       map[*worker]bool // those that take a place and run; guarded by mu
	places    int              // taken by workers, from before their start until nothing is left of them; guarded by mu
	waiting   int              // jobs that wait for a worker; guarded by mu
	closed    bool             // guarded by mu
	answered  bool             // a job was answered once; guarded by mu
	idleEnds  int              // workers in a row that ended, or talked, before they took a job; guarded by mu
	failures  int              // workers in a row that failed; guarded by mu
	notBefore time.Time        // of the next start; guarded by mu
	changed   chan struct{}    // closed and replaced when waiting may be over; guarded by mu
}

func newPool(i *instance) *pool {
	return &pool{i: i, max: i.concurrency(), all: map[*worker]bool{}, changed: make(chan struct{})}
}

// start starts the first worker.
func (p *pool) start() error {
	p.mu.Lock()
	p.places++
	p.mu.Unlock()
	w, err := p.launch()
	if err != nil {
		return err
	}
	p.put(w)
	return nil
}

// ready says whether there is a worker, or one may be started for the next job.
func (p *pool) ready(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.places == 0 {
		return myriad.Errorf(myriad.CodeUnavailable, "%s has no worker", p.i.agent)
	}
	return nil
}

// launch starts a worker for a place that is taken; on failure the place is free again.
func (p *pool) launch() (*worker, error) {
	w := &worker{}
	_, err := p.i.spawn(order{
		stdin:  true,
		stdout: w.read,
		made:   func(c *child) { p.made(w, c) },
		gone:   func(*child) { p.gone(w) },
	})
	if err != nil {
		p.mu.Lock()
		p.places--
		p.failed()
		p.wake()
		p.mu.Unlock()
		return nil, err
	}
	return w, nil
}

// made takes a worker in that runs. One that comes while the others are being killed is killed too.
func (p *pool) made(w *worker, c *child) {
	w.child = c
	p.mu.Lock()
	p.all[w] = true
	p.mu.Unlock()
	if p.i.forced.Err() != nil {
		w.kill()
	}
}

// put makes a worker idle again. One that is spoiled ends by itself, and one that is not needed any more is asked to.
func (p *pool) put(w *worker) {
	p.mu.Lock()
	closed := p.closed
	if !closed && w.reason() == nil {
		p.idle = append(p.idle, w)
	}
	p.wake()
	p.mu.Unlock()
	if closed {
		w.dismiss()
	}
}

// wake lets those look again who wait. The caller holds mu.
func (p *pool) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// failed puts the next start off. The caller holds mu.
func (p *pool) failed() {
	p.failures++
	p.notBefore = time.Now().Add(backoff(p.failures))
}

func backoff(failures int) time.Duration {
	return min(firstBackoff<<min(failures-1, 10), lastBackoff)
}

var (
	errClosing = errors.New("the instance is ending")
	errCrowded = errors.New("more jobs wait for a worker than there may be workers")
)

// get finds an idle worker or starts one, and waits while there is no place for another.
func (p *pool) get(ctx context.Context) (*worker, error) {
	p.mu.Lock()
	for {
		if p.closed {
			p.mu.Unlock()
			return nil, errClosing
		}
		if len(p.idle) > 0 {
			w := p.idle[0]
			p.idle = p.idle[1:]
			p.mu.Unlock()
			return w, nil
		}
		pause := time.Duration(0)
		if p.places < p.max {
			if pause = time.Until(p.notBefore); pause <= 0 {
				p.places++
				p.mu.Unlock()
				return p.launch()
			}
		}
		if p.waiting >= p.max {
			p.mu.Unlock()
			return nil, errCrowded
		}
		p.waiting++
		changed := p.changed
		p.mu.Unlock()
		err := await(ctx, changed, pause)
		p.mu.Lock()
		p.waiting--
		if err != nil {
			p.mu.Unlock()
			return nil, err
		}
	}
}

// await waits for a signal, for a pause when that is not 0, or for the end of ctx.
func await(ctx context.Context, signal <-chan struct{}, pause time.Duration) error {
	var over <-chan time.Time
	if pause > 0 {
		t := time.NewTimer(pause)
		defer t.Stop()
		over = t.C
	}
	select {
	case <-signal:
	case <-over:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// carry has a job answered by a worker.
func (p *pool) carry(ctx context.Context, j job) answer {
	for {
		w, err := p.get(ctx)
		if err != nil {
			return p.refuse(err)
		}
		if !w.fit() {
			p.put(w)
			continue
		}
		line, err := w.ask(ctx, j.line)
		if errors.Is(err, errUnfit) {
			p.put(w)
			continue
		}
		a := p.judge(ctx, w, j, line, err)
		p.put(w)
		return a
	}
}

// judge makes the answer of what a worker wrote, and spoils the worker when that was none.
func (p *pool) judge(ctx context.Context, w *worker, j job, line []byte, err error) answer {
	if err == nil {
		a, wrong := shape(p.i.agent, j.id, line)
		if wrong == nil {
			p.mu.Lock()
			p.answered, p.failures, p.idleEnds, p.notBefore = true, 0, 0, time.Time{}
			p.mu.Unlock()
			return a
		}
		w.spoil(wrong)
		return p.i.faulty(wrong.Error())
	}
	switch {
	case p.i.forced.Err() != nil:
		return p.i.endingAnswer()
	case ctx.Err() != nil:
		return p.i.late()
	case errors.Is(err, errMute) || errors.Is(err, errDeaf):
		return p.i.faulty("the worker ended before it answered: " + w.how())
	}
	return p.i.faulty(err.Error())
}

func (p *pool) refuse(err error) answer {
	switch {
	case errors.Is(err, errClosing):
		return p.i.endingAnswer()
	case errors.Is(err, errCrowded):
		return p.i.crowded()
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		return p.i.late()
	}
	return p.i.faulty(err.Error())
}

// gone takes a worker of which nothing is left out of the pool. It is called by the worker's child, once.
func (p *pool) gone(w *worker) {
	f := w.fate()
	harmless := f.harmless(w.err)
	p.mu.Lock()
	p.places--
	delete(p.all, w)
	p.idle = slices.DeleteFunc(p.idle, func(x *worker) bool { return x == w })
	closed := p.closed
	var fatal error
	if !closed && !harmless {
		p.failed()
	}
	if !closed && (f.left || f.talked) && !f.sawJob {
		if p.idleEnds++; !p.answered || p.idleEnds >= stillborn {
			fatal = f.stillborn(w)
		}
	}
	warm := !closed && fatal == nil && p.places == 0
	if warm {
		p.places++
	}
	notBefore := p.notBefore
	p.wake()
	p.mu.Unlock()
	if !closed && !harmless {
		p.i.log.note(fmt.Sprintf("a worker is gone: %v (%s)", f.why, w.how()))
	}
	switch {
	case fatal != nil:
		p.i.fail(myriad.Errorf(myriad.CodeUnavailable, "%s: %w", p.i.agent, fatal))
	case warm:
		p.i.rt.work.Go(func() { p.warm(notBefore) })
	}
}

// warm starts a worker after the last one ended, so that the next job finds one.
func (p *pool) warm(notBefore time.Time) {
	pause := time.NewTimer(time.Until(notBefore))
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-p.i.asked:
		p.mu.Lock()
		p.places--
		p.wake()
		p.mu.Unlock()
		return
	}
	w, err := p.launch()
	if err != nil {
		p.i.log.error("a worker could not be started", err)
		p.i.fail(err)
		return
	}
	p.put(w)
}

// end dismisses idle workers and lets jobs finish until ctx ends; then it kills.
func (p *pool) end(ctx context.Context) {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	p.wake()
	p.mu.Unlock()
	for _, w := range idle {
		w.dismiss()
	}
	for ended := ctx.Done(); ; {
		p.mu.Lock()
		left, changed := p.places, p.changed
		p.mu.Unlock()
		if left == 0 {
			return
		}
		select {
		case <-changed:
		case <-ended:
			ended = nil // once: who comes later sees it by itself
			p.killAll()
		}
	}
}

func (p *pool) killAll() {
	p.mu.Lock()
	all := make([]*worker, 0, len(p.all))
	for w := range p.all {
		all = append(all, w)
	}
	p.mu.Unlock()
	for _, w := range all {
		w.kill()
	}
}
