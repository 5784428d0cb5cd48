package httpapi

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/myriad-mind/myriad"
)

// ringSize is how many events are kept for subscribers that are slow or come back; a power of two.
const ringSize = 1024

// Happening is the data of an event of GET /v1/events. Fields that do not apply are absent.
type Happening struct {
	Kind         myriad.EventKind `json:"kind"`
	At           time.Time        `json:"at"`
	Agent        string           `json:"agent,omitempty"`
	Endpoint     string           `json:"endpoint,omitempty"`
	Concept      string           `json:"concept,omitempty"`
	Instance     string           `json:"instance,omitempty"`
	Runtime      string           `json:"runtime,omitempty"`
	Circuit      string           `json:"circuit,omitempty"`
	From         string           `json:"from,omitempty"`
	To           string           `json:"to,omitempty"`
	Reason       string           `json:"reason,omitempty"`
	Count        *int64           `json:"count,omitempty" jsonschema:"how many were lost, or wait in the fleet's queue now"`
	DurationMS   float64          `json:"duration_ms,omitempty"`
	RetryAfterMS int64            `json:"retry_after_ms,omitempty"`
}

// Gap is the data of the event "gap": events that this subscriber will not see.
type Gap struct {
	Lost   uint64 `json:"lost" jsonschema:"how many; 0 when that cannot be known"`
	Reason string `json:"reason" jsonschema:"slow: they were overwritten unread; restart: the server began anew"`
}

// kindGap marks lost events in a stream.
const kindGap = "gap"

// published are the kinds of events that subscribers see; those of every task are not among them, a run has its own stream.
func published(k myriad.EventKind) bool {
	switch k {
	case myriad.KindBreaker, myriad.KindParked, myriad.KindAgentPut, myriad.KindAgentGone, myriad.KindGraphStale, myriad.KindGraphFresh,
		myriad.KindInstance, myriad.KindQueue, myriad.KindNeurogenesis, myriad.KindEvicted, myriad.KindUnenforced, myriad.KindLost:
		return true
	}
	return false
}

// Hub is a sink that keeps the last events in a ring, from which every subscriber reads at its own pace. A subscriber that falls a whole
// ring behind loses events, and learns how many; nobody waits for it.
type Hub struct {
	boot string // names this life of the ring in event ids

	mu     sync.Mutex // guards the rest
	ring   [ringSize]Happening
	last   uint64 // number of the newest event; they count from 1
	wake   chan struct{}
	subs   int
	closed bool
}

// NewHub makes a hub. Its identity is the moment it was made.
func NewHub() *Hub {
	return &Hub{boot: strconv.FormatInt(time.Now().UnixMicro(), 36), wake: make(chan struct{})}
}

// Emit keeps e when subscribers may see it. It takes a lock for those events only, and never waits for a reader.
func (h *Hub) Emit(e myriad.Event) {
	if !published(e.Kind) {
		return
	}
	if e.At.IsZero() {
		e.At = time.Now()
	}
	happened := Happening{Kind: e.Kind, At: e.At.UTC(), Agent: e.Agent, Endpoint: e.Endpoint, Concept: e.Concept, Instance: e.Instance,
		Runtime: e.Runtime, Circuit: e.Circuit, From: e.From, To: e.To, Reason: e.Reason, DurationMS: myriad.Millis(e.Duration),
		RetryAfterMS: e.RetryAfter.Milliseconds()}
	if e.Count != 0 || e.Kind == myriad.KindQueue { // an empty queue is news too
		count := e.Count // a copy, so that other events stay off the heap
		happened.Count = &count
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	h.last++
	h.ring[h.last%ringSize] = happened // whoever reads it writes it as JSON: nearly always nobody does
	if h.subs > 0 {
		close(h.wake)
		h.wake = make(chan struct{})
	}
}

// Close ends every subscription. More than once is harmless.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.closed = true
		close(h.wake)
	}
}

// subscription is one reader's place in the ring. It is for one goroutine.
type subscription struct {
	hub   *Hub
	after uint64 // number of the last event read
	gap   *Gap   // told before anything else
}

// subscribe begins after the event that lastID names: that of an earlier answer, or "" for now. At most limit readers are let in.
func (h *Hub) subscribe(lastID string, limit int) (*subscription, error) {
	after, gap, err := h.place(lastID)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return nil, myriad.Errorf(myriad.CodeDraining, "the server is shutting down")
	case h.subs >= limit:
		return nil, &myriad.Error{Code: myriad.CodeOverloaded, Message: "there are as many subscribers as are let in", RetryAfter: time.Minute}
	}
	h.subs++
	if lastID == "" || after > h.last {
		after = h.last
	}
	return &subscription{hub: h, after: after, gap: gap}, nil
}

// place reads an event id. One of an earlier life of the server is behind a gap of unknown size.
func (h *Hub) place(id string) (after uint64, gap *Gap, err error) {
	if id == "" {
		return 0, nil, nil
	}
	boot, number, _ := strings.Cut(id, "-")
	_, alien := strconv.ParseUint(boot, 36, 64) // no hub has such a name
	after, err = strconv.ParseUint(number, 10, 64)
	if alien != nil || err != nil {
		return 0, nil, notAnID("must be the id of an event of this stream, such as " + h.id(1))
	}
	if boot != h.boot {
		return 0, &Gap{Reason: "restart"}, nil
	}
	return after, nil, nil
}

// id is the number of an event as the stream gives it.
func (h *Hub) id(number uint64) string { return h.boot + "-" + strconv.FormatUint(number, 10) }

// next gives the events since the last call, at most max; lost is told first when some were overwritten. With nothing new, wake is closed when
// there is, and open is false when there never will be.
func (s *subscription) next(max int) (events []Happening, first uint64, gap *Gap, wake <-chan struct{}, open bool) {
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	gap, s.gap = s.gap, nil
	if oldest := h.last - min(h.last, ringSize); s.after < oldest {
		lost := oldest - s.after
		s.after = oldest
		if gap == nil {
			gap = &Gap{Lost: lost, Reason: "slow"}
		}
	}
	first = s.after + 1
	for n := first; n <= h.last && len(events) < max; n++ {
		events = append(events, h.ring[n%ringSize])
	}
	s.after += uint64(len(events))
	return events, first, gap, h.wake, !h.closed
}

func (s *subscription) close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.hub.subs--
}
