package config

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// parse reads text into the value that into points to; the error is the rule that text breaks, and the value is as before.
func parse(into any, text string) error {
	text = strings.TrimSpace(text)
	switch v := into.(type) {
	case *string:
		*v = text
	case *bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("is true or false, not %q", text)
		}
		*v = text == "true"
	case *int:
		return assign(v, strconv.Atoi, text, "a whole number")
	case *float64:
		return assign(v, parseFloat, text, "a number")
	case *time.Duration:
		return assign(v, time.ParseDuration, text, "a duration like 30s or 1h30m")
	case *Size:
		return assign(v, parseSize, text, "a size like 4MiB or 65536")
	case *[]string:
		*v = nil
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				*v = append(*v, item)
			}
		}
	}
	return nil
}

func assign[T any](into *T, parse func(string) (T, error), text, kind string) error {
	v, err := parse(text)
	if err != nil {
		return fmt.Errorf("is %s, not %q", kind, text)
	}
	*into = v
	return nil
}

func parseFloat(text string) (float64, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err == nil && (math.IsNaN(f) || math.IsInf(f, 0)) {
		err = strconv.ErrRange
	}
	return f, err
}

var units = []struct {
	suffix string
	bytes  int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {"g", 1 << 30}, {"m", 1 << 20}, {"k", 1 << 10}, {"", 1}}

// ParseSize reads a number of bytes as people write it, like 64MiB, 64m or 65536.
func ParseSize(text string) (Size, error) {
	var s Size
	err := parse(&s, text)
	return s, err
}

// UnmarshalJSON reads a size in files, where it may be a number or text.
func (s *Size) UnmarshalJSON(raw []byte) error {
	return parse(s, strings.Trim(string(raw), `"`))
}

func parseSize(text string) (Size, error) {
	for _, u := range units {
		digits, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n > math.MaxInt64/u.bytes || n < math.MinInt64/u.bytes {
			break
		}
		return Size(n * u.bytes), nil
	}
	return 0, strconv.ErrSyntax
}

// String writes the size in the largest unit that divides it.
func (s Size) String() string {
	for _, u := range units[:3] {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// text is the written form of a value; parse reads it back.
func text(from any) string {
	switch v := from.(type) {
	case *[]string:
		return strings.Join(*v, ",")
	case *string:
		return *v
	case *bool:
		return strconv.FormatBool(*v)
	case *int:
		return strconv.Itoa(*v)
	case *float64:
		return strconv.FormatFloat(*v, 'g', -1, 64)
	case *time.Duration:
		return v.String()
	case *Size:
		return v.String()
	}
	panic(fmt.Sprintf("config: no written form for %T", from))
}

// shown is the written form as people may see it: without the password of a URL.
func shown(from any) string {
	if s, ok := from.(*string); ok && strings.Contains(*s, "@") {
		u, err := url.Parse(*s)
		if err != nil {
			return "(not shown)"
		}
		return u.Redacted()
	}
	return text(from)
}

// outOfRange says whether a number is below zero, or zero where that is no value.
func outOfRange(from any, zeroOK bool) bool {
	var n float64
	switch v := from.(type) {
	case *int:
		n = float64(*v)
	case *float64:
		n = *v
	case *time.Duration:
		n = float64(*v)
	case *Size:
		n = float64(*v)
	default:
		return false
	}
	return n < 0 || n == 0 && !zeroOK
}
