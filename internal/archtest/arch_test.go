package archtest

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestPackagesKeepTheRules reads the whole module.
func TestPackagesKeepTheRules(t *testing.T) {
	sources, err := read(os.DirFS(moduleRoot(t)))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(sources, func(s source) bool { return s.pkg == root }) || len(sources) < 20 {
		t.Fatalf("only %d files were found: this is not the module", len(sources))
	}
	for _, b := range check(sources) {
		t.Error(b)
	}
}

// moduleRoot is the nearest folder above that holds this module's go.mod.
func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(text, []byte("module "+module+"\n")) {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatalf("no go.mod of %s above the test", module)
		}
		dir = up
	}
}

// TestEveryBreachIsSeen: a rule that cannot fail is none. Each file breaks one, or none when want is empty.
func TestEveryBreachIsSeen(t *testing.T) {
	const ours = module
	for _, c := range []struct{ name, file, text, want string }{
		{"the root uses the standard library", "task.go", "package myriad\nimport _ \"time\"", ""},
		{"the root imports ours", "task.go", "package myriad\nimport _ \"" + ours + "/client\"", `package "" may not import "client"`},
		{"siblings", "internal/call/a.go", "package call\nimport _ \"" + ours + "/internal/dispatch\"", `may not import "internal/dispatch"`},
		{"a row's own", "internal/call/a.go", "package call\nimport _ \"" + ours + "/internal/egress\"", ""},
		{"a policy imports the root", "internal/resilience/a.go", "package resilience\nimport _ \"" + ours + "\"", `may not import ""`},
		{"a renamed import", "internal/egress/a.go", "package egress\nimport m \"" + ours + "\"\nvar _ m.Task", `may not import ""`},
		{"another platform", "internal/egress/a_windows.go", "//go:build windows\npackage egress\nimport _ \"" + ours + "\"", `may not import ""`},
		{"cmd sees all", "cmd/myriad/a.go", "package main\nimport (\n_ \"" + ours + "\"\n_ \"" + ours + "/internal/call\"\n)", ""},
		{"cmd sees no test tools", "cmd/myriad/a.go", "package main\nimport _ \"" + ours + "/internal/faultproxy\"", `may not import "internal/faultproxy"`},
		{"nobody sees cmd", "internal/bench/a.go", "package bench\nimport _ \"" + ours + "/cmd/myriad\"", `may not import "cmd/myriad"`},
		{"the benchmark sees the proxy", "internal/bench/a.go", "package bench\nimport _ \"" + ours + "/internal/faultproxy\"", ""},
		{"the benchmark is no suite", "internal/bench/a.go", "package bench\nimport _ \"" + ours + "/internal/conformance\"", `may not import "internal/conformance"`},
		{"the demo sees the proxy", "internal/demo/a.go", "package demo\nimport _ \"" + ours + "/internal/faultproxy\"", ""},
		{"a test sees what it likes", "internal/call/a_test.go", "package call_test\nimport _ \"" + ours + "/internal/faultproxy\"", ""},
		{"an example", "examples/lightbulb/main.go", "package main\nimport _ \"" + ours + "/agent\"", ""},
		{"an example inside the house", "examples/lightbulb/main.go", "package main\nimport _ \"" + ours + "/internal/call\"", `may not import "internal/call"`},
		{"an unknown package", "internal/novelty/a.go", "package novelty", "has no row"},
		{"an unknown package is imported", "internal/call/a.go", "package call\nimport _ \"" + ours + "/internal/novelty\"", `may not import "internal/novelty"`},
		{"another module of like name", "internal/egress/a.go", "package egress\nimport _ \"" + ours + "x/client\"", ""},
		{"cgo", "internal/call/a.go", "package call\nimport \"C\"", "cgo"},
		{"cgo in a test", "internal/call/a_test.go", "package call\nimport \"C\"", "cgo"},
		{"init", "internal/call/a.go", "package call\nfunc init() {}", "init functions"},
		{"init in a test", "internal/call/a_test.go", "package call\nfunc init() {}", ""},
		{"a method named init", "internal/call/a.go", "package call\ntype a int\nfunc (a) init() {}", ""},
		{"a heap of leftovers", "internal/util/a_test.go", "package util", "named after its noun"},
		{"a heap of leftovers by its clause", "internal/call/a.go", "package helpers", "named after its noun"},
		{"testing in a program", "internal/call/a.go", "package call\nimport _ \"testing/fstest\"", "outside of tests"},
		{"testing in a suite", "internal/conformance/a.go", "package conformance\nimport _ \"testing\"", ""},
		{"test data", "internal/call/testdata/a.go", "package util\nimport \"C\"", ""},
		{"a module of its own", "other/util/a.go", "package util", ""},
		{"hidden", ".cache/a.go", "package util", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			sources, err := read(fstest.MapFS{
				c.file: {Data: []byte(c.text)}, "go.mod": {Data: []byte("module " + module)}, "other/go.mod": {Data: []byte("module other")},
			})
			if err != nil {
				t.Fatal(err)
			}
			got := check(sources)
			if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)) {
				t.Errorf("reported %q, want %q", got, c.want)
			}
		})
	}
}

func TestUnreadableSourceIsNotPassedOver(t *testing.T) {
	if _, err := read(fstest.MapFS{"a.go": {Data: []byte("package myriad\nfunc {")}}); err == nil {
		t.Error("a file that does not parse is passed over")
	}
}

// TestTableIsConsistent: a row names only packages that have rows, and reasons are reasons.
func TestTableIsConsistent(t *testing.T) {
	for pkg, r := range table {
		for _, p := range slices.Concat(r.imports, r.only) {
			if _, known := rowOf(p); p != "*" && !known {
				t.Errorf("the row of %q names %q, which has none", pkg, p)
			}
		}
		for _, p := range r.imports {
			if p != "*" && !mayImport(pkg, r, p) {
				t.Errorf("%q may import %q, which does not let it", pkg, p)
			}
		}
	}
	for file, reason := range inits {
		if reason == "" {
			t.Errorf("the init of %s has no reason", file)
		}
	}
}
