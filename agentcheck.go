package myriad

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// The bounds of an agent's fields.
const (
	MaxAgentConcepts    = 1000  // concepts, and each list of intents
	MaxAgentConcurrency = 10000 // max_concurrency
	maxAgentText        = 4096  // description, endpoint and other free text, in bytes
	maxAgentEntries     = 256   // labels, capabilities, argv, environment
)

// CheckAgent is the one judge of an agent as a client, a file or the fleet describes it. It returns the agent in the form in which it is
// kept, and every rule that it breaks, in reading order: names trimmed, intents canonical, duplicates gone (concepts stay as they were
// written; two are the same when their CanonicalConcept is), the defaults of protocol, type and status filled in, and Dormant told from
// template and endpoint. The argument is not changed. Which networks an endpoint may be in is not judged here.
func CheckAgent(a Agent) (Agent, []Mistake) { return check(a, agentCheck{}) }

// CheckKept is CheckAgent for an agent that is kept already and is written anew where it was, with what it has learned: how much it knows is not judged, so that one
// that was taken when there was no bound lives on.
func CheckKept(a Agent) (Agent, []Mistake) { return check(a, agentCheck{kept: true}) }

func check(a Agent, c agentCheck) (Agent, []Mistake) {
	a.Name = c.agentName(a.Name)
	a.Endpoint = c.endpoint(a.Endpoint)
	if a.Endpoint == "" && a.Template == nil {
		c.add("endpoint", "an agent has an endpoint or a template")
	}
	a.Protocol = c.word("protocol", a.Protocol, ProtocolHTTP)
	a.Concepts = c.concepts(a.Concepts)
	a.Intents = c.intents("intents", a.Intents)
	a.SafeIntents = c.intents("safe_intents", a.SafeIntents)
	if a.MaxConcurrency < 0 || a.MaxConcurrency > MaxAgentConcurrency {
		c.add("max_concurrency", "is 1 to %d jobs under way, or 0 for the server's default", MaxAgentConcurrency)
	}
	c.labels(a.Labels)
	a.Auth = c.auth(a.Auth)
	c.text("description", a.Description)
	c.texts("capabilities", a.Capabilities)
	a.Type = c.word("type", a.Type, defaultType(a), AgentStatic, AgentDynamic)
	a.Status = c.word("status", a.Status, AgentActive, AgentInactive, AgentUnhealthy)
	a.Template = c.template(a.Template)
	c.text("version", a.Version)
	if a.Owner != "" {
		a.Owner = c.word("owner", a.Owner, OwnerAPI, OwnerFile, OwnerFleet)
	}
	a.Dormant = a.Template != nil && a.Endpoint == ""
	return a, c.mistakes
}

