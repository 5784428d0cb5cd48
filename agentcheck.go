package myriad

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Bounds of an agent's description. They keep one agent's node small enough that a page of a thousand is no burden.
const (
	maxAgentWords  = 1000     // concepts, intents or safe intents of one agent
	maxAgentText   = 64 << 10 // bytes of one free text
	maxAgentLabels = 64
	maxSlots       = 100_000
)

// Normalize writes the defaults that an agent has when it does not say otherwise, and its intents in canonical form. Intents that have
// none are left as they are; Mistakes names them.
func (a *Agent) Normalize() {
	if a.Protocol == "" {
		a.Protocol = ProtocolHTTP
	}
	if a.Type == "" {
		a.Type = AgentStatic
		if a.Template != nil {
			a.Type = AgentDynamic
		}
	}
	if a.Status == "" {
		a.Status = AgentActive
	}
	a.Intents, a.SafeIntents = canonicalIntents(a.Intents), canonicalIntents(a.SafeIntents)
}

func canonicalIntents(intents []string) []string {
	out := slices.Clone(intents)
	for i, s := range out {
		if c, err := CanonicalIntent(s); err == nil {
			out[i] = c
		}
	}
	return out
}

// Mistakes are the rules that the agent as declared (by file, API or packet) breaks, each with its path; none means that it may be
// stored. Whether the network policy lets its endpoint be reached is another question.
func (a *Agent) Mistakes() []Mistake {
	c := &agentCheck{}
	c.name(a.Name)
	c.reach(a)
	c.concepts(a.Concepts)
	c.intents("intents", a.Intents)
	c.intents("safe_intents", a.SafeIntents)
	c.safeAmong(a)
	c.between("max_concurrency", int64(a.MaxConcurrency), 0, maxSlots)
	c.word("type", a.Type, AgentStatic, AgentDynamic)
	c.word("status", a.Status, AgentActive, AgentInactive, AgentUnhealthy)
	c.labels(a.Labels)
	c.text("description", a.Description)
	c.text("version", a.Version)
	c.count("capabilities", len(a.Capabilities), 0)
	c.auth(a.Auth)
	c.template(a.Template)
	return c.mistakes
}

type agentCheck struct{ mistakes []Mistake }

func (c *agentCheck) add(path, rule string, args ...any) {
	c.mistakes = append(c.mistakes, Mistake{Path: path, Rule: fmt.Sprintf(rule, args...)})
}

func (c *agentCheck) name(name string) {
	switch {
	case name == "":
		c.add("name", "must not be empty")
	case len(name) > MaxNameLength:
		c.add("name", "has at most %d bytes", MaxNameLength)
	case strings.ContainsFunc(name, func(r rune) bool { return !nameRune(r) }):
		c.add("name", "holds only letters a-z and A-Z, digits, _ - and .")
	case strings.Trim(name, ".") == "":
		c.add("name", "must not consist of dots alone")
	}
}

func nameRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("_-.", r)
}

// reach: an agent has an address, or says how it comes alive.
func (c *agentCheck) reach(a *Agent) {
	c.word("protocol", a.Protocol, ProtocolHTTP)
	switch {
	case a.Endpoint == "" && a.Template == nil:
		c.add("endpoint", "is required for an agent without a template")
	case len(a.Endpoint) > 2048:
		c.add("endpoint", "has at most 2048 bytes")
	case a.Endpoint != "" && !strings.HasPrefix(a.Endpoint, "http://") && !strings.HasPrefix(a.Endpoint, "https://"):
		c.add("endpoint", "must start with http:// or https://")
	}
}

func (c *agentCheck) concepts(concepts []string) {
	c.count("concepts", len(concepts), 1)
	seen := make(map[string]bool, len(concepts))
	for i, s := range concepts {
		key, err := s, error(nil)
		if s != AnyConcept {
			key, err = CanonicalConcept(s)
		}
		path := fmt.Sprintf("concepts[%d]", i)
		switch {
		case err != nil:
			c.add(path, "%s", err)
		case seen[key]:
			c.add(path, "is the same concept as an earlier one (%s)", key)
		}
		seen[key] = true
	}
}

