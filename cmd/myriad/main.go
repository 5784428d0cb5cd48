// Command myriad is the Myriad agent orchestrator: server, client and demo in one binary. Start reading at server.go, which wires the
// whole system in one visible function; each other file is one command.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/myriad-mind/myriad"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // some task did not succeed, or the command failed
	exitUsage  = 2 // bad usage, bad configuration or bad plan
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(execute(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// execute runs one command line and gives its exit code.
func execute(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	addCompletion(root)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	code := exitFailed
	if exit, ok := errors.AsType[*exitError](err); ok {
		code = exit.code
	} else if myriad.ErrorCode(err) == myriad.CodeInvalid {
		code = exitUsage
	}
	explain(errOut, err)
	return code
}

// exitError carries an exit code; a nil err exits silently, for failures that the output has told already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func usageError(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{code: exitUsage, err: err}
}

// explain writes an error for people, every mistake on a line of its own.
func explain(w io.Writer, err error) {
	if err.Error() == "" {
		return
	}
	e, ok := errors.AsType[*myriad.Error](err)
	if !ok || len(e.Mistakes) == 0 {
		fmt.Fprintf(w, "myriad: %v\n", err)
		return
	}
	fmt.Fprintln(w, "myriad: this was not accepted:")
	for _, m := range e.Mistakes {
		if m.Path == "" {
			fmt.Fprintf(w, "  %s\n", m.Rule)
		} else {
			fmt.Fprintf(w, "  %s: %s\n", m.Path, m.Rule)
		}
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "myriad",
		Short: "Route graphs of tasks to a fleet of small specialist agents",
		Long: "Myriad takes a graph of tasks stated by capability (concept and intent), finds the agents in a knowledge graph,\n" +
			"runs them as parallel as their dependencies allow, and says where every answer came from.",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError(fmt.Errorf("%w\nsee '%s --help'", err, cmd.CommandPath()))
	})
	root.AddCommand(serveCommand(), runCommand(), demoCommand(), agentsCommand(), fleetCommand(), discoverCommand(), runsCommand(), eventsCommand(),
		configCommand(), versionCommand(), hostCommand())
	wrapArgs(root)
	return root
}

// addCompletion adds the command that writes completions, once it is known where to. It runs, so that its arguments are checked: a shell that
// it does not know is bad usage.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
			wrapArgs(cmd)
		}
	}
}

// wrapArgs makes wrong arguments a matter of usage, with the exit code of one.
func wrapArgs(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usageError(fmt.Errorf("%w\nsee '%s --help'", err, c.CommandPath()))
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		wrapArgs(sub)
	}
}
