package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/myriad-mind/myriad"
)

// progress shows a run as its events come: live on a terminal, plain lines elsewhere. event may be handed to Follow and Stream.
type progress struct {
	out   io.Writer
	style interface {
		event(kind string, data json.RawMessage)
		close()
	}
	finished *myriad.RunSummary // of run.finished
}

func newProgress(w io.Writer) *progress {
	p := &progress{out: w}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		p.style = newLiveView(f)
	} else {
		p.style = &plainView{out: w}
	}
	return p
}

func (p *progress) event(e myriad.RunEvent) error {
	p.style.event(e.Kind, e.Data)
	if e.Kind == myriad.EventRunFinished {
		p.finished = new(myriad.RunSummary)
		if err := json.Unmarshal(e.Data, p.finished); err != nil {
			return fmt.Errorf("read the run's summary: %w", err)
		}
	}
	return nil
}

func (p *progress) close() { p.style.close() }

// plainView writes one line an event.
type plainView struct{ out io.Writer }

func (v *plainView) event(kind string, data json.RawMessage) {
	switch kind {
	case myriad.EventRunStarted:
		var s myriad.RunStarted
		_ = json.Unmarshal(data, &s)
		fmt.Fprintf(v.out, "run %s started: %d tasks\n", s.RunID, len(s.Tasks))
	case myriad.EventTaskStarted:
		var s myriad.TaskStarted
		_ = json.Unmarshal(data, &s)
		fmt.Fprintf(v.out, "  %s started at %s\n", oneLine(s.TaskID.Key), s.Agent)
	case myriad.EventTaskFinished:
		var r myriad.Result
		_ = json.Unmarshal(data, &r)
		fmt.Fprintf(v.out, "  %s\n", resultLine(&r))
	case myriad.EventRunFinished:
		var s myriad.RunSummary
		_ = json.Unmarshal(data, &s)
		fmt.Fprintln(v.out, summaryLine(s))
	}
}

func (v *plainView) close() {}

func resultLine(r *myriad.Result) string {
	line := fmt.Sprintf("%s %s after %s", oneLine(r.TaskID.Key), oneLine(r.Status), millis(r.Provenance.DurationMS))
	if r.Provenance.Agent != "" {
		line += " by " + r.Provenance.Agent
	}
	if r.Provenance.Source == myriad.SourceCache || r.Provenance.Source == myriad.SourceDefault {
		line += " from " + source(r)
	}
	if !r.Succeeded {
		line += ": " + oneLine(r.ErrorMessage)
	}
	return line
}

// liveView redraws a bar and the tasks that run, ten times a second at most. Its goroutine ends with close.
type liveView struct {
	out  *os.File
	stop chan struct{}
	done sync.WaitGroup

	mu      sync.Mutex
	total   int
	failed  int
	ended   int
	running []runningTask
	started time.Time
	drawn   int // lines on the screen that the next drawing replaces
	last    string
}

type runningTask struct {
	key, agent string
	since      time.Time
}

func newLiveView(f *os.File) *liveView {
	v := &liveView{out: f, stop: make(chan struct{}), started: time.Now()}
	v.done.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-v.stop:
				return
			case <-tick.C:
				v.mu.Lock()
				v.draw()
				v.mu.Unlock()
			}
		}
	})
	return v
}

func (v *liveView) event(kind string, data json.RawMessage) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch kind {
	case myriad.EventRunStarted:
		var s myriad.RunStarted
		_ = json.Unmarshal(data, &s)
		v.total, v.started = len(s.Tasks), time.Now()
	case myriad.EventTaskStarted:
		var s myriad.TaskStarted
		_ = json.Unmarshal(data, &s)
		v.running = append(v.running, runningTask{s.TaskID.Key, s.Agent, time.Now()})
	case myriad.EventTaskFinished:
		var r myriad.Result
		_ = json.Unmarshal(data, &r)
		v.ended++
		if !r.Succeeded {
			v.failed++
		}
		v.last = resultLine(&r)
		for i, t := range v.running {
			if t.key == r.TaskID.Key {
				v.running = append(v.running[:i], v.running[i+1:]...)
				break
			}
		}
	}
}

// draw is called with mu held.
func (v *liveView) draw() {
	width, height, err := term.GetSize(int(v.out.Fd()))
	if err != nil || width < 20 {
		width, height = 80, 24
	}
	lines := []string{v.bar(width)}
	room := max(min(height-4, 12), 1)
	for i, t := range v.running {
		if i == room {
			lines = append(lines, fmt.Sprintf("  and %d more", len(v.running)-i))
			break
		}
		lines = append(lines, fmt.Sprintf("  %s at %s, %s", oneLine(t.key), t.agent, time.Since(t.since).Round(100*time.Millisecond)))
	}
	if v.last != "" {
		lines = append(lines, "  last: "+v.last)
	}
	var b strings.Builder
	v.erase(&b)
	for _, l := range lines {
		if r := []rune(l); len(r) >= width {
			l = string(r[:width-1])
		}
		b.WriteString(l + "\n")
	}
	v.drawn = len(lines)
	_, _ = v.out.WriteString(b.String())
}

// erase moves up over what was drawn and clears it; called with mu held.
func (v *liveView) erase(b *strings.Builder) {
	if v.drawn > 0 {
		fmt.Fprintf(b, "\x1b[%dA\x1b[J", v.drawn)
		v.drawn = 0
	}
}

func (v *liveView) bar(width int) string {
	cells := max(min(width-40, 40), 5)
	full := 0
	if v.total > 0 {
		full = cells * v.ended / v.total
	}
	text := fmt.Sprintf("[%s%s] %d/%d tasks, %s", strings.Repeat("#", full), strings.Repeat(".", cells-full), v.ended, v.total,
		time.Since(v.started).Round(100*time.Millisecond))
	if v.failed > 0 {
		text += fmt.Sprintf(", %d failed", v.failed)
	}
	return text
}

func (v *liveView) close() {
	close(v.stop)
	v.done.Wait()
	v.mu.Lock()
	defer v.mu.Unlock()
	var b strings.Builder
	v.erase(&b)
	b.WriteString(v.bar(80) + "\n")
	_, _ = v.out.WriteString(b.String())
}
