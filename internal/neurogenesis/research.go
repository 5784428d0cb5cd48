package neurogenesis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/myriad-mind/myriad"
)

// late is how long a source that was told to stop is waited for.
const late = time.Second

// research asks every source at once and gives their findings in the order of the sources. answered says that at least one of them did not
// fail, whether it found anything or not; away is why one failed that could ask nobody.
func (g *Grower) research(ctx context.Context, q Question) (findings []Finding, answered bool, away error) {
	type report struct {
		source   int
		findings []Finding
		err      error
	}
	asked, cancel := context.WithTimeout(ctx, g.cfg.SourceTimeout)
	defer cancel()
	reports := make(chan report, len(g.cfg.Sources)) // those who come too late must not be held
	for i, s := range g.cfg.Sources {
		g.running.Go(func() {
			found, err := g.ask(asked, s, q)
			reports <- report{i, found, err}
		})
	}
	over, cancelOver := context.WithTimeout(ctx, g.cfg.SourceTimeout+late)
	defer cancelOver()
	all := make([]report, len(g.cfg.Sources))
	for i := range all {
		all[i].err = errors.New("it did not answer in time")
	}
	for waiting := len(all); waiting > 0; waiting-- {
		select {
		case r := <-reports:
			all[r.source] = r
		case <-over.Done():
			waiting = 0
		}
	}
	for i, r := range all {
		if r.err != nil {
			g.cfg.Logger.Warn("a source of research failed", slog.String("source", g.cfg.Sources[i].Name()), slog.String("concept", q.Concept),
				slog.Any("error", r.err))
			if away == nil && unasked(r.err) {
				away = r.err
			}
			continue
		}
		answered = true
		findings = append(findings, g.sift(g.cfg.Sources[i].Name(), q, r.findings)...)
	}
	return findings, answered, away
}

// ask asks one source; its panic is its failure.
func (g *Grower) ask(ctx context.Context, s Source, q Question) (found []Finding, err error) {
	defer func() {
		if p := recover(); p != nil {
			g.panicked(p)
			found, err = nil, fmt.Errorf("it panicked: %v", p)
		}
	}()
	return s.Research(ctx, q)
}

// panicked tells of a panic that was caught.
func (g *Grower) panicked(p any) {
	g.cfg.Sink.Emit(myriad.Event{Kind: myriad.KindPanic, At: time.Now(), Reason: fmt.Sprint(p), Stack: string(debug.Stack())})
}

// sift keeps the findings of a source that can be used.
func (g *Grower) sift(source string, q Question, found []Finding) (kept []Finding) {
	for i := range found {
		f := found[i]
		if f.Source == "" {
			f.Source = source
		}
		why := f.sound()
		if len(kept) == maxFindings {
			why = "there are too many"
		}
		if why != "" {
			g.cfg.Logger.Warn("a finding is passed over", slog.String("source", source), slog.String("concept", q.Concept), slog.String("because", why))
			continue
		}
		kept = append(kept, f)
	}
	return kept
}
