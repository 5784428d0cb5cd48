package archtest

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// source is what the rules look at in one Go file.
type source struct {
	file    string // slash-separated, below the module's root
	pkg     string // its folder below the module's root, "" for the root itself
	name    string // its package clause, without _test
	imports []string
	inits   int
	test    bool
}

// read parses every Go file of a module, whatever it is built for, but for what the go tool leaves out too: modules within it, for one.
func read(module fs.FS) ([]source, error) {
	var out []source
	err := fs.WalkDir(module, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); file != "." && (n == "testdata" || n == "vendor" || strings.HasPrefix(n, ".") || strings.HasPrefix(n, "_")) {
				return fs.SkipDir
			}
			if _, err := fs.Stat(module, path.Join(file, "go.mod")); err == nil && file != "." {
				return fs.SkipDir
			}
			return nil
		}
		if n := d.Name(); path.Ext(n) != ".go" || strings.HasPrefix(n, ".") || strings.HasPrefix(n, "_") {
			return nil
		}
		s, err := parse(module, file)
		out = append(out, s)
		return err
	})
	return out, err
}

func parse(module fs.FS, file string) (source, error) {
	text, err := fs.ReadFile(module, file)
	if err != nil {
		return source{}, err
	}
	f, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
	if err != nil {
		return source{}, fmt.Errorf("parse: %w", err)
	}
	s := source{file: file, name: strings.TrimSuffix(f.Name.Name, "_test"), test: strings.HasSuffix(file, "_test.go")}
	if dir := path.Dir(file); dir != "." {
		s.pkg = dir
	}
	for _, i := range f.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return source{}, fmt.Errorf("parse %s: import %s: %w", file, i.Path.Value, err)
		}
		s.imports = append(s.imports, p)
	}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			s.inits++
		}
	}
	return s, nil
}

// check lists every broken rule, each with the file that breaks it.
func check(sources []source) []string {
	var broken []string
	report := func(s source, format string, args ...any) {
		broken = append(broken, s.file+": "+fmt.Sprintf(format, args...))
	}
	for _, s := range sources {
		if slices.Contains(s.imports, "C") {
			report(s, "cgo is not used here")
		}
		if slices.Contains(badNames, s.name) || slices.Contains(badNames, path.Base(s.pkg)) {
			report(s, "a package is named after its noun, not %q", cmp.Or(path.Base(s.pkg), s.name))
		}
		if s.test {
			continue
		}
		if s.inits > 0 && inits[s.file] == "" {
			report(s, "init functions have effects nobody called for; say it in a function, or give the reason in archtest")
		}
		r, known := rowOf(s.pkg)
		if !known {
			report(s, "package %q has no row in the table of archtest", s.pkg)
			continue
		}
		for _, p := range s.imports {
			if (p == "testing" || strings.HasPrefix(p, "testing/")) && !slices.Contains(usesTesting, s.pkg) {
				report(s, "imports %s outside of tests", p)
			}
			if target, ours := within(p); ours && !mayImport(s.pkg, r, target) {
				report(s, "package %q may not import %q", s.pkg, target)
			}
		}
	}
	slices.Sort(broken)
	return broken
}

// within gives the table's name of an import path of this module.
func within(importPath string) (pkg string, ours bool) {
	if importPath == module {
		return root, true
	}
	return strings.CutPrefix(importPath, module+"/")
}

func mayImport(pkg string, r row, target string) bool {
	t, known := rowOf(target)
	switch {
	case !known:
		return false
	case t.only != nil && !slices.Contains(t.only, pkg):
		return false
	case strings.HasPrefix(target, "cmd/"):
		return false
	}
	return slices.Contains(r.imports, target) || slices.Contains(r.imports, "*") && (t.only == nil || slices.Contains(t.only, pkg))
}
