package httpapi

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/myriad-mind/myriad"
)

func breakerEvent(n int) myriad.Event {
	return myriad.Event{Kind: myriad.KindBreaker, At: noon, Circuit: fmt.Sprint("c", n), From: "closed", To: "open", Reason: "failures", RetryAfter: 30 * time.Second}
}

// listen opens /v1/events and returns when it is heard.
func (w *world) listen(lastID string) (*eventReader, io.Closer) {
	w.t.Helper()
	headers := []string{}
	if lastID != "" {
		headers = []string{"Last-Event-ID", lastID}
	}
	res := w.open("GET", "/v1/events", "", headers...)
	w.t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != 200 {
		w.t.Fatalf("got %d", res.StatusCode)
	}
	return newEventReader(res.Body), res.Body
}

func TestEventsAreHeardLive(t *testing.T) {
	w := newWorld(t)
	w.api.Hub.Emit(breakerEvent(0)) // before anyone listened
	events, _ := w.listen("")
	w.api.Hub.Emit(breakerEvent(1))
	w.api.Hub.Emit(myriad.Event{Kind: myriad.KindTaskFinished, TaskID: "1"}) // belongs to a run's own stream
	w.api.Hub.Emit(myriad.Event{Kind: myriad.KindAgentGone, Agent: "a", Endpoint: "http://h"})
	e := events.next(t)
	if want := `{"kind":"breaker.changed","at":"2026-11-24T12:00:00Z","circuit":"c1","from":"closed","to":"open","reason":"failures","retry_after_ms":30000}`; e.kind != "breaker.changed" || e.data != want {
		t.Errorf("got %+v", e)
	}
	if e := events.next(t); e.kind != "agent.gone" {
		t.Errorf("got %+v", e)
	}
	w.api.Hub.Close()
	w.api.Hub.Close() // harmless
	events.end(t)
	w.do("GET", "/v1/events", "").problem(t, 503, myriad.CodeDraining)
}

func TestEventsResume(t *testing.T) {
	w := newWorld(t)
	events, body := w.listen("")
	for n := range 3 {
		w.api.Hub.Emit(breakerEvent(n))
	}
	first := events.next(t)
	_ = body.Close()
	events, _ = w.listen(first.id)
	for n := 1; n < 3; n++ {
		if e := events.next(t); !strings.Contains(e.data, fmt.Sprintf(`"c%d"`, n)) {
			t.Errorf("got %+v, want event %d", e, n)
		}
	}
}

// TestEventsOfAnotherLife: an id from before a restart leads to a gap of unknown size, then to what there is.
func TestEventsOfAnotherLife(t *testing.T) {
	w := newWorld(t)
	w.api.Hub.Emit(breakerEvent(1))
	events, _ := w.listen("otherlife-99")
	if e := events.next(t); e.kind != kindGap || e.data != `{"lost":0,"reason":"restart"}` {
		t.Errorf("got %+v", e)
	}
	if e := events.next(t); e.kind != "breaker.changed" {
		t.Errorf("got %+v", e)
	}
}

// TestSlowSubscriberSeesAGap: one that does not read while the ring turns over blocks nobody, and is told how many events it lost.
func TestSlowSubscriberSeesAGap(t *testing.T) {
	w := newWorld(t)
	events, _ := w.listen("")
	pad := strings.Repeat("x", 16<<10) // fills the socket's buffers, so that the server's side of it stands still
	const total = 8 * ringSize
	for n := range total {
		w.api.Hub.Emit(myriad.Event{Kind: myriad.KindBreaker, At: noon, Circuit: fmt.Sprint(n), Reason: pad})
	}
	heard, lost, gaps := 0, uint64(0), 0
	for heard+int(lost) < total {
		e := events.next(t)
		if e.kind != kindGap {
			var h Happening
			if err := json.Unmarshal([]byte(e.data), &h); err != nil || h.Circuit != fmt.Sprint(heard+int(lost)) {
				t.Fatalf("after %d heard and %d lost came event %s (%v)", heard, lost, h.Circuit, err)
			}
			heard++
			continue
		}
		var gap Gap
		if err := json.Unmarshal([]byte(e.data), &gap); err != nil || gap.Reason != "slow" || gap.Lost == 0 {
			t.Fatalf("got the gap %s", e.data)
		}
		lost += gap.Lost
		gaps++
	}
	if gaps == 0 {
		t.Error("nothing was lost: the test shows nothing")
	}
}

func TestSubscribersAreBounded(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxSubscribers = 2 })
	w.listen("")
	_, second := w.listen("")
	if got := w.do("GET", "/v1/events", ""); got.header.Get("Retry-After") == "" {
		t.Errorf("got %v", got.header)
	} else {
		got.problem(t, 429, myriad.CodeOverloaded)
	}
	_ = second.Close()
	for { // the server notices
		res := w.open("GET", "/v1/events", "")
		_ = res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return
		}
	}
}

// TestHubLosesNothingUncounted: however subscribers read, every event is read or in a gap, in order.
func TestHubLosesNothingUncounted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := NewHub()
		sub, err := h.subscribe("", 1)
		if err != nil {
			t.Fatal(err)
		}
		defer sub.close()
		emitted, seen := 0, uint64(0)
		for range rapid.IntRange(1, 30).Draw(t, "rounds") {
			for range rapid.IntRange(0, 3*ringSize/2).Draw(t, "emit") {
				emitted++
				h.Emit(myriad.Event{Kind: myriad.KindBreaker, At: noon, Circuit: fmt.Sprint(emitted)})
			}
			events, first, gap, _, _ := sub.next(rapid.IntRange(1, 2*ringSize).Draw(t, "take"))
			if gap != nil {
				seen += gap.Lost
			}
			if len(events) > 0 && first != seen+1 {
				t.Fatalf("after %d events come those from %d on", seen, first)
			}
			for _, e := range events {
				seen++
				if e.Circuit != fmt.Sprint(seen) {
					t.Fatalf("event %d is %+v", seen, e)
				}
			}
		}
		for {
			events, _, gap, _, _ := sub.next(ringSize)
			if gap != nil {
				seen += gap.Lost
			}
			if seen += uint64(len(events)); len(events) == 0 {
				break
			}
		}
		if seen != uint64(emitted) {
			t.Fatalf("%d of %d events are accounted for", seen, emitted)
		}
	})
}

// TestHubUnderManyHands: emitters, readers that come and go, and a close at any moment.
func TestHubUnderManyHands(t *testing.T) {
	h := NewHub()
	sub, err := h.subscribe("", 100) // before there is anything to miss
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for n := range 2000 {
				h.Emit(breakerEvent(n))
			}
		})
		all.Go(func() {
			for {
				sub, err := h.subscribe("", 100)
				if err != nil {
					return // closed
				}
				for range 50 {
					events, _, _, wake, open := sub.next(eventBatch)
					if !open {
						break
					}
					if len(events) == 0 {
						<-wake
					}
				}
				sub.close()
			}
		})
	}
	all.Go(func() {
		defer sub.close()
		for read := 0; read < 1500; {
			events, _, gap, wake, _ := sub.next(eventBatch)
			if read += len(events); gap != nil {
				read += int(gap.Lost)
			}
			if len(events) == 0 {
				<-wake
			}
		}
		h.Close()
	})
	all.Wait()
}
