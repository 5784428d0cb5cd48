package lifecycle

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/myriad-mind/myriad"
)

// host is a runtime with what the Manager has to know of it.
type host struct {
	myriad.Runtime
	name   string
	slots  chan struct{} // held while an instance starts
	warned string        // the limits that were last told not to be in force; guarded by Manager.mu
	brief  bool          // its instances end with this process, and only by Stop before that

	recovery  chan struct{} // of one place; held while the runtime tells what an earlier life left
	recovered atomic.Bool   // set by whoever holds recovery
}

func newHost(rt myriad.Runtime, cfg Config) *host {
	name := rt.Name()
	return &host{Runtime: rt, name: name, recovery: make(chan struct{}, 1), brief: slices.Contains(cfg.Ephemeral, name),
		slots: make(chan struct{}, max(1, cmp.Or(cfg.ParallelStarts[name], cfg.MaxParallelStarts)))}
}

// hostOf is the first runtime that serves a packet.
func (m *Manager) hostOf(p *myriad.Packet) (*host, error) {
	for _, h := range m.hosts {
		if p.Agent.Template != nil && h.Serves(*p.Agent.Template) {
			return h, nil
		}
	}
	kind := "none"
	if p.Agent.Template != nil {
		kind = p.Agent.Template.Kind
	}
	return nil, myriad.Errorf(myriad.TaskErrStart, "no runtime here can host agent %s, whose template is of the kind %s", p.Agent.Name, kind)
}

// start brings an instance that has its permit to be ready. If that fails everything of it is stopped, and its askers are told.
func (m *Manager) start(i *instance) bool {
	if !m.begin(i) {
		return false
	}
	running, err := m.bring(i)
	if err == nil && m.rise(i, running) {
		m.dequeue(i)
		return true
	}
	m.fall(i, err)
	return false
}

// begin makes sure that the instance is starting: it was let start just now, or rested after a crash.
func (m *Manager) begin(i *instance) bool {
	m.lock()
	defer m.unlock()
	if i.resting {
		i.resting = false
		if m.move(i, starting, myriad.ReasonCrashed) {
			i.crashes++
			i.decided = time.Now()
		}
	}
	return i.machine.state() == starting
}

// bring has the runtime start the instance and waits until it is ready. What the runtime gave is in i.running, also after an error.
func (m *Manager) bring(i *instance) (myriad.Instance, error) {
	if err := m.prepare(i); err != nil {
		return nil, err
	}
	select {
	case i.host.slots <- struct{}{}:
	case <-i.halted:
		return nil, context.Canceled
	}
	defer func() { <-i.host.slots }()
	ctx, cancel := context.WithTimeout(context.Background(), m.cfg.StartTimeout)
	defer cancel()
	if !m.callOffBy(i, cancel) {
		return nil, context.Canceled
	}
	defer m.callOffBy(i, nil)
	if i.running == nil { // else it was left by an earlier life
		if err := m.launch(ctx, i); err != nil {
			return nil, err
		}
	}
	return i.running, m.await(ctx, i.running)
}

// prepare makes sure that there is nothing else of an agent that learns, neither of an earlier life nor of this one.
func (m *Manager) prepare(i *instance) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*m.cfg.StopGrace+m.cfg.StartTimeout) // a former instance has the grace twice
	defer cancel()
	if !m.callOffBy(i, cancel) {
		return context.Canceled
	}
	defer m.callOffBy(i, nil)
	if i.running == nil { // else the runtime has told already
		if err := m.recoverHost(ctx, i.host); err != nil {
			return err
		}
	}
	return m.enrol(ctx, i)
}

// callOffBy has halt call the start off in this way; false when the instance was to end already.
func (m *Manager) callOffBy(i *instance, cancel func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	i.abort = cancel
	return i.machine.state() == starting
}

// launch records the instance, so that a crash of ours from here on is not the end of what we know of it, and has the runtime start it.
func (m *Manager) launch(ctx context.Context, i *instance) error {
	m.settle(ctx, i.agent) // what the former instance was told last
	m.renew(i)
	m.mu.Lock()
	packet := m.taught(*i.packet)
	m.mu.Unlock()
	packet.Agent.Endpoint, packet.Agent.Dormant = "", true
	if !i.host.brief {
		record := myriad.InstanceRecord{ID: i.id, Agent: i.agent, Runtime: i.host.name, Revision: packet.Revision, StartedAt: i.decided.UTC()}
		i.recorded = true // even when it fails it may have been done
		if err := m.cfg.Store.PutInstance(ctx, record); err != nil {
			return fmt.Errorf("record the instance: %w", err)
		}
	}
	var running myriad.Instance
	err := m.guarded("starting an instance", func() (err error) {
		running, err = i.host.Start(ctx, myriad.StartRequest{InstanceID: i.id, OwnerID: m.cfg.OwnerID, Packet: packet, Limits: i.limits, Nonce: rand.Text()})
		if err == nil && running == nil {
			err = errors.New("the runtime gave no instance")
		}
		return err
	})
	if err != nil {
		return err
	}
	m.mu.Lock()
	i.running = running
	m.mu.Unlock()
	return nil
}

