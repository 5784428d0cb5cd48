package httpapi

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func etag(revision int64) string { return strconv.Quote(strconv.FormatInt(revision, 10)) }

// tagSet is the value of If-Match or If-None-Match: any revision, or some.
type tagSet struct {
	any  bool
	tags []entityTag
}

type entityTag struct {
	opaque string // with its quotes
	weak   bool
}

// names is the strong comparison of RFC 9110, for If-Match: a weak tag is equal to nothing.
func (t *tagSet) names(revision int64) bool {
	return t.any || slices.Contains(t.tags, entityTag{opaque: etag(revision)})
}

// several says that more than one revision can be named.
func (t *tagSet) several() bool { return t != nil && (t.any || len(t.tags) > 1) }

// resembles is the weak comparison, for If-None-Match.
func (t *tagSet) resembles(revision int64) bool {
	return t.any || slices.ContainsFunc(t.tags, func(e entityTag) bool { return e.opaque == etag(revision) })
}

// tagsOf reads a header of entity tags, whose lines are one list; nil when it is not there. One that is there and names nothing is a mistake: its
// client counts on a condition, and has lost the tag.
func tagsOf(r *http.Request, name string) (*tagSet, error) {
	lines := r.Header[name]
	if len(lines) == 0 {
		return nil, nil
	}
	tags, err := parseTags(strings.Join(lines, ","))
	if err != nil {
		return nil, at(name, err)
	}
	return tags, nil
}

var errNoTags = errors.New(`must be * or entity tags such as "3"`)

// parseTags reads * or a list of entity tags; empty elements of the list count for nothing. Tags that are not ours are well-formed but name nothing.
func parseTags(list string) (*tagSet, error) {
	if strings.TrimSpace(list) == "*" {
		return &tagSet{any: true}, nil
	}
	var t tagSet
	for list = strings.TrimLeft(list, " \t,"); list != ""; list = strings.TrimLeft(list, " \t,") {
		var tag entityTag
		list, tag.weak = strings.CutPrefix(list, "W/")
		length := tagLength(list)
		if length == 0 {
			return nil, errNoTags
		}
		tag.opaque, list = list[:length], strings.TrimLeft(list[length:], " \t")
		if list != "" && list[0] != ',' {
			return nil, errNoTags
		}
		t.tags = append(t.tags, tag)
	}
	if len(t.tags) == 0 {
		return nil, errors.New(errNoTags.Error() + "; it is empty")
	}
	return &t, nil
}

// tagLength is how long the quoted tag is with which s begins, 0 when it does not begin with one. A tag may hold commas.
func tagLength(s string) int {
	if s == "" || s[0] != '"' {
		return 0
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return i + 1
		case c <= ' ' || c == 0x7f:
			return 0
		}
	}
	return 0
}
