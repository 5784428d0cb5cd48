package myriad

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// auth checks a credential's reference; the secret itself must never be here.
func (c *agentCheck) auth(a *Auth) *Auth {
	if a == nil {
		return nil
	}
	kept := *a
	kept.Scheme = strings.ToLower(strings.TrimSpace(a.Scheme))
	if !slices.Contains([]string{"basic", "bearer", "header"}, kept.Scheme) {
		c.add("auth.scheme", "is one of basic, bearer, header")
	}
	switch {
	case kept.Scheme == "header" && !validHeader(kept.Header):
		c.add("auth.header", "is the name of a request header that is not used for something else")
	case kept.Scheme != "header" && kept.Header != "":
		c.add("auth.header", "belongs to the scheme header")
	}
	switch {
	case (kept.Env == "") == (kept.File == ""):
		c.add("auth", "names exactly one of env and file")
	case kept.Env != "" && !validEnvName(kept.Env):
		c.add("auth.env", "is the name of an environment variable")
	case kept.File != "":
		c.text("auth.file", kept.File)
	}
	return &kept
}

// reservedHeaders are those that the transport or the job protocol set.
var reservedHeaders = []string{"host", "connection", "content-length", "content-type", "transfer-encoding", "te", "trailer", "upgrade", "accept",
	"accept-encoding", "idempotency-key", "traceparent", "x-myriad-deadline-ms"}

func validHeader(s string) bool {
	return s != "" && len(s) <= MaxNameLength && !slices.Contains(reservedHeaders, strings.ToLower(s)) &&
		!strings.ContainsFunc(s, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
		})
}

func validEnvName(s string) bool {
	return s != "" && len(s) <= MaxNameLength && (s[0] < '0' || s[0] > '9') && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_'
	})
}

// template checks how a packet comes alive; a field of another kind is a mistake, because it would be ignored.
func (c *agentCheck) template(t *Template) *Template {
	if t == nil {
		return nil
	}
	kept := *t
	switch kept.Kind {
	case TemplateKnowledge:
		if _, ok := KnowledgeTemplate(kept.ID); !ok {
			c.add("template.id", "is one of %s, or empty for the first", strings.Join(KnowledgeTemplateIDs(), ", "))
		}
		kept.Knowledge = c.knowledge(kept.Knowledge)
	case TemplateCommand:
		kept.Mode = c.word("template.mode", kept.Mode, ModeStdio, ModeHTTP, ModeExec)
		if len(kept.Command) == 0 || kept.Command[0] == "" {
			c.add("template.command", "is an argument list that starts with the program")
		}
		c.texts("template.command", kept.Command)
	case TemplateImage:
		kept.Pull = c.word("template.pull", kept.Pull, "never", "missing", "always")
		if kept.Image == "" || strings.HasPrefix(kept.Image, "-") || hasControl(kept.Image) {
			c.add("template.image", "is a container image reference")
		}
		c.texts("template.command", kept.Command)
	case TemplateHandler:
		if kept.ID == "" {
			c.add("template.id", "is the name under which the handler was registered; it must be there")
		}
	default:
		c.add("template.kind", "is one of %s, %s, %s, %s", TemplateCommand, TemplateHandler, TemplateImage, TemplateKnowledge)
		return &kept // which fields belong cannot be told
	}
	c.foreign(kept)
	c.environment(kept)
	c.limits(kept.Limits)
	return &kept
}

// foreign names fields that belong to another kind of template.
func (c *agentCheck) foreign(t Template) {
	rules := []struct {
		field string
		set   bool
		kinds []string
	}{
		{"command", len(t.Command) > 0, []string{TemplateCommand, TemplateImage}},
		{"mode", t.Mode != "", []string{TemplateCommand}},
		{"dir", t.Dir != "", []string{TemplateCommand}},
		{"image", t.Image != "", []string{TemplateImage}},
		{"port", t.Port != 0, []string{TemplateImage}},
		{"pull", t.Pull != "", []string{TemplateImage}},
		{"env", len(t.Env) > 0, []string{TemplateCommand, TemplateImage}},
		{"pass_env", len(t.PassEnv) > 0, []string{TemplateCommand, TemplateImage}},
	}
	for _, r := range rules {
		if r.set && !slices.Contains(r.kinds, t.Kind) {
			c.add("template."+r.field, "belongs to templates of the kind %s", strings.Join(r.kinds, " or "))
		}
	}
	if t.Port < 0 || t.Port > 65535 {
		c.add("template.port", "is a port from 1 to 65535, or 0 for 5000")
	}
	if c.text("template.dir", t.Dir); t.Dir != "" && !strings.HasPrefix(t.Dir, "/") && !filepath.IsAbs(t.Dir) {
		c.add("template.dir", "is a whole path on the server's machine: what a relative one is seen from depends on how the server was started")
	}
	c.text("template.id", t.ID)
}

func (c *agentCheck) environment(t Template) {
	if len(t.Env) > maxAgentEntries || len(t.PassEnv) > maxAgentEntries {
		c.add("template.env", "has at most %d entries", maxAgentEntries)
		return
	}
	for _, name := range sortedKeys(t.Env) {
		if !validEnvName(name) {
			c.add("template.env", "%.40q is not the name of an environment variable", name)
		}
		c.text("template.env."+name, t.Env[name])
	}
	for i, name := range t.PassEnv {
		if !validEnvName(name) {
			c.add(fmt.Sprintf("template.pass_env[%d]", i), "is the name of an environment variable")
		}
	}
}

// The bounds of the limits of one instance, in templates and for the fleet.
const (
	MinInstanceCPU    = 0.001     // cores
	MaxInstanceCPU    = 1_000_000 // cores
	MinInstanceMemory = 6 << 20   // bytes; container daemons accept no less
	MaxInstanceMemory = 1 << 60   // bytes
	MaxInstancePIDs   = 1 << 22   // as many as Linux can number
)

func (c *agentCheck) limits(l Limits) {
	if l.CPU != 0 && !(l.CPU >= MinInstanceCPU && l.CPU <= MaxInstanceCPU) {
		c.add("template.limits.cpu", "is a number of cores, %v at least and %d at most, or 0 for the server's default", MinInstanceCPU, MaxInstanceCPU)
	}
	if l.MemoryBytes != 0 && (l.MemoryBytes < MinInstanceMemory || l.MemoryBytes > MaxInstanceMemory) {
		c.add("template.limits.memory_bytes", "is %d bytes (6 MiB, no program starts in less) at least and %d (1 EiB) at most, or 0 for the server's default",
			int64(MinInstanceMemory), int64(MaxInstanceMemory))
	}
	if l.PIDs < 0 || l.PIDs > MaxInstancePIDs {
		c.add("template.limits.pids", "is 1 to %d processes and threads, or 0 for the server's default", MaxInstancePIDs)
	}
}
