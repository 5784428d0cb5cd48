package demo

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
)

// DefaultThink is how long each job of the demo's agents takes at least: in place of the model or service that a real agent would ask.
const DefaultThink = 20 * time.Millisecond

// Options say what to audit and how to show it.
type Options struct {
	Dir      string         // the folder; "" is the working directory's README and docs
	MaxFiles int            // documents at most; DefaultMaxFiles when 0
	Think    time.Duration  // DefaultThink when 0, none when negative
	Server   *client.Client // a server that is ready; the agents are registered with it
	Out      io.Writer      // the report, then what happened
	Progress func(Step)     // told of every step, from one goroutine; may be nil
	Chaos    Chaos          // what the second act may do to the server

	OnlyFirst bool // no second act
	Grow      bool // a third act: the server grows agents for what nobody knows
	// Hold, when set, is called at the end, while the agents still answer.
	Hold func(ctx context.Context)
}

// Chaos are the server's parts that the second act takes away. Nil parts are left alone.
type Chaos struct {
	CloseGraph func(d time.Duration) // makes the graph unreachable for d; returns at once
}

// Step is one step of a run, for showing progress.
type Step struct {
	Act         int    // 1, 2 or 3
	Kind        string // an event of the run: myriad.EventTaskStarted and so on
	Task, Agent string
	Done, Total int
	Result      *myriad.Result // of a finished task
}

// Outcome is what the acts came to.
type Outcome struct {
	First, Second, Third *Act // nil when there was none
	Report               string
}

// Act is one run, with its results by task id.
type Act struct {
	Summary myriad.RunSummary
	Order   []string // task ids as they were planned
	Results map[string]myriad.Result
}

// Run audits the documents through the server, shows the report and what happened, and then does it again while agents fail. An error is
// of the demo itself; what agents could not do is told in the report and in Outcome.
func Run(ctx context.Context, o Options) (*Outcome, error) {
	o.MaxFiles = cmp.Or(o.MaxFiles, DefaultMaxFiles)
	o.Think = cmp.Or(o.Think, DefaultThink)
	l, err := openLibrary(cmp.Or(o.Dir, "."), o.Dir != "", o.MaxFiles)
	if err != nil {
		return nil, err
	}
	if len(l.files) == 0 {
		return nil, myriad.Errorf(myriad.CodeInvalid, "no Markdown or text documents in %s", l.dir)
	}
	fleet, err := startFleet(ctx, l, max(o.Think, 0))
	if err != nil {
		return nil, err
	}
	defer fleet.Close()
	for _, a := range fleet.Agents() {
		if _, err := o.Server.PutAgent(ctx, a); err != nil {
			return nil, fmt.Errorf("register %s: %w", a.Name, err)
		}
	}
	s := &stage{Options: o, library: l, fleet: fleet, out: bufio.NewWriter(o.Out)}
	outcome, err := s.play(ctx)
	if flushed := s.out.Flush(); err == nil && flushed != nil {
		err = fmt.Errorf("write the report: %w", flushed)
	}
	if err == nil && o.Hold != nil {
		o.Hold(ctx)
	}
	return outcome, err
}

// stage is one performance of the demo.
type stage struct {
	Options
	library *library
	fleet   *Fleet
	out     *bufio.Writer
}

func (s *stage) printf(format string, args ...any) { fmt.Fprintf(s.out, format, args...) }

func (s *stage) play(ctx context.Context) (*Outcome, error) {
	folder, err := filepath.Abs(s.library.dir)
	if err != nil {
		folder = s.library.dir
	}
	plan := Plan(reportArgs{Folder: filepath.Base(folder), Files: s.library.files, Left: s.library.left, Skipped: s.library.skipped})
	outcome := &Outcome{}
	if outcome.First, err = s.act(ctx, 1, plan, nil); err != nil {
		return outcome, err
	}
	var text string
	if text, err = outcome.First.report(); err != nil {
		return outcome, err
	}
	outcome.Report = text
	s.printf("%s\n", text)
	s.happened(outcome.First)
	if !s.OnlyFirst {
		if outcome.Second, err = s.second(ctx, plan, outcome); err != nil {
			return outcome, err
		}
	}
	if s.Grow {
		if outcome.Third, err = s.third(ctx, outcome.First); err != nil {
			return outcome, err
		}
	}
	s.goOn()
	return outcome, s.out.Flush()
}

// act carries plan out over the event stream. each is told of every event before Progress; it may be nil.
func (s *stage) act(ctx context.Context, number int, plan client.Plan, each func(Step)) (*Act, error) {
	a := &Act{Results: make(map[string]myriad.Result, len(plan.Tasks))}
	for _, t := range plan.Tasks {
		a.Order = append(a.Order, t.ID)
	}
	err := s.Server.Stream(ctx, plan, func(ev myriad.RunEvent) error {
		step := Step{Act: number, Kind: ev.Kind, Total: len(plan.Tasks)}
		if err := a.take(ev, &step); err != nil {
			return err
		}
		step.Done = len(a.Results)
		if each != nil {
			each(step)
		}
		if s.Progress != nil {
			s.Progress(step)
		}
		return nil
	})
	if err != nil {
		return a, fmt.Errorf("carry out the plan: %w", err)
	}
	return a, nil
}

// take decodes one event into the act and the step.
func (a *Act) take(ev myriad.RunEvent, step *Step) error {
	switch ev.Kind {
	case myriad.EventTaskStarted:
		var started myriad.TaskStarted
		if err := json.Unmarshal(ev.Data, &started); err != nil {
			return fmt.Errorf("read event %d: %w", ev.ID, err)
		}
		step.Task, step.Agent = started.TaskID.Key, started.Agent
	case myriad.EventTaskFinished:
		var r myriad.Result
		if err := json.Unmarshal(ev.Data, &r); err != nil {
			return fmt.Errorf("read event %d: %w", ev.ID, err)
		}
		a.Results[r.TaskID.Key] = r
		step.Task, step.Agent, step.Result = r.TaskID.Key, r.Provenance.Agent, &r
	case myriad.EventRunFinished:
		if err := json.Unmarshal(ev.Data, &a.Summary); err != nil {
			return fmt.Errorf("read event %d: %w", ev.ID, err)
		}
	}
	return nil
}

// report is the text that the last task answered.
func (a *Act) report() (string, error) {
	r := a.Results[reportID]
	if !r.Succeeded {
		return "", myriad.Errorf(myriad.CodeUnavailable, "the report was not written: %s: %s", cmp.Or(r.ErrorCode, r.Status), r.ErrorMessage)
	}
	var out report
	if err := json.Unmarshal(r.Answer.Data, &out); err != nil {
		return "", fmt.Errorf("read the report: %w", err)
	}
	return out.Text, nil
}
