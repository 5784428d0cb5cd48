package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
)

func runsCommand() *cobra.Command {
	r := new(remote)
	cmd := &cobra.Command{Use: "runs", Short: "List, show, follow and cancel runs", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	r.bind(cmd)
	cmd.AddCommand(runsList(r), runsShow(r), runsFollow(r), runsCancel(r))
	return cmd
}

func runsList(r *remote) *cobra.Command {
	var out output
	var limit int
	cmd := &cobra.Command{Use: "list", Short: "List runs, the newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			return r.with(func(c *client.Client) error {
				runs, err := collect(cmd.Context(), limit, c.List)
				if err != nil {
					return err
				}
				return out.print(cmd.OutOrStdout(), runs, func(row func(...any)) {
					row("RUN", "STATUS", "TASKS", "SUCCEEDED", "STARTED", "TIME")
					for _, s := range runs {
						row(s.RunID, s.Status, s.Tasks, s.Succeeded, s.StartedAt.Local().Format(time.DateTime), millis(s.DurationMS))
					}
				})
			})
		}}
	out.bind(cmd)
	cmd.Flags().IntVar(&limit, "limit", 20, "how many at the most")
	return cmd
}

// collect reads pages until there are limit items.
func collect[T any](ctx context.Context, limit int, list func(context.Context, myriad.Page) ([]T, string, error)) ([]T, error) {
	all := make([]T, 0)
	for cursor := ""; ; {
		items, next, err := list(ctx, myriad.Page{Limit: min(max(limit-len(all), 1), 1000), Cursor: cursor})
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
		if next == "" || len(all) >= limit {
			return all[:min(len(all), limit)], nil
		}
		cursor = next
	}
}

func runsShow(r *remote) *cobra.Command {
	var out output
	cmd := &cobra.Command{Use: "show RUN", Short: "Show a run and its results", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			return r.with(func(c *client.Client) error {
				record, err := c.Get(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return out.record(cmd.OutOrStdout(), record)
			})
		}}
	out.bind(cmd)
	return cmd
}

func runsFollow(r *remote) *cobra.Command {
	var after int
	cmd := &cobra.Command{Use: "follow RUN", Short: "Follow a run to its end", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.with(func(c *client.Client) error {
				p := newProgress(cmd.OutOrStdout())
				defer p.close()
				return c.Follow(cmd.Context(), args[0], after, p.event)
			})
		}}
	cmd.Flags().IntVar(&after, "after", 0, "skip events up to this number")
	return cmd
}

func runsCancel(r *remote) *cobra.Command {
	return &cobra.Command{Use: "cancel RUN", Short: "Cancel a run", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.with(func(c *client.Client) error { return c.Cancel(cmd.Context(), args[0]) })
		}}
}
