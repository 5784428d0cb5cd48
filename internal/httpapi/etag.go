package httpapi

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// tagSet is the value of If-Match or If-None-Match: any revision, or some.
type tagSet struct {
	any       bool
	revisions []int64
}

func (t tagSet) names(revision int64) bool { return t.any || slices.Contains(t.revisions, revision) }

// parseTags reads a list of entity tags. Tags that are not ours are well-formed but name nothing.
func parseTags(header string) (tagSet, error) {
	if strings.TrimSpace(header) == "*" {
		return tagSet{any: true}, nil
	}
	var t tagSet
	for part := range strings.SplitSeq(header, ",") {
		tag := strings.TrimSpace(part)
		weak := strings.HasPrefix(tag, "W/")
		tag = strings.TrimPrefix(tag, "W/")
		if len(tag) < 2 || tag[0] != '"' || tag[len(tag)-1] != '"' {
			return tagSet{}, errors.New(`must be * or entity tags such as "3"`)
		}
		if n, err := strconv.ParseInt(tag[1:len(tag)-1], 10, 64); err == nil && !weak {
			t.revisions = append(t.revisions, n)
		}
	}
	return t, nil
}
