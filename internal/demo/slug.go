package demo

import (
	"strconv"
	"strings"
	"unicode"
)

// slugs gives headings the anchors that GitHub gives them: lower case, everything but letters, marks, decimal digits, connectors, spaces
// and hyphens dropped, each space a hyphen; the second of the same name gets -1, and so on past names that are taken.
type slugs map[string]int

func (s slugs) add(heading string) string {
	base := slug(heading)
	name := base
	for {
		if _, taken := s[name]; !taken {
			s[name] = 0
			return name
		}
		s[base]++
		name = base + "-" + strconv.Itoa(s[base])
	}
}

func slug(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimSpace(heading)) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case r == '-' || unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Pc):
			b.WriteRune(r)
		}
	}
	return b.String()
}
