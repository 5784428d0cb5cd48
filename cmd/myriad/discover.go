package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/myriad-mind/myriad/client"
)

func discoverCommand() *cobra.Command {
	r := new(remote)
	var out output
	cmd := &cobra.Command{Use: "discover CONCEPT INTENT", Short: "Ask who may serve a concept and an intent, and why in this order", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			return r.with(func(c *client.Client) error {
				d, err := c.Discover(cmd.Context(), args[0], args[1])
				if err != nil {
					return err
				}
				err = out.print(cmd.OutOrStdout(), d, func(row func(...any)) {
					row("AGENT", "TIER", "SCORE", "WEIGHT", "AVAILABILITY", "LOAD", "LATENCY", "ENDPOINT")
					for _, k := range d.Candidates {
						row(k.Agent, k.Tier, fmt.Sprintf("%.3f", k.Score), fmt.Sprintf("%.2f", k.Parts.Weight), fmt.Sprintf("%.2f", k.Parts.Availability),
							fmt.Sprintf("%.2f", k.Parts.Load), fmt.Sprintf("%.2f", k.Parts.Latency), k.Endpoint)
					}
				})
				if err == nil && len(d.Candidates) == 0 {
					return &exitError{code: exitFailed, err: fmt.Errorf("nobody may serve %s / %s (concept known: %v)", d.Concept, d.Intent, d.Known)}
				}
				return err
			})
		}}
	r.bind(cmd)
	out.bind(cmd)
	return cmd
}

func eventsCommand() *cobra.Command {
	r := new(remote)
	var last string
	cmd := &cobra.Command{Use: "events", Short: "Follow what happens on the server: breakers, agents, instances, the queue for room, growth, parks, the graph", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return r.with(func(c *client.Client) error {
				return c.Events(cmd.Context(), last, func(e client.Event) error {
					_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s %s %s\n", e.ID, e.Kind, e.Data)
					return err
				})
			})
		}}
	r.bind(cmd)
	cmd.Flags().StringVar(&last, "last-id", "", "start after this event, as far as the server still has it")
	return cmd
}
