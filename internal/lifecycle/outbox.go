package lifecycle

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/myriad-mind/myriad"
)

// notice is one thing to tell: an event, a log line, or both.
type notice struct {
	event myriad.Event // of no kind: none
	level slog.Level
	text  string // "": no log line
	attrs []slog.Attr

	fault, lastLog string // of an instance that moved, as they were then
}

// mostSpare is how many notices there is room for when none wait.
const mostSpare = 256

// outbox tells notices in the order in which they were posted, one at a time and under no lock. Whoever finds the box idle tells what is in it;
// others leave theirs to them.
type outbox struct {
	sink myriad.Sink
	log  *slog.Logger

	mu      sync.Mutex
	waiting []notice // guarded by mu, as what follows
	spare   []notice // for waiting, once it was told
	telling bool
}

// post leaves a notice. It may be called under Manager.mu; deliver must follow.
func (o *outbox) post(n notice) {
	o.mu.Lock()
	o.waiting = append(o.waiting, n)
	o.mu.Unlock()
}

// deliver tells what waits, unless somebody else is at it.
func (o *outbox) deliver() {
	o.mu.Lock()
	if o.telling {
		o.mu.Unlock()
		return
	}
	o.telling = true
	for len(o.waiting) > 0 {
		batch := o.waiting
		o.waiting = o.spare
		o.mu.Unlock()
		for i := range batch {
			o.tell(&batch[i])
		}
		clear(batch)
		o.mu.Lock()
		o.spare = batch[:0]
		if cap(batch) > mostSpare {
			o.spare = nil
		}
	}
	o.telling = false
	o.mu.Unlock()
}

// tell survives a sink that panics: the others are still to be told.
func (o *outbox) tell(n *notice) {
	defer func() {
		if v := recover(); v != nil {
			o.log.Error("a listener of the fleet panicked", "panic", v, "stack", string(debug.Stack()))
		}
	}()
	if n.text != "" && o.log.Enabled(context.Background(), n.level) { // a handler's code, like that of the sink
		attrs := n.attrs
		if n.text == moveText {
			attrs = n.moveAttrs()
		}
		o.log.LogAttrs(context.Background(), n.level, n.text, attrs...)
	}
	if n.event.Kind != "" {
		o.sink.Emit(n.event)
	}
}

// panicked tells of a panic in what a part of the server or a caller gave us.
func (m *Manager) panicked(what string, value any) {
	stack := string(debug.Stack())
	m.out.post(notice{
		event: myriad.Event{Kind: myriad.KindPanic, At: time.Now(), Reason: fmt.Sprintf("%s: %v", what, value), Stack: stack},
		level: slog.LevelError, text: "panic while " + what, attrs: []slog.Attr{slog.Any("panic", value), slog.String("stack", stack)},
	})
	m.out.deliver()
}

// guarded calls into a runtime; a panic there is an error here.
func (m *Manager) guarded(what string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			m.panicked(what, v)
			err = myriad.Errorf(myriad.CodeInternal, "panic while %s: %v", what, v)
		}
	}()
	return f()
}
