package demo

import (
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// linked is what a document points at, for the search for orphans.
type linked struct {
	verdict
	Targets []string `json:"targets"` // documents of the folder, sorted
	Checked int      `json:"checked"`
}

// target is where a relative link leads.
type target struct {
	path     string // with slashes, below the folder; begins with ../ outside of it
	fragment string
	relative bool
	bad      string // why the link cannot be read
}

// resolve takes a destination apart as a browser of the repository would. Links with a scheme or a host are not relative.
func resolve(file, dest string) target {
	u, err := url.Parse(dest)
	if err != nil {
		if raw, _, _ := strings.Cut(dest, "#"); strings.Contains(raw, "://") || strings.HasPrefix(raw, "mailto:") {
			return target{}
		}
		return target{relative: true, bad: "is no address: " + strings.TrimPrefix(err.Error(), "parse ")}
	}
	if u.Scheme != "" || u.Host != "" || strings.HasPrefix(dest, "//") {
		return target{}
	}
	t := target{relative: true, fragment: u.Fragment}
	switch {
	case u.Path == "":
		t.path = file
	case strings.HasPrefix(u.Path, "/"):
		t.path = path.Clean(u.Path[1:])
	default:
		t.path = path.Join(path.Dir(file), u.Path)
	}
	return t
}

// exists says whether the target is there: below the folder or, for links that leave it, beside it.
func (l *library) exists(t target) bool {
	_, err := os.Stat(filepath.Join(l.dir, filepath.FromSlash(t.path)))
	return err == nil
}

// checkLinks resolves every relative link to a file.
func checkLinks(l *library, d *document) linked {
	out := linked{verdict: newVerdict(d.file), Targets: []string{}}
	for _, k := range d.links {
		t := resolve(d.file, k.dest)
		if k.image || !t.relative {
			continue
		}
		out.Checked++
		switch {
		case t.bad != "":
			out.add(k.line, wrong, "the link %q %s", short(k.dest, 80), t.bad)
		case k.dest == "":
			out.add(k.line, wrong, "the link %q leads nowhere", short(k.text, 60))
		case !l.exists(t):
			out.add(k.line, wrong, "broken link: %s is not there", short(k.dest, 100))
		default:
			out.Targets = append(out.Targets, l.reached(t.path)...)
		}
	}
	slices.Sort(out.Targets)
	out.Targets = slices.Compact(out.Targets)
	return out
}

// reached are the documents that a link to p leads to: itself, or those of a folder, which a browser of the repository lists.
func (l *library) reached(p string) []string {
	if l.known[p] {
		return []string{p}
	}
	var out []string
	for _, f := range l.files {
		if path.Dir(f) == p && p != "." {
			out = append(out, f)
		}
	}
	return out
}

var lineAnchor = regexp.MustCompile(`^L\d+(C\d+)?(-L\d+(C\d+)?)?$`)

// checkAnchors looks for the headings and HTML names that fragments point at.
func checkAnchors(l *library, d *document) verdict {
	v := newVerdict(d.file)
	for _, k := range d.links {
		t := resolve(d.file, k.dest)
		if k.image || !t.relative || t.bad != "" || t.fragment == "" || strings.HasPrefix(t.path, "../") || !isMarkdown(t.path) {
			continue
		}
		to := d
		if t.path != d.file {
			if !l.exists(t) {
				continue // told as a broken link
			}
			var err error
			if to, err = l.load(t.path); err != nil {
				v.add(k.line, doubtful, "the target of %s cannot be read", short(k.dest, 100))
				continue
			}
		}
		switch {
		case to.anchors[t.fragment] || to.anchors[strings.TrimPrefix(t.fragment, "user-content-")], t.fragment == "top", lineAnchor.MatchString(t.fragment):
		case to.anchors[strings.ToLower(t.fragment)]:
			v.add(k.line, doubtful, "anchor #%s differs in case from the heading's #%s", t.fragment, strings.ToLower(t.fragment))
		default:
			v.add(k.line, wrong, "unreachable anchor: %s has no #%s", t.path, t.fragment)
		}
	}
	return v
}

// checkImages looks for missing files and missing descriptions.
func checkImages(l *library, d *document) verdict {
	v := newVerdict(d.file)
	for _, k := range d.links {
		if !k.image {
			continue
		}
		t := resolve(d.file, k.dest)
		switch {
		case t.bad != "":
			v.add(k.line, wrong, "the image %q %s", short(k.dest, 80), t.bad)
		case t.relative && !l.exists(t):
			v.add(k.line, wrong, "missing image: %s is not there", short(k.dest, 100))
		case strings.TrimSpace(k.text) == "":
			v.add(k.line, note, "the image %s has no description", short(k.dest, 80))
		}
	}
	return v
}

// checkURLs looks at addresses elsewhere; none is fetched.
func checkURLs(d *document) verdict {
	v := newVerdict(d.file)
	for _, k := range d.links {
		if resolve(d.file, k.dest).relative {
			continue
		}
		u, err := url.Parse(k.dest)
		switch {
		case err != nil:
			v.add(k.line, wrong, "%s is no address", short(k.dest, 100))
		case (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() == "":
			v.add(k.line, wrong, "%s names no host", short(k.dest, 100))
		case u.Scheme == "http" && !isLocal(u.Hostname()):
			v.add(k.line, note, "%s is not https", short(k.dest, 100))
		case u.Scheme == "file":
			v.add(k.line, doubtful, "%s points into one machine's files", short(k.dest, 100))
		case isLocal(u.Hostname()) && !k.auto:
			v.add(k.line, note, "%s works only on the reader's own machine", short(k.dest, 100))
		}
	}
	return v
}

func isLocal(host string) bool {
	return host == "localhost" || strings.HasPrefix(host, "127.") || host == "::1" || strings.HasSuffix(host, ".example") ||
		host == "example.com" || strings.HasSuffix(host, ".localhost")
}

// findOrphans names documents that no other document of the audit links to. A README is where readers come in.
func findOrphans(files []string, links []linked) verdict {
	v := newVerdict("")
	reached := map[string]bool{}
	for _, from := range links {
		for _, to := range from.Targets {
			if to != from.File {
				reached[to] = true
			}
		}
	}
	for _, f := range files {
		base := strings.ToLower(strings.TrimSuffix(path.Base(f), path.Ext(f)))
		if !reached[f] && isMarkdown(f) && base != "readme" && base != "index" && base != "_index" {
			v.put(finding{File: f, Level: note, Text: "no other document links here"})
		}
	}
	return v
}
