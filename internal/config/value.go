package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// parse reads text into the value that into points to; the error is the rule that text breaks.
func parse(into any, text string) error {
	text = strings.TrimSpace(text)
	var err error
	switch v := into.(type) {
	case *string:
		*v = text
	case *bool:
		switch text {
		case "true", "false":
			*v = text == "true"
		default:
			return fmt.Errorf("is true or false, not %q", text)
		}
	case *int:
		if *v, err = strconv.Atoi(text); err != nil {
			return fmt.Errorf("is a whole number, not %q", text)
		}
	case *float64:
		if *v, err = strconv.ParseFloat(text, 64); err != nil || math.IsNaN(*v) || math.IsInf(*v, 0) {
			return fmt.Errorf("is a number, not %q", text)
		}
	case *time.Duration:
		if *v, err = time.ParseDuration(text); err != nil {
			return fmt.Errorf("is a duration like 30s or 1h30m, not %q", text)
		}
	case *Size:
		if *v, err = parseSize(text); err != nil {
			return err
		}
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

var units = []struct {
	suffix string
	bytes  int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {"g", 1 << 30}, {"m", 1 << 20}, {"k", 1 << 10}, {"", 1}}

func parseSize(text string) (Size, error) {
	for _, u := range units {
		digits, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n > math.MaxInt64/u.bytes {
			break
		}
		return Size(n * u.bytes), nil
	}
	return 0, fmt.Errorf("is a size like 4MiB or 65536, not %q", text)
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
