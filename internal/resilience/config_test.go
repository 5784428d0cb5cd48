package resilience

import (
	"strings"
	"testing"
	"time"
)

func TestBreakerConfigDefaults(t *testing.T) {
	want := BreakerConfig{
		ConsecutiveFailures: 3, OpenFor: 30 * time.Second, MaxOpenFor: 5 * time.Minute, Jitter: 0.10, Probes: 1,
		ProbeLease: time.Minute, Window: 10 * time.Second, MinCalls: 20,
	}
	if got := (BreakerConfig{}).withDefaults(); got != want {
		t.Fatalf("defaults %+v", got)
	}
	long := BreakerConfig{OpenFor: time.Hour, MaxOpenFor: time.Minute, Jitter: 7}.withDefaults()
	if long.MaxOpenFor != time.Hour || long.ProbeLease != time.Hour || long.Jitter != 1 {
		t.Fatalf("taken as %+v", long)
	}
}

func TestBreakerConfigNamesEveryMistake(t *testing.T) {
	for _, ok := range []BreakerConfig{
		{}, {ConsecutiveFailures: -1, Jitter: -1}, {FailureRatio: 1, SlowCall: 1, SlowRatio: 1, OpenFor: 1, MaxOpenFor: 1},
	} {
		if err := ok.Validate(); err != nil {
			t.Errorf("%+v: %v", ok, err)
		}
	}
	err := BreakerConfig{
		OpenFor: -1, MaxOpenFor: -1, Jitter: 2, Probes: -1, ProbeLease: -1, FailureRatio: 1.5, SlowRatio: -1, SlowCall: 1, Window: -1, MinCalls: -1,
	}.Validate()
	if err == nil {
		t.Fatal("no mistake found")
	}
	for _, word := range []string{"open time", "longest", "jitter", "probes", "lease", "failure ratio", "slow ratio", "together", "window", "least calls"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q is not named in: %v", word, err)
		}
	}
	if err := (BreakerConfig{OpenFor: 2, MaxOpenFor: 1}).Validate(); err == nil {
		t.Error("a ceiling below the open time passes")
	}
}
