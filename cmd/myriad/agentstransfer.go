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

func agentsExport(r *remote) *cobra.Command {
	var format string
	cmd := &cobra.Command{Use: "export [NAME...]", Short: "Write agents as a file that import and --agents read; all of them when none is named",
		Example: "  myriad agents export > agents.yaml\n  myriad agents export summarize -o json",
		RunE: func(cmd *cobra.Command, names []string) error {
			if format != config.FormatYAML && format != config.FormatJSON {
				return usageError(fmt.Errorf("--output is yaml or json, not %q", format))
			}
			return r.with(func(c *client.Client) error {
				w := config.NewAgentsWriter(cmd.OutOrStdout(), format)
				if err := exportTo(cmd, c, names, w); err != nil {
					return errors.Join(err, w.Close())
				}
				return w.Close()
			})
		}}
	cmd.Flags().StringVarP(&format, "output", "o", config.FormatYAML, "how to write: yaml or json")
	return cmd
}

func exportTo(cmd *cobra.Command, c *client.Client, names []string, w *config.AgentsWriter) error {
	if len(names) == 0 {
		return c.EachAgent(cmd.Context(), w.Write)
	}
	for _, name := range names {
		a, err := c.Agent(cmd.Context(), name)
		if err != nil {
			return err
		}
		if err := w.Write(a); err != nil {
			return err
		}
	}
	return nil
}

const importHelp = `Register the agents of a file that "agents export" or a person wrote: YAML or JSON, an agents file as "serve --agents" takes it.
FILE may be - for the standard input.

Agents that are there already and just the same are left alone, so importing twice does no harm. One that is there and different is a mistake
unless --replace is given. Any mistake that can be seen beforehand leaves the server as it was; all of them are told, with their lines.
Directories of programs are seen from the file, on a server elsewhere they are taken as they are written. A file without a list of agents is a
mistake, an empty list is not.`

func agentsImport(r *remote) *cobra.Command {
	var replace bool
	cmd := &cobra.Command{Use: "import FILE", Short: "Register the agents of a file", Long: importHelp, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := readAgents(cmd.InOrStdin(), args[0], r.local())
			if err != nil {
				return err
			}
			return r.with(func(c *client.Client) error {
				done, err := c.Import(cmd.Context(), file.Agents, client.ImportOptions{Replace: replace})
				if err == nil || done != (client.Imported{}) {
					fmt.Fprintf(cmd.OutOrStdout(), "%d created, %d replaced, %d unchanged\n", done.Created, done.Replaced, done.Unchanged)
				}
				return withLines(err, file)
			})
		}}
	cmd.Flags().BoolVar(&replace, "replace", false, "replace agents of the same name that are different")
	return cmd
}

// readAgents reads an agents file, or standard input. Directories are seen from the file where the server is on this machine.
func readAgents(in io.Reader, file string, local bool) (*config.AgentsFile, error) {
	raw, dir, err := []byte(nil), workingDir(), error(nil)
	if file == "-" {
		raw, err = io.ReadAll(in)
	} else if raw, err = os.ReadFile(file); err == nil {
		dir, err = filepath.Abs(filepath.Dir(file))
	}
	if err != nil {
		return nil, usageError(fmt.Errorf("read the agents: %w", err))
	}
	if !local {
		dir = ""
	}
	parsed, err := config.ParseAgents(raw, dir)
	if err == nil && parsed.Silent { // as what a command wrote that failed
		err = usageError(fmt.Errorf("there is nothing to import: %s has no list of agents, not even an empty one (agents: [])", named(file)))
	}
	return parsed, err
}

// named is a file as people are told of it.
func named(file string) string {
	if file == "-" {
		return "the standard input"
	}
	return file
}

// withLines adds to mistakes where in the file they are.
func withLines(err error, file *config.AgentsFile) error {
	e, ok := errors.AsType[*myriad.Error](err)
	if !ok || len(e.Mistakes) == 0 {
		return err
	}
	placed := *e
	placed.Mistakes = make([]myriad.Mistake, len(e.Mistakes))
	for i, m := range e.Mistakes {
		placed.Mistakes[i] = myriad.Mistake{Path: m.Path, Rule: strings.TrimSpace(m.Rule) + file.Line(m.Path)}
	}
	return &placed
}
