package lifecycle

import (
	"context"
	"sync"
	"time"

	"github.com/myriad-mind/myriad"
)

// How long all instances together may take to say what they use, and how many are asked at once.
const (
	usageTime = 250 * time.Millisecond
	usageAsks = 16
)

// usageAsk is one question to an instance for what it uses, whoever waits for the answer. An instance is asked one at a time.
type usageAsk struct {
	running myriad.Instance
	at      time.Time
	told    *myriad.Usage // nil when it did not say; set before done is closed
	done    chan struct{}
}

// wait is the answer, nil when there is none before ctx ends.
func (a *usageAsk) wait(ctx context.Context) *myriad.Usage {
	select {
	case <-a.done: // also when ctx has ended meanwhile, for another's sake
		return a.told
	default:
	}
	select {
	case <-a.done:
		return a.told
	case <-ctx.Done():
		return nil
	}
}

// askUsage asks those of the instances that run beside this process what they use, and gives the questions by their place. Where one is under way it is joined, and when that
// one has been out for too long, the instance is passed over. mu is held.
func (m *Manager) askUsage(all []*instance, now time.Time) []*usageAsk {
	asks := make([]*usageAsk, len(all))
	var fresh []*instance
	for at, i := range all {
		switch {
		case i.asked != nil && now.Sub(i.asked.at) < usageTime:
			asks[at] = i.asked
		case i.host != nil && i.host.brief: // a part of this process has no usage of its own to tell, and there may be thousands of them
		case i.asked == nil && i.running != nil && m.phase == running:
			i.asked = &usageAsk{running: i.running, at: now, done: make(chan struct{})}
			asks[at] = i.asked
			fresh = append(fresh, i)
		}
	}
	if len(fresh) > 0 {
		m.asking.Go(func() { m.askAll(fresh) })
	}
	return asks
}

// askAll asks a few at a time; those whose turn has not come in time are not asked.
func (m *Manager) askAll(fresh []*instance) {
	ctx, cancel := context.WithTimeout(m.ctx, usageTime) // not of whoever asked first
	defer cancel()
	turns := make(chan struct{}, usageAsks)
	var under sync.WaitGroup
	defer under.Wait()
	for _, i := range fresh {
		select {
		case turns <- struct{}{}:
			under.Go(func() {
				m.tellUsage(ctx, i)
				<-turns
			})
		case <-ctx.Done():
			m.tellUsage(ctx, i)
		}
	}
}

// tellUsage answers the question that an instance was left with, with nothing once ctx has ended.
func (m *Manager) tellUsage(ctx context.Context, i *instance) {
	m.mu.Lock()
	ask := i.asked
	m.mu.Unlock()
	if ctx.Err() == nil {
		_ = m.guarded("asking an instance what it uses", func() error { // told already
			if u, ok := ask.running.Usage(ctx); ok {
				ask.told = &u
			}
			return nil
		})
	}
	m.mu.Lock()
	i.asked = nil
	m.mu.Unlock()
	close(ask.done)
}

// endAsks waits until nobody is asked any more, which the Manager's end tells all who are.
func (m *Manager) endAsks() error {
	over := make(chan struct{})
	go func() {
		m.asking.Wait()
		close(over)
	}()
	timer := time.NewTimer(lastStop)
	defer timer.Stop()
	select {
	case <-over:
		return nil
	case <-timer.C:
		return myriad.Errorf(myriad.CodeDeadline, "an instance that was asked what it uses does not answer")
	}
}
