package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/myriad-mind/myriad"
)

// output is the --output flag: "table" or "json".
type output struct{ format string }

func (o *output) bind(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.format, "output", "o", "table", "how to print: table or json")
}

func (o *output) check() error {
	if o.format != "table" && o.format != "json" {
		return usageError(fmt.Errorf("--output is table or json, not %q", o.format))
	}
	return nil
}

// print writes v as JSON, or as the table that rows fills.
func (o *output) print(w io.Writer, v any, table func(row func(cells ...any))) error {
	if o.format == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(v)
	}
	return writeTable(w, table)
}

func writeTable(w io.Writer, table func(row func(cells ...any))) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	table(func(cells ...any) {
		text := make([]string, len(cells))
		for i, c := range cells {
			text[i] = oneLine(fmt.Sprint(c))
		}
		fmt.Fprintln(tw, strings.TrimRight(strings.Join(text, "\t"), "\t "))
	})
	return tw.Flush()
}

// oneLine keeps what agents wrote from breaking the table or steering the terminal.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0 || unicode.In(r, unicode.Bidi_Control):
			return -1
		}
		return r
	}, s)
	const most, end = 160, 80 // of what is too long the end is as telling as the beginning: errors have their cause there
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most-end-3]) + " … " + string(runes[len(runes)-end:])
	}
	return s
}

func millis(ms float64) string { return fmt.Sprintf("%.1f ms", ms) }

// recordTable is a finished run as a table, a task a row.
func recordTable(record *myriad.RunRecord) func(row func(cells ...any)) {
	return func(row func(cells ...any)) {
		row("TASK", "STATUS", "SOURCE", "AGENT", "ATTEMPTS", "TIME", "ANSWER")
		for i := range record.Results {
			r := &record.Results[i]
			row(r.TaskID.Key, r.Status, source(r), r.Provenance.Agent, len(r.Provenance.Attempts), millis(r.Provenance.DurationMS), gist(r))
		}
	}
}

// record prints a run with its results; the table is followed by the summary.
func (o *output) record(w io.Writer, record *myriad.RunRecord) error {
	if err := o.print(w, record, recordTable(record)); err != nil || o.format == "json" {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s\n", summaryLine(record.RunSummary))
	return err
}

func source(r *myriad.Result) string {
	if r.Provenance.Source == myriad.SourceCache {
		return fmt.Sprintf("cache, %s old", millis(float64(r.Provenance.AgeMS)))
	}
	return r.Provenance.Source
}

// gist is the answer in a few words, or why there is none.
func gist(r *myriad.Result) string {
	if !r.Succeeded {
		return r.ErrorCode + ": " + r.ErrorMessage
	}
	data := r.Answer.Data
	if data == nil {
		data = r.Extra.Data
	}
	var text string
	if json.Unmarshal(data, &text) == nil {
		return text
	}
	return string(data)
}

func summaryLine(s myriad.RunSummary) string {
	return fmt.Sprintf("run %s: %s, %d of %d tasks succeeded in %s (critical path %s, queued %s, orchestration %s, one after the other %s, parallelism %.1f)",
		s.RunID, s.Status, s.Succeeded, s.Tasks, millis(s.DurationMS), millis(s.CriticalPathMS), millis(s.QueuedMS), millis(s.OrchestrationMS),
		millis(s.SequentialMS), s.Parallelism)
}
