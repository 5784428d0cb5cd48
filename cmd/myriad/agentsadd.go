package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
	"github.com/myriad-mind/myriad/internal/config"
)

// newAgent is an agent as the flags of "agents add" describe it: one that answers at a URL, a program, or an image.
type newAgent struct {
	agent    myriad.Agent
	template myriad.Template
	env      []string // NAME=VALUE
	memory   string
	replace  bool
}

const addHelp = `Register an agent that answers at URL, or one that the server starts itself when a task needs it.

A program (after --) gets jobs as its mode says:
  stdio  one JSON job a line on its input, one JSON answer a line on its output; it is kept running (the default)
  exec   one process for each job: the job on its input, the answer on its output
  http   it listens on $PORT and answers POST /query, like any agent with a URL
It runs without a shell, with PATH, HOME, LANG, LC_*, TZ, TMPDIR and what --env and --pass-env name of the environment, in this directory unless
--dir says otherwise. On a server elsewhere --dir is a path there, and without it the program starts in a directory of the server's.

What the server runs needs its token, on loopback too: the one in its data directory is found by itself, --token-file names another.`

const addExamples = `  myriad agents add Pump_AI http://127.0.0.1:5001/query --concept pump --intent define --intent explain
  myriad agents add summarize --concept text --intent summarize -- python3 summarize.py
  myriad agents add translate --concept text --intent translate --image registry.example/translate:2 --memory 1GiB`

func agentsAdd(r *remote) *cobra.Command {
	n := new(newAgent)
	cmd := &cobra.Command{Use: "add NAME URL | add NAME [flags] -- PROGRAM [ARGUMENT...] | add NAME --image REF", DisableFlagsInUseLine: true,
		Short: "Register an agent: one that answers at a URL, a program, or an image", Long: addHelp, Example: addExamples, Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := n.read(args, cmd.ArgsLenAtDash(), r.local()); err != nil {
				return usageError(fmt.Errorf("%w\nsee '%s --help'", err, cmd.CommandPath()))
			}
			return r.with(func(c *client.Client) error {
				put := c.CreateAgent
				if n.replace {
					put = c.PutAgent
				}
				stored, err := put(cmd.Context(), n.agent)
				if err != nil {
					return asTyped(err, func(path string) string { return flagOf(cmd.Flags(), path) })
				}
				return tellAdded(cmd.OutOrStdout(), stored)
			})
		}}
	n.bind(cmd)
	return cmd
}

func (n *newAgent) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	a, t := &n.agent, &n.template
	flags.StringArrayVar(&a.Concepts, "concept", nil, "concept that the agent knows; repeatable, * for any")
	flags.StringArrayVar(&a.Intents, "intent", nil, "intent that it serves; repeatable, none for any")
	flags.StringArrayVar(&a.SafeIntents, "safe-intent", nil, "intent that only reads, so may be repeated; repeatable")
	flags.IntVar(&a.MaxConcurrency, "max-concurrency", 0, "jobs at a time; 0 for the server's default")
	flags.StringVar(&a.Description, "description", "", "what it does")
	flags.BoolVar(&n.replace, "replace", false, "replace an agent of this name")
	flags.StringVar(&t.Mode, "mode", "", "how a program gets jobs: stdio (the default), exec or http")
	flags.StringVar(&t.Dir, "dir", "", "directory that a program runs in; by default this one")
	flags.StringArrayVar(&n.env, "env", nil, "NAME=VALUE for the environment of a program or container; repeatable")
	flags.StringArrayVar(&t.PassEnv, "pass-env", nil, "name of a variable to hand on from the server's environment; repeatable")
	flags.StringVar(&t.Image, "image", "", "container image to run")
	flags.IntVar(&t.Port, "port", 0, "port that the container listens on; 0 for 5000")
	flags.StringVar(&t.Pull, "pull", "", "when to pull the image: never (the default), missing or always")
	flags.Float64Var(&t.Limits.CPU, "cpu", 0, "cores that an instance may use; 0 for the server's default")
	flags.StringVar(&n.memory, "memory", "", "memory that an instance may use, like 256MiB")
	flags.Int64Var(&t.Limits.PIDs, "pids", 0, "processes and threads that an instance may have; 0 for the server's default")
}