// The wait between two questions for readiness, which grows from the first to the second, and the longest that one question may take.
const (
	firstPoll = time.Millisecond
	lastPoll  = 250 * time.Millisecond
	pollTime  = 5 * time.Second
)

// await waits until the instance is ready.
func (m *Manager) await(ctx context.Context, running myriad.Instance) error {
	exited := running.Exited()
	var last error
	for wait := firstPoll; ; wait = min(wait*3/2, lastPoll) {
		select {
		case <-exited:
			return m.exitError("it ended before it was ready", running)
		default:
		}
		err := m.guarded("asking an instance whether it is ready", func() error {
			poll, cancel := context.WithTimeout(ctx, pollTime)
			defer cancel()
			return running.Ready(poll)
		})
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			last = err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
			continue
		case <-exited:
			err = m.exitError("it ended before it was ready", running)
		case <-ctx.Done():
			err = fmt.Errorf("it was not ready in time: %w", cmp.Or(last, ctx.Err()))
		}
		timer.Stop()
		return err
	}
}

// exitError says why an instance is gone.
func (m *Manager) exitError(what string, running myriad.Instance) error {
	if err := m.guarded("asking why an instance ended", running.Err); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return errors.New(what)
}

// rise shows an instance that answers and gives it to its askers, pinned for each. It is false when the instance was to end meanwhile.
func (m *Manager) rise(i *instance, running myriad.Instance) bool {
	var endpoint string
	var missing []string
	if err := m.guarded("asking an instance where it is", func() error {
		endpoint, missing = running.Endpoint(), running.Unenforced()
		return nil
	}); err != nil || endpoint == "" {
		m.mu.Lock()
		i.fault = "it has no endpoint"
		m.mu.Unlock()
		return false
	}
	m.lock()
	defer m.unlock()
	if i.machine.state() != starting {
		return false
	}
	i.readyAt, i.cold, i.fault = time.Now(), time.Since(i.decided), ""
	packet := *i.packet
	packet.Agent.Endpoint, packet.Agent.Dormant = endpoint, false
	i.packet = &packet // its agent is the card, so that it is in memory once
	old := m.takeOver(i)
	reason := ""
	if i.reason == myriad.ReasonAdopted { // else it was started, or started again
		reason = i.reason
	}
	m.move(i, ready, reason)
	i.passing = i.inPassing() // of the stretch before, if there was one
	i.live = newLive(m, i, &packet.Agent)
	i.live.passing.Store(i.passing)
	i.live.held.Store(onePin * int64(len(i.askers)))
	m.board.put(i.agent, i.live)
	m.tellMissing(i, missing)
	for a := range i.askers {
		m.answer(a, i.live.woken(i.cold))
	}
	if old != nil {
		m.halt(old, i.heir, nil)
	}
	m.schedule()
	m.dueReady(i)
	return true
}

// takeOver makes a replacement its agent's present instance, and gives the one that was. mu is held.
func (m *Manager) takeOver(i *instance) (old *instance) {
	r := m.resident(i.agent)
	if r.next != i {
		return nil
	}
	old = r.now
	r.now, r.next = i, nil
	if old != nil {
		m.inherit(i, old)
	}
	return old
}

// tellMissing tells once which limits are not in force. What is so for every instance of this process, by nature, is a warning for the first of them
// alone: the fleet's status and the metrics show it for each. mu is held.
func (m *Manager) tellMissing(i *instance, missing []string) {
	if len(missing) == 0 || i.missing != nil {
		return
	}
	i.missing = append([]string(nil), missing...)
	names := strings.Join(missing, ", ")
	level := slog.LevelWarn
	if i.host.brief && i.host.warned == names {
		level = slog.LevelDebug
	}
	i.host.warned = names
	m.out.post(notice{
		event: myriad.Event{Kind: myriad.KindUnenforced, At: time.Now(), Agent: i.agent, Instance: i.id, Runtime: i.host.name, Reason: names},
		level: level, text: "limits are not in force",
		attrs: []slog.Attr{slog.String("agent", i.agent), slog.String("instance", i.id), slog.String("runtime", i.host.name), slog.String("limits", names)},
	})
}

// fall ends a start that failed, or that was called off: what was started is stopped first.
func (m *Manager) fall(i *instance, err error) {
	log := m.lastLog(i)
	m.finish(i, min(m.cfg.StopGrace, abortGrace))
	m.lock()
	defer m.unlock()
	if i.machine.state() != starting {
		return // it was called off: conclude says stopped
	}
	if err != nil {
		i.fault = err.Error()
	}
	i.lastLog = log
	m.move(i, failed, myriad.ReasonFailed)
	wait := m.cool(i)
	e := myriad.Errorf(myriad.TaskErrStart, "agent %s could not be started: %s", i.agent, i.fault)
	e.RetryAfter = wait
	m.answerAll(i, e)
	m.leave(i)
}

// abortGrace is the grace of an instance that is of no use: it never was ready, or is gone already.
const abortGrace = 2 * time.Second

// lastLog is what the instance said last.
func (m *Manager) lastLog(i *instance) (log string) {
	if i.running != nil {
		_ = m.guarded("reading an instance's log", func() error { log = i.running.LastLog(); return nil }) // told already
	}
	return log
}
