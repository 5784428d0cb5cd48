package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
)

func fleetCommand() *cobra.Command {
	r := new(remote)
	w := new(fleetWatch)
	cmd := &cobra.Command{Use: "fleet", Short: "Show the agents that are alive, who waits for room, and the limits; stop and restart instances", Args: cobra.NoArgs,
		Long: "Show the fleet: the agents that the server has brought to life, who waits for room, and the limits.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := w.check(); err != nil {
				return err
			}
			return r.with(func(c *client.Client) error { return w.show(cmd.Context(), c, cmd.OutOrStdout()) })
		}}
	r.bind(cmd)
	w.bind(cmd)
	cmd.AddCommand(fleetStop(r), fleetRestart(r), fleetLimits(r))
	return cmd
}

func fleetStop(r *remote) *cobra.Command {
	return steering(r, &cobra.Command{Use: "stop INSTANCE", Short: "Let an instance finish its jobs and stop it; the next task wakes its agent again"},
		(*client.Client).StopInstance, "stopped")
}

func fleetRestart(r *remote) *cobra.Command {
	return steering(r, &cobra.Command{Use: "restart INSTANCE", Short: "Let an instance finish its jobs and start its agent anew"},
		(*client.Client).RestartInstance, "restarted")
}

// steering completes a command that does something to one instance.
func steering(r *remote, cmd *cobra.Command, do func(*client.Client, context.Context, string) error, done string) *cobra.Command {
	cmd.Args = cobra.ExactArgs(1)
	cmd.Long = cmd.Short + ".\nINSTANCE is the id of an instance, or the name of an agent that has only one."
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return r.with(func(c *client.Client) error {
			status, err := c.Fleet(cmd.Context())
			if err != nil {
				return err
			}
			instance, err := instanceOf(status, args[0])
			if err != nil {
				return err
			}
			if err := do(c, cmd.Context(), instance.ID); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s of %s is being %s\n", instance.ID, instance.Agent, done)
			return err
		})
	}
	return cmd
}

// instanceOf finds the instance that a person means: by id, or by its agent's name where that leaves no doubt.
func instanceOf(status myriad.FleetStatus, named string) (myriad.InstanceStatus, error) {
	var of []myriad.InstanceStatus
	for _, i := range status.Instances {
		if i.ID == named {
			return i, nil
		}
		if i.Agent == named && i.State != myriad.InstanceStopped {
			of = append(of, i)
		}
	}
	switch len(of) {
	case 0:
		return myriad.InstanceStatus{}, myriad.Errorf(myriad.CodeNotFound, "there is no instance %s, and no instance of an agent of that name; 'myriad fleet' lists them", named)
	case 1:
		return of[0], nil
	}
	ids := make([]string, len(of))
	for i := range of {
		ids[i] = of[i].ID + " (" + of[i].State + ")"
	}
	return myriad.InstanceStatus{}, usageError(fmt.Errorf("%s has several instances; name one of %s", named, strings.Join(ids, ", ")))
}