// read makes the agent of the arguments and flags; dash is how many arguments came before --, -1 when it was not there. local says that the
// server sees the same files.
func (n *newAgent) read(args []string, dash int, local bool) error {
	if dash < 0 {
		dash = len(args)
	}
	named, program := args[:dash], args[dash:]
	switch ways := len(program) > 0 || n.template.Image != ""; {
	case len(named) == 0:
		return errors.New("the agent's name comes first")
	case len(named) > 2:
		return fmt.Errorf("there is more than NAME and URL before a program: put -- in front of %q", named[1])
	case len(named) == 2 && ways:
		return errors.New("an agent has a URL, or a program or image that the server runs, not both")
	case len(named) == 1 && !ways:
		return errors.New("where does it answer? Give a URL, or -- and a program, or --image")
	}
	n.agent.Name = named[0]
	if len(named) == 2 {
		n.agent.Endpoint = named[1]
		return n.noTemplate()
	}
	return n.withTemplate(program, local)
}

// noTemplate refuses flags that would be passed over.
func (n *newAgent) noTemplate() error {
	t := n.template
	if t.Mode != "" || t.Dir != "" || t.Port != 0 || t.Pull != "" || len(n.env)+len(t.PassEnv) > 0 || n.memory != "" || t.Limits != (myriad.Limits{}) {
		return errors.New("an agent with a URL is run by somebody else: --mode, --dir, --env, --pass-env, --port, --pull, --cpu, --memory and --pids " +
			"are for programs and images")
	}
	return nil
}

func (n *newAgent) withTemplate(program []string, local bool) error {
	t := n.template
	t.Kind, t.Command = myriad.TemplateCommand, program
	if t.Image != "" {
		t.Kind = myriad.TemplateImage
	}
	for _, pair := range n.env {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return fmt.Errorf("--env is NAME=VALUE, not %q; --pass-env %s hands on the server's own", pair, pair)
		}
		if t.Env == nil {
			t.Env = map[string]string{}
		}
		t.Env[name] = value
	}
	if n.memory != "" {
		size, err := config.ParseSize(n.memory)
		if err != nil {
			return fmt.Errorf("--memory %w", err)
		}
		t.Limits.MemoryBytes = int64(size)
	}
	if err := programDir(&t, local); err != nil {
		return err
	}
	n.agent.Template = &t
	return nil
}

// programDir makes a program's directory one that the server finds: on this machine the one that is meant here.
func programDir(t *myriad.Template, local bool) (err error) {
	switch {
	case t.Kind != myriad.TemplateCommand:
		return nil // a directory beside an image is for the server to refuse
	case local:
		t.Dir, err = filepath.Abs(t.Dir)
		return err
	case t.Dir != "" && !strings.HasPrefix(t.Dir, "/") && !filepath.IsAbs(t.Dir):
		return errors.New("--dir is a directory of the server, which is not on this machine: it must be a whole path")
	}
	return nil
}

func tellAdded(w io.Writer, a myriad.Agent) error {
	how := "at " + a.Endpoint
	switch t := a.Template; {
	case t == nil:
	case t.Kind == myriad.TemplateCommand:
		how = fmt.Sprintf("by running %s (%s)", strings.Join(t.Command, " "), t.Mode)
		if t.Dir != "" {
			how += " in " + t.Dir
		}
	default:
		how = "from the image " + t.Image
	}
	_, err := fmt.Fprintf(w, "%s answers for %s %s (revision %d)\n", a.Name, strings.Join(a.Concepts, ", "), oneLine(how), a.Revision)
	return err
}

// workingDir is where the command line was given, for files that come from standard input.
func workingDir() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	return dir
}
