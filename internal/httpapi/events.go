package httpapi

import (
	"context"
	"net/http"
)

// eventBatch is how many events a subscriber takes from the ring at once; while it sends them, it holds nothing.
const eventBatch = 64

// events streams what happens from now on, or from the event after Last-Event-ID on as far as it is still in the ring.
func (a *API) events(w *responder, r *http.Request, _ []byte) error {
	last, err := lastEventOf(r)
	if err != nil {
		return err
	}
	sub, err := a.Hub.subscribe(last, a.cfg.MaxSubscribers)
	if err != nil {
		return err
	}
	defer sub.close()
	return a.streaming(w, r, sub.feed)
}

// feed sends until the reader leaves or the hub closes.
func (s *subscription) feed(ctx context.Context, out *stream) error {
	out.comment() // the reader learns at once that it is heard
	for {
		events, first, gap, wake, open := s.next(eventBatch)
		if gap != nil {
			// A gap has the id of the event before the next one, so that a reader that comes back does not hear of it again.
			if err := out.event(s.hub.id(first-1), kindGap, mustJSON(gap)); err != nil {
				return err
			}
		}
		for i, e := range events {
			if err := out.event(s.hub.id(first+uint64(i)), string(e.Kind), mustJSON(e)); err != nil {
				return err
			}
		}
		switch {
		case len(events) > 0:
		case !open:
			return nil
		default:
			select {
			case <-wake:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}
