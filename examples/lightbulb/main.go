// Command lightbulb runs the two agents that existing clients know, Lightbulb_Definition_AI and Lightbulb_Function_AI, so that they have
// something to talk to. definition.go and function.go hold what they say; agents.yaml makes a server know them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/myriad-mind/myriad/agent"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "lightbulb:", err)
		stop()
		os.Exit(1)
	}
}

// run serves both agents until ctx ends; when one fails, the other stops too.
func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("lightbulb", flag.ContinueOnError)
	definitionAt := flags.String("definition", "127.0.0.1:5001", "where the definition agent listens; empty is not at all")
	functionAt := flags.String("function", "127.0.0.1:5002", "where the function agent listens; empty is not at all")
	peer := flags.String("peer", "http://127.0.0.1:5002", "base URL at which the definition agent asks about industrial impact; empty asks nobody")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	var failed [2]error
	for i, one := range []struct {
		agent *agent.Agent
		at    string
	}{{newDefinition(*peer), *definitionAt}, {newFunction(), *functionAt}} {
		if one.at == "" {
			continue
		}
		wg.Go(func() {
			defer cancel()
			fmt.Printf("%s listens at %s\n", one.agent.Name(), one.at)
			failed[i] = one.agent.ListenAndServe(ctx, one.at)
		})
	}
	wg.Wait()
	return errors.Join(failed[:]...)
}
