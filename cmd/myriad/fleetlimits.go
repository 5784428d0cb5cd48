package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
	"github.com/myriad-mind/myriad/internal/config"
)

// limit is a limit of the fleet as people write it, under its name in the configuration without "fleet.".
type limit struct {
	name  string
	field string // in the API; those of one instance are under "instance."
	help  string
	read  func(text string) (any, error)
	show  func(myriad.FleetLimits) string
}

var limits = []limit{
	{"max_agents", "max_agents", "instances that hold resources", readWhole, func(l myriad.FleetLimits) string { return strconv.Itoa(l.MaxAgents) }},
	{"total_cpu", "total_cpu", "cores that all instances may come to", readNumber, func(l myriad.FleetLimits) string { return showBudget(l.TotalCPU, showCores) }},
	{"total_memory", "total_memory_bytes", "memory that all instances may come to", readBytes, func(l myriad.FleetLimits) string { return showBudget(l.TotalMemoryBytes, showBytes) }},
	{"idle_timeout", "idle_timeout_ms", "without work for this long an instance goes to sleep", readTime, func(l myriad.FleetLimits) string { return showTime(l.IdleTimeoutMS) }},
	{"max_age", "max_age_ms", "after this an instance is replaced", readTime, func(l myriad.FleetLimits) string { return showTime(l.MaxAgeMS) }},
	{"min_life", "min_life_ms", "younger instances are not evicted", readTime, func(l myriad.FleetLimits) string { return showTime(l.MinLifeMS) }},
	{"max_queue", "max_queue", "requests that may wait for room", readWhole, func(l myriad.FleetLimits) string { return strconv.Itoa(l.MaxQueue) }},
	{"queue_max_age", "queue_max_age_ms", "after this a waiting request is dropped", readTime, func(l myriad.FleetLimits) string { return showTime(l.QueueMaxAgeMS) }},
	{"cpu", "instance.cpu", "cores of an instance whose template names none", readNumber, func(l myriad.FleetLimits) string { return showCores(l.Instance.CPU) }},
	{"memory", "instance.memory_bytes", "memory of an instance whose template names none", readBytes, func(l myriad.FleetLimits) string { return showBytes(l.Instance.MemoryBytes) }},
	{"pids", "instance.pids", "processes and threads of an instance whose template names none", readWhole, func(l myriad.FleetLimits) string { return strconv.FormatInt(l.Instance.PIDs, 10) }},
}

func fleetLimits(r *remote) *cobra.Command {
	var out output
	cmd := &cobra.Command{Use: "limits [KEY=VALUE...]", Short: "Show the fleet's limits, or change some until the server stops",
		Long:    "Show the fleet's limits, or change some of them until the server stops: the next start takes those of the configuration. The keys are those of the configuration, without fleet. in front.",
		Example: "  myriad fleet limits\n  myriad fleet limits max_agents=5 idle_timeout=10m memory=512MiB",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			change, err := readLimits(args)
			if err != nil {
				return err
			}
			return r.with(func(c *client.Client) error {
				now, err := limitsAfter(cmd, c, change)
				if err != nil {
					return err
				}
				if len(change) > 0 {
					fmt.Fprintln(cmd.ErrOrStderr(), "These limits hold until the server stops. The next start takes those of the configuration (fleet.KEY).")
				}
				return out.print(cmd.OutOrStdout(), now, func(row func(...any)) {
					row("LIMIT", "VALUE", "WHAT IT BOUNDS")
					for _, l := range limits {
						row(l.name, l.show(now), l.help)
					}
				})
			})
		}}
	out.bind(cmd)
	return cmd
}

func limitsAfter(cmd *cobra.Command, c *client.Client, change map[string]any) (myriad.FleetLimits, error) {
	if len(change) > 0 {
		now, err := c.SetFleetLimits(cmd.Context(), change)
		return now, asTyped(err, limitKey)
	}
	status, err := c.Fleet(cmd.Context())
	return status.Limits, err
}

// readLimits makes the body of a change of KEY=VALUE pairs; the error names every mistake.
func readLimits(pairs []string) (map[string]any, error) {
	change, instance := map[string]any{}, map[string]any{}
	var mistakes []myriad.Mistake
	for _, pair := range pairs {
		key, text, ok := strings.Cut(pair, "=")
		key = strings.TrimPrefix(strings.ReplaceAll(strings.TrimSpace(key), "-", "_"), "fleet.")
		l := limitNamed(key)
		switch {
		case !ok:
			mistakes = append(mistakes, myriad.Mistake{Path: pair, Rule: "is no KEY=VALUE"})
		case l == nil:
			mistakes = append(mistakes, myriad.Mistake{Path: key, Rule: "is no limit; there are " + limitNames()})
		default:
			v, err := l.read(strings.TrimSpace(text))
			if err != nil {
				mistakes = append(mistakes, myriad.Mistake{Path: key, Rule: err.Error()})
			} else if field, ofOne := strings.CutPrefix(l.field, "instance."); ofOne {
				instance[field] = v
			} else {
				change[l.field] = v
			}
		}
	}
	if len(instance) > 0 {
		change["instance"] = instance
	}
	return change, myriad.Invalid(mistakes)
}

func limitNamed(name string) *limit {
	for i := range limits {
		if limits[i].name == name {
			return &limits[i]
		}
	}
	return nil
}

// limitKey is the key of a limit by its field in the API; "" when there is none.
func limitKey(field string) string {
	for _, l := range limits {
		if l.field == field {
			return l.name
		}
	}
	return ""
}

func limitNames() string {
	names := make([]string, len(limits))
	for i, l := range limits {
		names[i] = l.name
	}
	return strings.Join(names, ", ")
}

func readWhole(text string) (any, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("is a whole number, not %q", text)
	}
	return n, nil
}

func readNumber(text string) (any, error) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n != n || n > 1e18 || n < -1e18 {
		return nil, fmt.Errorf("is a number, not %q", text)
	}
	return n, nil
}

func readBytes(text string) (any, error) {
	size, err := config.ParseSize(text)
	return int64(size), err
}

func readTime(text string) (any, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return nil, fmt.Errorf("is a duration like 30s or 1h30m, not %q", text)
	}
	return d.Milliseconds(), nil
}

func showCores(n float64) string { return strconv.FormatFloat(n, 'g', -1, 64) }
func showBytes(n int64) string   { return config.Size(n).String() }
func showTime(ms int64) string   { return shortDuration(time.Duration(ms) * time.Millisecond) }

func showBudget[T int64 | float64](n T, show func(T) string) string {
	if n == 0 {
		return "no budget"
	}
	return show(n)
}

// shortDuration leaves out the parts of a duration that are zero, like 30m instead of 30m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
