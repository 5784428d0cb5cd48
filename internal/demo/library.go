package demo

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/myriad-mind/myriad/agent"
)

// The bounds of what is read.
const (
	DefaultMaxFiles = 40      // documents of one audit
	maxFileBytes    = 1 << 20 // of one document
	maxVisited      = 200_000 // entries of the folder
)

// library is the folder under audit. It only reads.
type library struct {
	dir     string
	files   []string // those of the audit, sorted, with slashes
	left    int      // documents beyond the bound
	skipped []string // too large
	known   map[string]bool

	mu   sync.Mutex
	read map[string]cached // guarded by mu
}

type cached struct {
	doc  *document
	at   time.Time
	size int64
}

// errEnough ends the search of a folder that is too big to look through.
var errEnough = errors.New("enough")

// openLibrary finds the documents of dir. Without all, these are the README and the docs folder, if there are any.
func openLibrary(dir string, all bool, limit int) (*library, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("look at the folder: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is no folder", dir)
	}
	l := &library{dir: dir, known: map[string]bool{}, read: map[string]cached{}}
	found, err := l.find()
	if err != nil {
		return nil, fmt.Errorf("look through %s: %w", dir, err)
	}
	if !all {
		if core := slices.DeleteFunc(slices.Clone(found), func(f string) bool { return !isCore(f) }); len(core) > 0 {
			found = core
		}
	}
	slices.SortFunc(found, byImportance)
	if len(found) > limit {
		l.left, found = len(found)-limit, found[:limit]
	}
	l.files = found
	for _, f := range found {
		l.known[f] = true
	}
	return l, nil
}

// isCore says whether a document belongs to what is audited when no folder was named.
func isCore(file string) bool {
	top, _, below := strings.Cut(strings.ToLower(file), "/")
	return !below || top == "docs" || top == "doc"
}

// byImportance puts the README first, then what lies higher, then by name.
func byImportance(a, b string) int {
	rank := func(f string) int {
		n := 2 * strings.Count(f, "/")
		if !isReadme(f) {
			n++
		}
		return n
	}
	if d := rank(a) - rank(b); d != 0 {
		return d
	}
	return strings.Compare(a, b)
}

func (l *library) find() ([]string, error) {
	var found []string
	visited := 0
	err := filepath.WalkDir(l.dir, func(p string, e fs.DirEntry, err error) error {
		name := filepath.Base(p)
		switch {
		case err != nil && p == l.dir:
			return err
		case err != nil: // a folder that may not be read is passed over
			return fs.SkipDir
		case p == l.dir:
			return nil
		case e.IsDir() && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "vendor" || name == "testdata"):
			return fs.SkipDir
		}
		if visited++; visited > maxVisited {
			return errEnough
		}
		if !e.Type().IsRegular() || strings.HasPrefix(name, ".") || !isDocument(name) {
			return nil
		}
		rel, err := filepath.Rel(l.dir, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if info, err := e.Info(); err == nil && info.Size() > maxFileBytes {
			l.skipped = append(l.skipped, rel)
			return nil
		}
		found = append(found, rel)
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return found, err
}

func isMarkdown(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".md", ".markdown", ".mdown":
		return true
	}
	return false
}

func isDocument(name string) bool {
	switch strings.ToLower(name) {
	case "requirements.txt", "cmakelists.txt", "robots.txt", "license.txt", "go.sum":
		return false
	}
	return isMarkdown(name) || strings.EqualFold(path.Ext(name), ".txt")
}

func isReadme(file string) bool {
	base := strings.ToLower(path.Base(file))
	return strings.TrimSuffix(base, path.Ext(base)) == "readme"
}

// open reads a document of the audit, again only when it has changed. Another file is the caller's fault.
func (l *library) open(file string) (*document, error) {
	if !l.known[file] {
		return nil, agent.Callerf("%q is not among the documents of this audit", file)
	}
	return l.load(file)
}

// load reads a file below the folder, and nothing outside of it.
func (l *library) load(file string) (*document, error) {
	f, err := os.OpenInRoot(l.dir, filepath.FromSlash(file))
	if err != nil {
		return nil, fmt.Errorf("open the document: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open the document: %w", err)
	}
	l.mu.Lock()
	c, ok := l.read[file]
	l.mu.Unlock()
	if ok && c.at.Equal(info.ModTime()) && c.size == info.Size() {
		return c.doc, nil
	}
	src, err := io.ReadAll(io.LimitReader(f, maxFileBytes))
	if err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	c = cached{readDocument(file, src), info.ModTime(), info.Size()}
	l.mu.Lock()
	l.read[file] = c
	l.mu.Unlock()
	return c.doc, nil
}
