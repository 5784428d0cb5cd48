package call

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/egress"
	"github.com/myriad-mind/myriad/internal/resilience"
)

// Slots are given out by the dispatcher.
type Slots interface {
	// Try gets a slot of the candidate's endpoint now or never.
	Try(c myriad.Candidate) (myriad.Slot, bool)
	// Park lets the endpoint give no slot until d has passed.
	Park(key string, d time.Duration)
	// SetLimit puts the number of the endpoint's slots in place of the one its agent asks for.
	SetLimit(key string, n int)
}

// Config of a Caller. Zero values are usable where a default is named.
type Config struct {
	Slots Slots       // must be set
	Sink  myriad.Sink // nil: told to nobody

	Version        string                                // of Myriad, for User-Agent; "" is "dev"
	Dial           DialFunc                              // connects and enforces the network policy; nil: the default policy of egress
	Proxy          func(*http.Request) (*url.URL, error) // nil: none
	TLS            *tls.Config                           // nil: the system's roots
	MaxConns       int                                   // idle connections kept, in all and of one host; 0 is 100
	MaxPerHost     int                                   // connections of one host; at least as many as there are slots; 0 is MaxConns
	ConnectTimeout time.Duration                         // look-up and connect, and the TLS handshake after it; 0 is 10 s
	AttemptTimeout time.Duration                         // one exchange, connecting included; 0 is 10 s
	MaxJob         int                                   // bytes of one job; 0 is 8 MiB
	MaxAnswer      int                                   // bytes of one answer; 0 is 4 MiB

	// ReadingIntents may be repeated whichever agent serves them, by their canonical form; nil is DefaultReadingIntents, empty is none.
	ReadingIntents []string

	MaxAttempts int                     // at one task within one Call, hedges not counted; 0 is 3, 1 is no retry
	Backoff     resilience.Backoff      // before the same agent is tried again
	Budget      resilience.BudgetConfig // of retries and hedges, for each concept
	Hedge       resilience.Hedge        // when to hedge
	NoHedge     bool                    // never hedge
	// Lease holds the instance of an agent that has a template, so that it is not stopped under an attempt; release is called once. ok is
	// false when the instance is not there any more. nil: instances come and go as they like.
	Lease func(a *myriad.Agent) (release func(), ok bool)

	// Local is what answers at a URL of this process, nil when nothing does: then the request goes out over the network. The handler is called in
	// the goroutine of the attempt, and so must answer from memory, without waiting for anything: nothing ends it before it returns.
	Local func(to *url.URL) http.Handler

	Breaker   resilience.BreakerConfig // of every endpoint
	Adaptive  *resilience.LimitConfig  // nil: the agents' own max_concurrency holds
	MaxSeries int                      // statistics kept, by agent and intent; 0 is 10,000
}

// DefaultReadingIntents only read, by their meaning (design, "Safety of repetition").
var DefaultReadingIntents = []string{
	"define", "describe", "explain", "explain_impact", "explain_limitation", "analyze", "analyze_impact", "analyze_historical_context",
	"compare", "evaluate", "summarize", "classify", "translate", "search", "lookup",
}

// Validate names every mistake in c at once.
func (c Config) Validate() error {
	var errs []error
	negative := func(name string, v int64) {
		if v < 0 {
			errs = append(errs, fmt.Errorf("%s %d is negative", name, v))
		}
	}
	if c.Slots == nil {
		errs = append(errs, errors.New("slots are missing"))
	}
	negative("max connections", int64(c.MaxConns))
	negative("max connections per host", int64(c.MaxPerHost))
	negative("connect timeout", int64(c.ConnectTimeout))
	negative("attempt timeout", int64(c.AttemptTimeout))
	negative("max job", int64(c.MaxJob))
	negative("max answer", int64(c.MaxAnswer))
	negative("max attempts", int64(c.MaxAttempts))
	if err := c.Breaker.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("breaker: %w", err))
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	if c.Sink == nil {
		c.Sink = myriad.Discard
	}
	c.Version = cmp.Or(c.Version, "dev")
	c.MaxConns = cmp.Or(c.MaxConns, 100)
	c.MaxPerHost = cmp.Or(c.MaxPerHost, c.MaxConns)
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, egress.DefaultConnectTimeout)
	c.AttemptTimeout = cmp.Or(c.AttemptTimeout, 10*time.Second)
	c.MaxJob = cmp.Or(c.MaxJob, 8<<20)
	c.MaxAnswer = cmp.Or(c.MaxAnswer, 4<<20)
	c.MaxAttempts = cmp.Or(c.MaxAttempts, 3)
	if c.ReadingIntents == nil {
		c.ReadingIntents = DefaultReadingIntents
	}
	if c.Dial == nil {
		c.Dial = egress.NewDialer(nil, egress.Options{ConnectTimeout: c.ConnectTimeout}).DialContext
	}
	// A probe that outlives its lease would let a second one through.
	c.Breaker.ProbeLease = max(c.Breaker.ProbeLease, c.AttemptTimeout+30*time.Second)
	return c
}
