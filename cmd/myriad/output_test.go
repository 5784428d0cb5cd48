package main

import (
	"strings"
	"testing"
)

// A bug: an agent's answer could turn the direction of the table's text around it.
func TestOneLineSteersNoTerminal(t *testing.T) {
	for in, want := range map[string]string{
		"\u202egnp.exe\u202c \u2066x\u2069": "gnp.exe x",
		"\x1b[2J\x1b]0;t\a\u009b31m\x7f":    "[2J]0;t31m",
		"a\r\nb\tc":                         "a  b c",
		"Käse 名前 \U0001F4A1 שלום e\u0301":   "Käse 名前 \U0001F4A1 שלום e\u0301",
	} {
		if got := oneLine(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// A bug: the cause of a failure, which is at the end of its text, was cut off.
func TestOneLineKeepsBothEnds(t *testing.T) {
	got := oneLine("agent_error: " + strings.Repeat("x", 500) + " KeyError: 'text'")
	if !strings.HasPrefix(got, "agent_error: x") || !strings.HasSuffix(got, "x KeyError: 'text'") || len([]rune(got)) != 160 {
		t.Error(got)
	}
	if whole := strings.Repeat("y", 160); oneLine(whole) != whole {
		t.Error("what fits was cut")
	}
}
