package myriad_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/myriad-mind/myriad"
)

func TestCanonicalConcept(t *testing.T) {
	for in, want := range map[string]string{
		"Lightbulb":          "lightbulb",
		"  Smart  Grid ":     "smart_grid",
		"smart-grid":         "smart_grid",
		"smart/._-'grid":     "smart_grid",
		"it's":               "it_s",
		"C++":                "c++",
		"C#":                 "c#",
		"Straße":             "straße",
		"ＦＵＬＬ　ｗｉｄｔｈ":         "full_width",
		"Cafe\u0301":         "caf\u00e9",
		"光 合成":               "光_合成",
		"_x_":                "x",
		"K\u212a":            "kk", // the Kelvin sign
		"\u0130":             "i",
		"tab\tand\nnew line": "tab_and_new_line",
	} {
		got, err := myriad.CanonicalConcept(in)
		if err != nil || got != want {
			t.Errorf("CanonicalConcept(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, bad := range []string{"", "  ", "_-./'", "a\x00b", "a\xffb", strings.Repeat("x", 257)} {
		if got, err := myriad.CanonicalConcept(bad); myriad.ErrorCode(err) != myriad.CodeInvalid {
			t.Errorf("CanonicalConcept(%q) = %q, %v; want invalid_request", bad, got, err)
		}
	}
}

func TestCanonicalIntent(t *testing.T) {
	if got, err := myriad.CanonicalIntent("  Explain_Impact "); err != nil || got != "explain_impact" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, bad := range []string{"", " \t", "a\x01", strings.Repeat("x", 257)} {
		if _, err := myriad.CanonicalIntent(bad); myriad.ErrorCode(err) != myriad.CodeInvalid {
			t.Errorf("CanonicalIntent(%q): want invalid_request, got %v", bad, err)
		}
	}
}

// FuzzCanonicalConcept: the canonical form is a fixed point, valid UTF-8, and free of what it collapses.
func FuzzCanonicalConcept(f *testing.F) {
	for _, s := range []string{"Smart Grid", "C++", "Straße", "\u0130", "ﬀ", "A\u0301\u0323", "ǅ", "ﷺ", "½"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once, err := myriad.CanonicalConcept(s)
		if err != nil {
			return
		}
		if !utf8.ValidString(once) || once == "" || strings.ContainsAny(once, " -./'") || strings.Contains(once, "__") {
			t.Fatalf("CanonicalConcept(%q) = %q", s, once)
		}
		if len(once) > myriad.MaxNameLength {
			return
		}
		if twice, err := myriad.CanonicalConcept(once); err != nil || twice != once {
			t.Fatalf("not a fixed point: %q -> %q -> %q, %v", s, once, twice, err)
		}
	})
}
