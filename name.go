package myriad

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// AnyConcept is the concept of agents that may answer for any; only agents may name it.
const AnyConcept = "*"

// MaxNameLength is the longest concept, intent or agent name, in bytes.
const MaxNameLength = 256

// CanonicalConcept is the one form of a concept on store and look-up: NFKC, lower case, runs of space and of _ - . / ' become _, ends
// trimmed. + and # and letters of every script stay. An empty result is a mistake of the caller, as are control characters and over-long names.
func CanonicalConcept(s string) (string, error) {
	if len(s) > MaxNameLength {
		return "", Errorf(CodeInvalid, "a concept has at most %d bytes", MaxNameLength)
	}
	var b strings.Builder
	gap := false
	// Lower-casing can denormalise and NFKC can yield upper case, so the string is normalised on both sides of it.
	for _, r := range norm.NFKC.String(strings.ToLower(norm.NFKC.String(s))) {
		switch {
		case unicode.IsSpace(r) || strings.ContainsRune("_-./'", r):
			gap = true
		case r == unicode.ReplacementChar || unicode.IsControl(r):
			return "", Errorf(CodeInvalid, "a concept must not hold control characters or invalid UTF-8")
		default:
			if gap && b.Len() > 0 {
				b.WriteByte('_')
			}
			gap = false
			b.WriteRune(r)
		}
	}
	if b.Len() == 0 {
		return "", Errorf(CodeInvalid, "a concept must not be empty")
	}
	return b.String(), nil
}

// CanonicalIntent is the one form of an intent: trimmed, lower case. An empty result is a mistake.
func CanonicalIntent(s string) (string, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	switch {
	case s == "":
		return "", Errorf(CodeInvalid, "an intent must not be empty")
	case len(s) > MaxNameLength:
		return "", Errorf(CodeInvalid, "an intent has at most %d bytes", MaxNameLength)
	case strings.ContainsFunc(s, func(r rune) bool { return r == unicode.ReplacementChar || unicode.IsControl(r) }):
		return "", Errorf(CodeInvalid, "an intent must not hold control characters or invalid UTF-8")
	}
	return s, nil
}
