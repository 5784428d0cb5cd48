package lifecycle

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/myriad-mind/myriad"
)

// phase is how far the Manager itself has come.
type phase uint8

const (
	fresh   phase = iota // Start was not called yet
	running              //
	ending               // Drain was called
)

// Manager is the fleet. Call Start, then keep Run running, then Drain. It is safe for concurrent use.
type Manager struct {
	cfg     Config
	epoch   time.Time
	hosts   []*host
	board   board
	packets *memo       // cfg.Store
	hungry  atomic.Bool // unmet, for those who do not hold mu
	out     outbox
	turns   turns
	lessons lessons

	ctx     context.Context // of work on the manager's own account; ends with Drain
	cancel  context.CancelFunc
	kill    context.Context // when it ends, instances are killed without more grace
	killNow context.CancelFunc
	abandon context.Context // when it ends, even what could not be stopped is left behind
	giveUp  context.CancelFunc
	behind  sync.WaitGroup // goroutines that write behind: lessons and packets
	asking  sync.WaitGroup // goroutines that ask instances what they use
	kick    chan struct{}  // due is earlier than Run thinks
	unsync  chan struct{}  // some packet may not be in the graph
	drained chan struct{}  // closed when Drain is through

	mu        sync.Mutex
	phase     phase                // guarded by mu, as all that follows
	limits    myriad.FleetLimits   //
	room      room                 //
	queue     queue                //
	unmet     bool                 // somebody waits, or the limits were lowered, and no idle instance can give way
	starved   *instance            // the first who waits for whom none can; nil when it is the limits alone
	residents map[string]*resident // by agent: whatever is remembered of it
	instances map[string]*instance // by id: all that have not stopped
	learners  map[string]*instance // by agent that learns: the one instance of which something may be left, which alone is told things
	due       time.Time            // when Run looks again; zero is never
	lives     int                  // instances whose life is not over; it has no goroutine while it pauses
	lifeless  chan struct{}        // closed by the last of them, while ending
	answers   []func()             // to be called when mu is free
	depth     int                  // of the queue, as it was told last
	drainErr  error
}

// New makes a Manager that does nothing yet. It is CodeInvalid when cfg has mistakes.
func New(cfg Config) (*Manager, error) {
	if err := cfg.Validate(); err != nil {
		return nil, myriad.Errorf(myriad.CodeInvalid, "fleet: %w", err)
	}
	cfg = cfg.withDefaults()
	packets := newMemo(cfg.Store)
	cfg.Store = packets
	m := &Manager{
		cfg: cfg, packets: packets, epoch: time.Now(), limits: cfg.Limits, out: outbox{sink: cfg.Sink, log: cfg.Logger},
		kick: make(chan struct{}, 1), unsync: make(chan struct{}, 1), drained: make(chan struct{}),
		residents: map[string]*resident{}, instances: map[string]*instance{}, learners: map[string]*instance{}, lifeless: make(chan struct{}),
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.kill, m.killNow = context.WithCancel(context.Background())
	m.abandon, m.giveUp = context.WithCancel(context.Background())
	m.room.set(m.limits)
	m.turns.held = map[string]*turn{}
	m.lessons.init()
	for _, rt := range cfg.Runtimes {
		m.hosts = append(m.hosts, newHost(rt, cfg))
	}
	return m, nil
}

// now is the time since the Manager was made, in nanoseconds: half the price of time.Now.
func (m *Manager) now() int64 { return int64(time.Since(m.epoch)) }

func (m *Manager) lock() { m.mu.Lock() }

// unlock frees mu, and then tells and answers what came up while it was held.
func (m *Manager) unlock() {
	if depth := m.queue.shown; depth != m.depth {
		m.depth = depth
		m.out.post(notice{event: myriad.Event{Kind: myriad.KindQueue, At: time.Now(), Count: int64(depth)}})
	}
	answers := m.answers
	m.answers = nil
	m.mu.Unlock()
	m.out.deliver()
	for _, answer := range answers {
		m.call(answer)
	}
}

// call survives an asker that panics: the others are still to be answered.
func (m *Manager) call(answer func()) {
	defer func() {
		if v := recover(); v != nil {
			m.panicked("answering an asker", v)
		}
	}()
	answer()
}

// background runs f until the Manager's context ends; Drain waits for it. Once Drain was called it does nothing.
func (m *Manager) background(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.phase == running {
		m.behind.Go(f)
	}
}

// dueBy has Run look at what is due at that moment at the latest. mu is held.
func (m *Manager) dueBy(at time.Time) {
	if m.due.IsZero() || at.Before(m.due) {
		m.due = at
		signal(m.kick)
	}
}

// signal sends on a channel of one place, if there is a place.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// storeTime bounds one question to the store that nobody's deadline bounds.
const storeTime = 10 * time.Second

// asking is the context of a question to the store that must be asked also while everything ends.
func asking() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), storeTime)
}

// surely tries something a few times that is to be done sooner or later, like removing a row, and logs when it cannot be done.
func (m *Manager) surely(what string, f func(ctx context.Context) error) {
	const tries = 4
	wait := 50 * time.Millisecond
	for try := 1; ; try++ {
		ctx, cancel := asking()
		err := f(ctx)
		cancel()
		if err == nil {
			return
		}
		if try == tries {
			m.cfg.Logger.Error("the fleet could not "+what, "error", err)
			return
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-m.abandon.Done():
		}
		timer.Stop()
		wait *= 4
	}
}
