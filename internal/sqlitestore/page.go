package sqlitestore

import (
	"encoding/base64"
	"encoding/json"

	"github.com/myriad-mind/myriad"
)

const (
	defaultLimit = 100
	maxLimit     = 1000
)

// limit gives how many entries a page holds.
func limit(p myriad.Page) (int, error) {
	switch {
	case p.Limit == 0:
		return defaultLimit, nil
	case p.Limit < 0 || p.Limit > maxLimit:
		return 0, myriad.Invalid([]myriad.Mistake{{Path: "limit", Rule: "is 1 to 1000"}})
	}
	return p.Limit, nil
}

// start reads a page's limit, and its cursor into at, which stays as it is on the first page.
func start[T any](p myriad.Page, at *T) (int, error) {
	n, err := limit(p)
	if err != nil || p.Cursor == "" {
		return n, err
	}
	raw, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	if err == nil {
		err = json.Unmarshal(raw, at)
	}
	if err != nil {
		return 0, myriad.Invalid([]myriad.Mistake{{Path: "cursor", Rule: "is the next_cursor of the page before"}})
	}
	return n, nil
}

// cut ends a listing that was read one entry too far: it keeps n entries and makes the cursor from the last one kept.
func cut[E, T any](entries []E, n int, at func(E) T) ([]E, string) {
	if len(entries) <= n {
		return entries, ""
	}
	raw, err := json.Marshal(at(entries[n-1]))
	if err != nil { // strings and numbers always marshal
		panic(err)
	}
	return entries[:n], base64.RawURLEncoding.EncodeToString(raw)
}