// ConceptKeys are the canonical names of the concepts that the agent handles, without duplicates, in the order written.
func (a *Agent) ConceptKeys() []string {
	keys := make([]string, 0, len(a.Concepts))
	for _, written := range a.Concepts {
		if key, err := CanonicalConcept(written); err == nil && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

func defaultType(a Agent) string {
	if a.Template != nil {
		return AgentDynamic
	}
	return AgentStatic
}

// agentCheck collects mistakes.
type agentCheck struct {
	mistakes []Mistake
	kept     bool // see CheckKept
}

func (c *agentCheck) add(path, rule string, args ...any) {
	c.mistakes = append(c.mistakes, Mistake{Path: path, Rule: fmt.Sprintf(rule, args...)})
}

func (c *agentCheck) agentName(s string) string {
	s = CanonicalName(s)
	switch {
	case s == "":
		c.add("name", "must not be empty")
	case len(s) > MaxNameLength:
		c.add("name", "has at most %d bytes", MaxNameLength)
	case strings.ContainsFunc(s, notInName) || strings.HasPrefix(s, ".") || strings.HasPrefix(s, "-"):
		c.add("name", "holds letters, digits, _ - and . only, and does not start with - or .")
	}
	return s
}

// CanonicalName is the form in which an agent's name is stored: composed letters (NFC), no space around it.
func CanonicalName(s string) string { return norm.NFC.String(strings.TrimSpace(s)) }

func notInName(r rune) bool {
	return r == unicode.ReplacementChar || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && !strings.ContainsRune("_-.", r)
}

func (c *agentCheck) endpoint(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	u, err := url.Parse(s)
	switch {
	case len(s) > maxAgentText:
		c.add("endpoint", "has at most %d bytes", maxAgentText)
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		c.add("endpoint", "is an http or https URL with a host")
	case u.User != nil:
		c.add("endpoint", "must not carry credentials; name them by reference in auth")
	case u.Fragment != "":
		c.add("endpoint", "must not have a fragment")
	case !validPort(u.Port()):
		c.add("endpoint", "has a port from 1 to 65535")
	}
	return s
}

func validPort(s string) bool {
	if s == "" {
		return true
	}
	n, err := strconv.Atoi(s)
	return err == nil && n >= 1 && n <= 65535
}

// word checks that s is one of the words; empty becomes the first.
func (c *agentCheck) word(path, s string, words ...string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return words[0]
	}
	if !slices.Contains(words, s) {
		slices.Sort(words)
		c.add(path, "is one of %s", strings.Join(slices.Compact(words), ", "))
	}
	return s
}

func (c *agentCheck) concepts(written []string) []string {
	if len(written) == 0 {
		c.add("concepts", "names at least one concept")
	}
	if len(written) > MaxAgentConcepts {
		c.add("concepts", "names at most %d concepts", MaxAgentConcepts)
		return written
	}
	kept, seen := make([]string, 0, len(written)), make(map[string]bool, len(written))
	for i, s := range written {
		key, err := CanonicalConcept(s)
		if err != nil {
			c.add(fmt.Sprintf("concepts[%d]", i), "%s", err)
		} else if !seen[key] {
			seen[key] = true
			kept = append(kept, strings.TrimSpace(s))
		}
	}
	return kept
}

func (c *agentCheck) intents(path string, written []string) []string {
	if len(written) > MaxAgentConcepts {
		c.add(path, "names at most %d intents", MaxAgentConcepts)
		return written
	}
	var kept []string
	for i, s := range written {
		intent, err := CanonicalIntent(s)
		if err != nil {
			c.add(fmt.Sprintf("%s[%d]", path, i), "%s", err)
		} else if !slices.Contains(kept, intent) {
			kept = append(kept, intent)
		}
	}
	return kept
}

func (c *agentCheck) labels(labels map[string]string) {
	if len(labels) > maxAgentEntries {
		c.add("labels", "has at most %d entries", maxAgentEntries)
		return
	}
	for _, key := range sortedKeys(labels) {
		if key == "" || len(key) > MaxNameLength || hasControl(key) {
			c.add("labels", "a label's name has 1 to %d bytes and no control characters: %.40q", MaxNameLength, key)
		}
		c.text("labels."+key, labels[key])
	}
}

func (c *agentCheck) texts(path string, texts []string) {
	if len(texts) > maxAgentEntries {
		c.add(path, "has at most %d entries", maxAgentEntries)
		return
	}
	for i, s := range texts {
		c.text(fmt.Sprintf("%s[%d]", path, i), s)
	}
}

func (c *agentCheck) text(path, s string) {
	if len(s) > maxAgentText {
		c.add(path, "has at most %d bytes", maxAgentText)
	}
	c.legible(path, s)
}

func (c *agentCheck) legible(path, s string) {
	if LegibleText(s) != s {
		c.add(path, "must not hold NUL or invalid UTF-8")
	}
}

// LegibleText is s without NUL, and without what is no UTF-8 or stands for it: texts of agents that hold these are refused.
func LegibleText(s string) string {
	return strings.Map(func(r rune) rune {
		if r == 0 || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s)
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar })
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
