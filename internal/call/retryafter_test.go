package call

import (
	"net/http"
	"strconv"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		header string
		want   time.Duration
		ok     bool
	}{
		{"", 0, false},
		{"3", 3 * time.Second, true},
		{" 3 ", 3 * time.Second, true},
		{"0", leastWait, true},
		{"300", 5 * time.Minute, true},
		{"301", 5 * time.Minute, true},
		{"99999999999999999999999999", 5 * time.Minute, true},
		{"-3", 0, false},
		{"+3", 0, false},
		{"1.5", 0, false},
		{"0x10", 0, false},
		{"soon", 0, false},
		{now.Add(90 * time.Second).Format(http.TimeFormat), 90 * time.Second, true},
		{now.Add(-time.Hour).Format(http.TimeFormat), leastWait, true},
		{now.Add(time.Hour).Format(http.TimeFormat), 5 * time.Minute, true},
		{now.Add(time.Minute).Format(time.ANSIC), time.Minute, true},
		{now.Format(time.RFC3339), 0, false},
	} {
		got, ok := retryAfter(c.header, now)
		if got != c.want || ok != c.ok {
			t.Errorf("%q: got %v %v, want %v %v", c.header, got, ok, c.want, c.ok)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"1", "007", "Sun, 06 Nov 1994 08:49:37 GMT", "9223372036854775808", "x"} {
		f.Add(s)
	}
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, header string) {
		got, ok := retryAfter(header, now)
		if !ok {
			if got != 0 {
				t.Fatalf("%q: %v although it is not readable", header, got)
			}
			return
		}
		if got < leastWait || got > longestWait {
			t.Fatalf("%q: %v is out of bounds", header, got)
		}
		if n, err := strconv.ParseUint(header, 10, 31); err == nil {
			want := min(max(time.Duration(n)*time.Second, leastWait), longestWait)
			if got != want {
				t.Fatalf("%q: got %v, want %v", header, got, want)
			}
		}
	})
}
