package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
	"github.com/myriad-mind/myriad/internal/config"
)

// fleetWatch shows the fleet once, or again and again.
type fleetWatch struct {
	out   output
	watch bool
	every time.Duration
}

func (w *fleetWatch) bind(cmd *cobra.Command) {
	w.out.bind(cmd)
	cmd.Flags().BoolVarP(&w.watch, "watch", "w", false, "show it again and again: in place on a terminal, else one after the other")
	cmd.Flags().DurationVar(&w.every, "every", time.Second, "how often with --watch")
}

func (w *fleetWatch) check() error {
	if w.every < 50*time.Millisecond {
		return usageError(fmt.Errorf("--every is a duration of at least 50ms, not %s", w.every))
	}
	return w.out.check()
}

func (w *fleetWatch) show(ctx context.Context, c *client.Client, out io.Writer) error {
	status, err := c.Fleet(ctx)
	if err != nil {
		return err
	}
	if !w.watch {
		return w.print(out, status)
	}
	return w.repeat(ctx, out, func() (myriad.FleetStatus, error) { return c.Fleet(ctx) })
}

// repeat shows the fleet until ctx ends. A server that does not answer is told and asked again: it may be restarting.
func (w *fleetWatch) repeat(ctx context.Context, out io.Writer, read func() (myriad.FleetStatus, error)) error {
	ticker := time.NewTicker(w.every)
	defer ticker.Stop()
	frame := w.framer(out)
	for {
		status, err := read()
		switch code := myriad.ErrorCode(err); {
		case ctx.Err() != nil:
			return nil
		case code == myriad.CodeUnavailable || code == myriad.CodeDeadline || code == myriad.CodeDraining:
			err = frame(func(b io.Writer) error { _, err := fmt.Fprintf(b, "%v\n", err); return err })
		case err == nil:
			err = frame(func(b io.Writer) error { return w.print(b, status) })
		}
		if err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// framer writes one picture after the other: in place on a terminal, else each under its time; JSON is one object a line.
func (w *fleetWatch) framer(out io.Writer) func(draw func(io.Writer) error) error {
	f, ok := out.(*os.File)
	live := ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" && w.out.format == "table"
	return func(draw func(io.Writer) error) error {
		var b strings.Builder
		if err := draw(&b); err != nil {
			return err
		}
		text := b.String()
		switch {
		case live:
			_, height, err := term.GetSize(int(f.Fd()))
			if err != nil {
				height = 0
			}
			text = inPlace(text, height)
		case w.out.format == "table":
			text = time.Now().Format(time.TimeOnly) + " " + text + "\n"
		}
		_, err := io.WriteString(out, text)
		return err
	}
}

// inPlace is text as a whole screen: from the top, the rest of every line and of the screen erased, cut to the height where that is known.
func inPlace(text string, height int) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if height > 1 && len(lines) >= height {
		lines = append(lines[:height-2], "...")
	}
	return "\x1b[H" + strings.Join(lines, "\x1b[K\n") + "\x1b[K\n\x1b[J"
}

func (w *fleetWatch) print(out io.Writer, s myriad.FleetStatus) error {
	if w.out.format == "json" && w.watch {
		return json.NewEncoder(out).Encode(s)
	}
	if w.out.format == "json" {
		return w.out.print(out, s, nil)
	}
	if s.Limits.MaxAgents == 0 {
		_, err := fmt.Fprintln(out, "this server brings no agents to life")
		return err
	}
	if _, err := fmt.Fprintln(out, fleetLine(s)); err != nil {
		return err
	}
	if len(s.Instances) > 0 {
		fmt.Fprintln(out)
		if err := writeTable(out, instanceTable(s.Instances)); err != nil {
			return err
		}
	}
	if len(s.Queue) == 0 {
		return nil
	}
	fmt.Fprintln(out)
	return writeTable(out, queueTable(s.Queue))
}

// fleetLine is the fleet in one line: what is in use of what there is.
func fleetLine(s myriad.FleetStatus) string {
	cpu, memory := 0.0, int64(0)
	for _, i := range s.Instances {
		if i.State != myriad.InstanceStopped && i.State != myriad.InstanceFailed && i.State != myriad.InstanceQueued {
			cpu, memory = cpu+i.Limits.CPU, memory+i.Limits.MemoryBytes
		}
	}
	line := fmt.Sprintf("%d of %d instances", s.InUse, s.Limits.MaxAgents)
	if s.Limits.TotalCPU > 0 {
		line += fmt.Sprintf(", %s of %s cores", showCores(cpu), showCores(s.Limits.TotalCPU))
	}
	if s.Limits.TotalMemoryBytes > 0 {
		line += fmt.Sprintf(", %s of %s memory", showBytes(memory), showBytes(s.Limits.TotalMemoryBytes))
	}
	line += fmt.Sprintf(", %d of %d waiting; asleep after %s, replaced after %s", len(s.Queue), s.Limits.MaxQueue, showTime(s.Limits.IdleTimeoutMS),
		showTime(s.Limits.MaxAgeMS))
	if !s.Enabled {
		line += "; unknown concepts grow no agents"
	}
	return line
}

func instanceTable(list []myriad.InstanceStatus) func(row func(cells ...any)) {
	return func(row func(cells ...any)) {
		row("INSTANCE", "AGENT", "RUNTIME", "STATE", "AGE", "IDLE", "JOBS", "RESTARTS", "COLD START", "CPU", "MEMORY", "REMARKS")
		for _, i := range list {
			cpu, memory := "", ""
			if i.Usage != nil {
				cpu, memory = fmt.Sprintf("%.1fs", i.Usage.CPUSeconds), mebibytes(i.Usage.MemoryBytes)
				if i.Limits.MemoryBytes > 0 {
					memory += " of " + showBytes(i.Limits.MemoryBytes)
				}
			}
			row(i.ID, i.Agent, i.Runtime, i.State, inSeconds(i.AgeMS), inSeconds(i.IdleMS), i.InFlight, i.Restarts, millis(i.ColdMS), cpu, memory, remarks(i))
		}
	}
}

func remarks(i myriad.InstanceStatus) string {
	var all []string
	if i.Reason != "" {
		all = append(all, i.Reason)
	}
	if len(i.Unenforced) > 0 {
		all = append(all, "not enforced: "+strings.Join(i.Unenforced, ", "))
	}
	if i.Error != "" {
		all = append(all, i.Error)
	}
	if last := strings.TrimSpace(i.LastLog); last != "" {
		if last = last[strings.LastIndexByte(last, '\n')+1:]; !strings.Contains(i.Error, last) {
			all = append(all, last)
		}
	}
	return strings.Join(all, "; ")
}

func queueTable(list []myriad.QueueEntry) func(row func(cells ...any)) {
	return func(row func(cells ...any)) {
		row("PLACE", "FOR", "AGENT", "CONCEPT", "INTENT", "PRIORITY", "WAITS")
		for _, q := range list {
			row(q.Position, q.Kind, q.Agent, q.Concept, q.Intent, q.Priority, inSeconds(q.AgeMS))
		}
	}
}

func inSeconds(ms int64) string {
	return shortDuration((time.Duration(ms) * time.Millisecond).Round(time.Second))
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1fMiB", float64(n)/float64(config.Size(1<<20))) }
