package config

import (
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/spf13/pflag"

	"github.com/myriad-mind/myriad"
)

// Loaded is an effective configuration and where each of its values came from.
type Loaded struct {
	Config
	sources map[string]string // by key: "default", "file PATH", "env NAME" or "flag --NAME"
}

// Source says where the value of key came from.
func (l *Loaded) Source(key string) string { return l.sources[key] }

// Bind adds a flag for every key to flags. Load reads those that were set.
func Bind(flags *pflag.FlagSet) {
	defaults := Default()
	for _, o := range options {
		value := &flagValue{text: text(o.into(&defaults))}
		if _, ok := o.into(&defaults).(*bool); ok {
			value.kind = "bool"
		}
		flag := flags.VarPF(value, o.flag(), "", fmt.Sprintf("%s (%s)", o.help, o.env()))
		if value.kind == "bool" {
			flag.NoOptDefVal = "true"
		}
	}
}

// flagValue keeps a flag's text until Load reads it, so that all mistakes are told together.
type flagValue struct{ text, kind string }

func (v *flagValue) String() string     { return v.text }
func (v *flagValue) Set(s string) error { v.text = s; return nil }
func (v *flagValue) Type() string {
	if v.kind != "" {
		return v.kind
	}
	return "value"
}

// Load makes the effective configuration: flags over the environment (NAME=value) over file ("" is none) over defaults. The error lists every
// mistake of every source, with its key.
func Load(flags *pflag.FlagSet, environ []string, file string) (*Loaded, error) {
	l := &Loaded{Config: Default(), sources: make(map[string]string, len(options))}
	values, mistakes := fileValues(file)
	env, misspelt := environment(environ)
	mistakes = append(mistakes, misspelt...)
	for _, o := range options {
		l.sources[o.key] = "default"
		set := func(value, source string) {
			if err := parse(o.into(&l.Config), value); err != nil {
				mistakes = append(mistakes, myriad.Mistake{Path: o.key, Rule: fmt.Sprintf("%v (from %s)", err, source)})
				return
			}
			l.sources[o.key] = source
		}
		if v, ok := values[o.key]; ok {
			set(v, "file "+file)
		}
		for _, a := range append(slices.Clone(o.alias), alias{name: o.env()}) {
			if v, ok := env[a.name]; ok {
				set(a.ours(v), "env "+a.name)
			}
		}
		if f := flags.Lookup(o.flag()); f != nil && f.Changed {
			set(f.Value.String(), "flag --"+o.flag())
		}
	}
	for _, m := range l.validate() {
		mistakes = append(mistakes, l.traced(m))
	}
	return l, myriad.Invalid(mistakes)
}

// traced says beside a rule where the value came from that breaks it, in the words in which it was given there.
func (l *Loaded) traced(m myriad.Mistake) myriad.Mistake {
	if source := l.sources[m.Path]; source != "" && source != "default" {
		m.Rule += " (from " + source + ")"
	}
	return m
}

// fileValues flattens a YAML file to values by key.
func fileValues(file string) (map[string]string, []myriad.Mistake) {
	if file == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, []myriad.Mistake{{Rule: err.Error()}}
	}
	return flatten(file, raw)
}

// Print writes every key with its source and its value, which may be long. Secrets are not among them: tokens and credentials are files, named here and read
// later, and a password in a URL is left out.
func (l *Loaded) Print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "KEY\tFROM\tVALUE")
	for _, o := range options {
		fmt.Fprintf(tw, "%s\t%s\t%s\n", o.key, l.sources[o.key], shown(o.into(&l.Config)))
	}
	return tw.Flush()
}
