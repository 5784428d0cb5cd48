package lifecycle

import (
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/myriad-mind/myriad"
)

// instance is one packet that runs, is to run, or has failed to. Its fields are guarded by Manager.mu where nothing else is said; those of its
// life belong to the goroutine of that name.
type instance struct {
	id     string
	agent  string
	halted chan struct{} // closed when the instance is to end
	turn   chan struct{} // closed when it has its permit; made only if it has to wait for one, by whoever begins to wait
	wanted chan struct{} // closed when somebody needs it that was only asked for in passing; nil for all others
	abort  func()        // calls off a start under way
	over   bool          // nothing of it is left
	gone   chan struct{} // closed then; made by the first who waits for it

	machine machine
	reason  string // of the last move
	entry   myriad.QueueEntry
	packet  *myriad.Packet // shared, not to be changed; nil until it was read
	host    *host
	limits  myriad.Limits
	permit  *permit
	askers  map[*asker]struct{} // nil when there are none
	live    *live               // of the present or last stretch of being ready
	running myriad.Instance
	began   time.Time // when it was to start first
	decided time.Time // when it was to start last
	readyAt time.Time
	cold    time.Duration
	jitter  float64   // 0.9..1.1, of its age
	retire  time.Time // when its age is looked at again, after a replacement failed
	heir    string    // it takes the place of another instance, which ends for this reason
	waits   bool      // it is in the queue for people to see
	kept    bool      // its entry is in the store
	paused  bool      // its life goes on when it is halted
	passing bool      // only those asked for it who are served as well without it; while it is ready, live.passing says whether that still holds
	resting bool      // it crashed, and waits to be started again
	buried  time.Time // when it failed for good
	cleared bool      // it is to be forgotten as soon as it is buried
	crashes int       // restarts after crashes
	dated   bool      // its packet was written anew or deleted since
	fault   string    // why it failed
	hurried bool      // somebody waits for its room; not written any more once halted is closed
	lastLog string
	missing []string  // limits that are not in force
	asked   *usageAsk // the question for its usage that is under way

	// Of its life.
	recorded bool // its record is in the store
	left     bool // it could not be stopped
}

// newInstance makes an instance in the state queued. The id is that of its queue entry too.
func (m *Manager) newInstance(id, agent string) *instance {
	if id == "" {
		id = uuid.Must(uuid.NewV7()).String()
	}
	return &instance{id: id, agent: agent, halted: make(chan struct{}), began: time.Now(), jitter: 0.9 + 0.2*rand.Float64()}
}

// move moves the instance and tells so; false when the move is not legal, because somebody else moved it first. mu is held.
func (m *Manager) move(i *instance, next state, reason string) bool {
	from := i.machine.state()
	if !i.machine.move(next) {
		return false
	}
	i.reason = reason
	m.tellMove(i, from.String(), next, reason)
	return true
}

// tellMove posts the event and the log line of a move; from is "" for an instance that begins to wait.
func (m *Manager) tellMove(i *instance, from string, next state, reason string) {
	n := notice{event: myriad.Event{Kind: myriad.KindInstance, At: time.Now(), Agent: i.agent, Instance: i.id, From: from, To: next.String(), Reason: reason}}
	if i.host != nil {
		n.event.Runtime = i.host.name
	}
	n.level = slog.LevelInfo
	switch next {
	case ready:
		n.event.Duration = i.cold
	case failed:
		n.level = slog.LevelWarn
	}
	n.text, n.fault, n.lastLog = moveText, i.fault, i.lastLog
	m.out.post(n)
}

// moveText is the log line of a move, whose attributes are made when it is told.
const moveText = "instance changed"

// moveAttrs are what a log line says of a move.
func (n *notice) moveAttrs() []slog.Attr {
	e := &n.event
	attrs := append(make([]slog.Attr, 0, 8), slog.String("agent", e.Agent), slog.String("instance", e.Instance), slog.String("from", e.From), slog.String("to", e.To))
	if e.Runtime != "" {
		attrs = append(attrs, slog.String("runtime", e.Runtime))
	}
	if e.Reason != "" {
		attrs = append(attrs, slog.String("reason", e.Reason))
	}
	switch e.To {
	case ready.String():
		attrs = append(attrs, slog.Duration("cold_start", e.Duration))
	case failed.String():
		attrs = append(attrs, slog.String("error", n.fault), slog.String("last_log", tail(n.lastLog)))
	}
	return attrs
}

// tail is the end of a log, short enough for one line.
func tail(log string) string {
	const most = 512
	if len(log) > most {
		return "..." + log[len(log)-most:]
	}
	return log
}

// revision is that of the packet; 0 when it was not read yet.
func (i *instance) revision() int64 {
	if i.packet == nil {
		return 0
	}
	return i.packet.Revision
}

// counts says whether the instance holds resources.
func (i *instance) counts() bool { return i.permit != nil && !i.permit.returned }

// aliveFor is how long a ready instance has been ready.
func (i *instance) aliveFor() time.Duration { return time.Since(i.readyAt) }

// inPassing says whether nobody has needed the instance yet who would not be served as well without it. mu is held.
func (i *instance) inPassing() bool {
	return i.passing && (i.live == nil || i.live.passing.Load())
}

// need notes that somebody needs an instance that may only have been asked for in passing until now. mu is held.
func (m *Manager) need(i *instance) {
	if i.live != nil {
		i.live.need()
	}
	if !i.passing {
		return
	}
	m.queue.need(i)
	if i.wanted != nil {
		close(i.wanted)
	}
}

// concept is what people know the instance by.
func (i *instance) concept() string {
	if i.entry.Concept != "" {
		return i.entry.Concept
	}
	if i.packet != nil {
		if keys := i.packet.Agent.ConceptKeys(); len(keys) > 0 {
			return keys[0]
		}
	}
	return ""
}

// resident is what is remembered of one agent. It is guarded by Manager.mu.
type resident struct {
	now       *instance   // whom askers get or wait for: queued, starting, ready, or resting after a crash
	next      *instance   // starts to take its place
	grave     *instance   // the last one that failed
	fails     int         // one after the other
	coolUntil time.Time   //
	fault     string      // why it cools down
	crashes   []time.Time // within the window
}

func (m *Manager) resident(agent string) *resident {
	r := m.residents[agent]
	if r == nil {
		r = &resident{}
		m.residents[agent] = r
	}
	return r
}

// leave takes an instance out of its agent's places. mu is held.
func (m *Manager) leave(i *instance) {
	r := m.residents[i.agent]
	if r == nil {
		return
	}
	if r.next == i {
		r.next = nil
	}
	if r.now == i {
		r.now, r.next = r.next, nil
	}
	if r.grave == i {
		r.grave = nil
	}
	m.tidy(i.agent, r)
}

// tidy forgets an agent of whom there is nothing to remember. It says when that may be the case, zero when it depends on an instance.
func (m *Manager) tidy(agent string, r *resident) time.Time {
	if r.now != nil || r.next != nil || r.grave != nil {
		return time.Time{}
	}
	until := r.coolUntil
	if r.fails > 0 { // how often it failed decides how long it cools down next time
		until = until.Add(m.cfg.MaxCoolDown)
	}
	r.crashes = slices.DeleteFunc(r.crashes, func(t time.Time) bool { return time.Since(t) >= m.cfg.RestartWindow })
	for _, at := range r.crashes {
		if end := at.Add(m.cfg.RestartWindow); end.After(until) {
			until = end
		}
	}
	if !until.After(time.Now()) {
		delete(m.residents, agent)
		return time.Time{}
	}
	return until
}