func (c *agentCheck) intents(path string, intents []string) {
	c.count(path, len(intents), 0)
	for i, s := range intents {
		if _, err := CanonicalIntent(s); err != nil {
			c.add(fmt.Sprintf("%s[%d]", path, i), "%s", err)
		}
	}
}

// safeAmong: an agent that declares its intents must not call another one safe.
func (c *agentCheck) safeAmong(a *Agent) {
	if len(a.Intents) == 0 {
		return
	}
	declared := canonicalIntents(a.Intents)
	for i, s := range canonicalIntents(a.SafeIntents) {
		if !slices.Contains(declared, s) {
			c.add(fmt.Sprintf("safe_intents[%d]", i), "is not among the agent's intents")
		}
	}
}

func (c *agentCheck) labels(labels map[string]string) {
	if len(labels) > maxAgentLabels {
		c.add("labels", "has at most %d entries", maxAgentLabels)
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if key == "" || len(key) > MaxNameLength || len(labels[key]) > maxAgentText {
			c.add(fmt.Sprintf("labels[%q]", key), "needs a key of 1 to %d bytes and a value of at most %d", MaxNameLength, maxAgentText)
		}
	}
}

func (c *agentCheck) auth(a *Auth) {
	if a == nil {
		return
	}
	if !slices.Contains([]string{"bearer", "basic", "header"}, a.Scheme) {
		c.add("auth.scheme", "must be bearer, basic or header")
	}
	if (a.Scheme == "header") != (a.Header != "") {
		c.add("auth.header", "is given exactly when the scheme is header")
	}
	if strings.ContainsFunc(a.Header, func(r rune) bool { return !nameRune(r) }) {
		c.add("auth.header", "is no name of a header")
	}
	if (a.Env == "") == (a.File == "") {
		c.add("auth", "needs exactly one of env and file")
	}
}

func (c *agentCheck) template(t *Template) {
	if t == nil {
		return
	}
	switch t.Kind {
	case TemplateKnowledge:
		if t.Knowledge == nil {
			c.add("template.knowledge", "is required for kind knowledge")
		}
	case TemplateCommand:
		c.command(t)
	case TemplateImage:
		if t.Image == "" {
			c.add("template.image", "is required for kind image")
		}
		c.word("template.pull", t.Pull, "never", "missing", "always")
		c.between("template.port", int64(t.Port), 0, 65535)
	default:
		c.add("template.kind", "must be knowledge, command or image")
	}
	if t.Limits.CPU < 0 || t.Limits.MemoryBytes < 0 || t.Limits.PIDs < 0 {
		c.add("template.limits", "must not be negative")
	}
}

func (c *agentCheck) command(t *Template) {
	if len(t.Command) == 0 || t.Command[0] == "" {
		c.add("template.command", "names the program and its arguments")
	}
	c.word("template.mode", t.Mode, ModeStdio, ModeHTTP, ModeExec)
	for i, s := range t.Command {
		if strings.ContainsRune(s, 0) {
			c.add(fmt.Sprintf("template.command[%d]", i), "must not hold a zero byte")
		}
	}
}

func (c *agentCheck) word(path, have string, want ...string) {
	if have != "" && !slices.Contains(want, have) {
		c.add(path, "must be one of %s", strings.Join(want, ", "))
	}
}

func (c *agentCheck) text(path, s string) {
	if len(s) > maxAgentText {
		c.add(path, "has at most %d bytes", maxAgentText)
	}
}

func (c *agentCheck) count(path string, n, least int) {
	if n < least || n > maxAgentWords {
		c.add(path, "has %d to %d entries", least, maxAgentWords)
	}
}

func (c *agentCheck) between(path string, n, low, high int64) {
	if n < low || n > high {
		c.add(path, "must be within %d and %d", low, high)
	}
}
