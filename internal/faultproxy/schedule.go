package faultproxy

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Step is a fault and how long it stays.
type Step struct {
	Fault Fault
	For   time.Duration // more than 0
}

// Play sets one fault after the other, each for its time, once or for ever, until Set, another Play or Close. The first step is set
// when Play returns; after the last one of a single round its fault stays. A failure later on is told by Close.
func (p *Proxy) Play(forever bool, steps ...Step) error {
	var errs []error
	for i, s := range steps {
		if err := s.Fault.check(); err != nil {
			errs = append(errs, fmt.Errorf("step %d: %w", i, err))
		}
		if s.For <= 0 {
			errs = append(errs, fmt.Errorf("step %d takes no time", i))
		}
	}
	if len(steps) == 0 {
		errs = append(errs, errors.New("no steps"))
	}
	if len(errs) > 0 {
		return fmt.Errorf("fault proxy: play: %w", errors.Join(errs...))
	}
	p.control.Lock()
	defer p.control.Unlock()
	p.schedule.stop()
	p.schedule = nil
	if err := p.apply(steps[0].Fault); err != nil {
		return err
	}
	p.schedule = p.start(forever, steps)
	return nil
}

// Flap lets f come for on and go for off, for ever.
func (p *Proxy) Flap(f Fault, on, off time.Duration) error {
	return p.Play(true, Step{f, on}, Step{Fault{}, off})
}

// CrashLoop is an agent that dies and comes back, for ever: nobody listens for down, it serves for up, then its connections are reset.
func (p *Proxy) CrashLoop(down, up time.Duration) error {
	return p.Flap(Fault{Mode: Refuse}, down, up)
}

// schedule is a running Play.
type schedule struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func (p *Proxy) start(forever bool, steps []Step) *schedule {
	ctx, cancel := context.WithCancel(p.ctx)
	s := &schedule{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		if err := p.play(ctx, forever, steps); err != nil {
			p.mu.Lock()
			p.err = errors.Join(p.err, err)
			p.mu.Unlock()
		}
	}()
	return s
}

// play begins in the midst of the first step.
func (p *Proxy) play(ctx context.Context, forever bool, steps []Step) error {
	t := time.NewTimer(steps[0].For)
	defer t.Stop()
	for i := 1; forever || i < len(steps); i++ {
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil
		}
		s := steps[i%len(steps)]
		if err := p.apply(s.Fault); err != nil {
			return err
		}
		t.Reset(s.For)
	}
	return nil
}

// stop ends a schedule and waits for it; nil has ended.
func (s *schedule) stop() {
	if s != nil {
		s.cancel()
		<-s.done
	}
}
