package orchestrator

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseReferences(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", "": "", "$": "$", "$$": "$$", "${": "${", "${x}": "${x}", "${task.a}": "${task.a}", "${tasksa}": "${tasksa}", "${tasks}": "${tasks}",
		"$${tasks.a}": "${tasks.a}", "$$${tasks.a}": "$${tasks.a}", "$${tasks": "${tasks", "a$${tasksx$": "a${tasksx$",
		"${tasks.a}": "<a>", "x${tasks.a.data}y${tasks.b-1[0].c}z": "x<a .data>y<b-1 [0] .c>z", `${tasks["any id"]["k\"]}"].é}`: `<any id .k"]} .é>`,
		"${tasks.1.data[10]}": "<1 .data [10]>", "$${tasks.a} ${tasks.a}": "${tasks.a} <a>",
	} {
		parts, rules := parseReferences(in)
		var b strings.Builder
		for _, p := range parts {
			if p.ref == nil {
				b.WriteString(p.text)
				continue
			}
			b.WriteString("<" + p.ref.id)
			for _, s := range p.ref.path {
				if s.index >= 0 {
					fmt.Fprintf(&b, " [%d]", s.index)
				} else {
					b.WriteString(" ." + s.name)
				}
			}
			b.WriteString(">")
		}
		if len(rules) != 0 || b.String() != want {
			t.Errorf("%q: got %q %q, want %q", in, b.String(), rules, want)
		}
	}
	for _, in := range []string{"${tasks.", "${tasks.}", "${tasks.a", "${tasks.a b}", "${tasks.a..b}", "${tasks.a[}", "${tasks.a[-1]}", "${tasks.a[01]}", "${tasks.a[x]}",
		`${tasks["a}`, `${tasks["a"}`, `${tasks["\q"]}`, "${tasks[0]}", "${tasks.a[99999999999999999999]}"} {
		if _, rules := parseReferences(in); len(rules) != 1 {
			t.Errorf("%q: rules %q", in, rules)
		}
	}
}

func FuzzReferences(f *testing.F) {
	for _, s := range []string{"${tasks.a.data[0]}", "$${tasks.a}", `${tasks["x y"]}`, "a ${tasks.b} $ ${tasks"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		parts, rules := parseReferences(s)
		if len(rules) > 0 {
			return
		}
		var b strings.Builder
		for _, p := range parts {
			if p.ref != nil {
				if len(p.ref.text) < len("${tasks.x}") || !strings.Contains(s, p.ref.text) {
					t.Fatalf("%q: reference %q", s, p.ref.text)
				}
				b.WriteString(p.ref.text)
				continue
			}
			b.WriteString(p.text)
		}
		if want := strings.ReplaceAll(s, escape, escape[1:]); b.String() != want {
			t.Fatalf("%q was read as %q, want %q", s, b.String(), want)
		}
	})
}
