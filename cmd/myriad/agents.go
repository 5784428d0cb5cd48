package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
)

func agentsCommand() *cobra.Command {
	r := new(remote)
	cmd := &cobra.Command{Use: "agents", Short: "List, show, add, remove, export and import agents; steer their breakers", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	r.bind(cmd)
	cmd.AddCommand(agentsList(r), agentsShow(r), agentsAdd(r), agentsRemove(r), agentsExport(r), agentsImport(r), agentsBreaker(r))
	return cmd
}

func agentsList(r *remote) *cobra.Command {
	var out output
	var limit int
	cmd := &cobra.Command{Use: "list", Short: "List agents by name", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			return r.with(func(c *client.Client) error {
				agents, err := collect(cmd.Context(), limit, c.Agents)
				if err != nil {
					return err
				}
				return out.print(cmd.OutOrStdout(), agents, func(row func(...any)) {
					row("AGENT", "CONCEPTS", "INTENTS", "ENDPOINT", "OWNER")
					for _, a := range agents {
						row(a.Name, strings.Join(a.Concepts, ","), strings.Join(a.Intents, ","), where(a), a.Owner)
					}
				})
			})
		}}
	out.bind(cmd)
	cmd.Flags().IntVar(&limit, "limit", 100, "how many at the most")
	return cmd
}

func where(a myriad.Agent) string {
	if a.Endpoint == "" && a.Template != nil {
		return a.Template.Kind
	}
	return a.Endpoint
}

func agentsShow(r *remote) *cobra.Command {
	return &cobra.Command{Use: "show NAME", Short: "Show one agent as JSON", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.with(func(c *client.Client) error {
				a, err := c.Agent(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return (&output{format: "json"}).print(cmd.OutOrStdout(), a, nil)
			})
		}}
}

func agentsRemove(r *remote) *cobra.Command {
	return &cobra.Command{Use: "remove NAME", Short: "Remove an agent", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.with(func(c *client.Client) error { return c.DeleteAgent(cmd.Context(), args[0]) })
		}}
}

func agentsBreaker(r *remote) *cobra.Command {
	var out output
	cmd := &cobra.Command{Use: "breaker NAME [open|close|auto]", Short: "Show an agent's circuit breakers, or force them", Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			return r.with(func(c *client.Client) error {
				states, err := c.Breaker(cmd.Context(), args[0])
				if len(args) == 2 {
					states, err = c.SetBreaker(cmd.Context(), args[0], args[1])
				}
				if err != nil {
					return err
				}
				return out.print(cmd.OutOrStdout(), states, func(row func(...any)) {
					row("CIRCUIT", "STATE", "MODE", "FAILURES", "NEXT PROBE IN", "REASON")
					for _, s := range states {
						row(s.Circuit, s.State, s.Mode, s.ConsecutiveFailures, millis(float64(s.RetryAfterMS)), s.Reason)
					}
				})
			})
		}}
	out.bind(cmd)
	return cmd
}
