package main

import (
	"strings"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// TestMatrixJudgesByOrder: the matrix accuses a breaker of what it must have done, and never of how long the machine stood still.
func TestMatrixJudgesByOrder(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	at := func(ms int) time.Time { return noon.Add(time.Duration(ms) * time.Millisecond) }
	b := &breakerLog{changes: []breakerChange{
		{At: at(100), Circuit: "A", From: "closed", To: "open"}, {At: at(200), Circuit: "A", From: "open", To: "half_open"},
		{At: at(300), Circuit: "A", From: "half_open", To: "open"}, {At: at(400), Circuit: "A", From: "open", To: "half_open"},
		{At: at(500), Circuit: "A", From: "half_open", To: "closed"}}}
	call := func(earliest, begun, ended int, o myriad.Outcome) attempted {
		return attempted{earliest: at(earliest), begun: at(begun), ended: at(ended), outcome: o}
	}
	const bad, good, lost = myriad.OutcomeServerError, myriad.OutcomeSuccess, myriad.OutcomeCancelled
	for _, c := range []struct {
		name     string
		attempts []attempted
		wrong    string // in the only complaint; none when empty
	}{
		{"one after another", []attempted{call(10, 11, 90, bad), call(200, 201, 299, bad), call(400, 401, 499, good), call(510, 511, 512, good)}, ""},
		{"held up after leave was given", []attempted{call(99, 180, 190, bad), call(99, 350, 360, bad)}, ""},
		{"held up in half-open", []attempted{call(210, 350, 360, bad)}, ""},
		{"a probe that asked while open", []attempted{call(150, 200, 290, bad)}, ""},
		{"while open", []attempted{call(101, 102, 250, good)}, "while its breaker was open"},
		{"at the very end of open", []attempted{call(101, 199, 250, bad)}, "while its breaker was open"},
		{"while open again", []attempted{call(301, 399, 450, bad)}, "while its breaker was open"},
		{"a second probe beside the first", []attempted{call(201, 202, 280, lost), call(203, 204, 290, bad)}, "beside another probe"},
		{"a probe after one that decided", []attempted{call(201, 202, 210, bad), call(220, 221, 230, bad)}, "beside another probe"},
		{"a probe after one that came to nothing", []attempted{call(201, 202, 210, lost), call(210, 211, 290, bad)}, ""},
		{"two that may have had leave before", []attempted{call(90, 202, 280, bad), call(95, 203, 290, bad)}, ""},
		{"two probes, one of them begun late", []attempted{call(201, 202, 280, lost), call(203, 350, 360, bad)}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			wrong := judge(b.spells("A"), c.attempts)
			if (len(wrong) > 0) != (c.wrong != "") || len(wrong) > 1 || !strings.Contains(strings.Join(wrong, ""), c.wrong) {
				t.Errorf("complaints: %q, want one of %q", wrong, c.wrong)
			}
		})
	}
}

// TestMatrixKnowsWhenItAsked: an attempt is taken to be asked for as late as its task's account proves, and no later.
func TestMatrixKnowsWhenItAsked(t *testing.T) {
	first, told := myriad.Attempt{StartMS: 9, DurationMS: 5, Outcome: myriad.OutcomeReset}, myriad.Attempt{StartMS: 9, Outcome: myriad.OutcomeToldToWait}
	hedge, second := myriad.Attempt{StartMS: 10, DurationMS: 9, Hedge: true, Outcome: myriad.OutcomeLostHedge}, myriad.Attempt{StartMS: 30, Outcome: myriad.OutcomeSuccess}
	open, full := []myriad.Rejection{{Reason: myriad.RejectedOpen}}, []myriad.Rejection{{Reason: myriad.RejectedNoSlot}}
	for _, c := range []struct {
		name       string
		attempts   []myriad.Attempt
		rejections []myriad.Rejection
		n          int
		want       float64
	}{
		{"after the wait for a slot", []myriad.Attempt{first}, full, 0, 8},
		{"one of several waits", []myriad.Attempt{told, second}, nil, 0, 2},
		{"turned away and queued again", []myriad.Attempt{second}, open, 0, 2},
		{"after the attempt before", []myriad.Attempt{first, second}, nil, 1, 14},
		{"a hedge begins beside the first", []myriad.Attempt{first, hedge}, nil, 1, 8},
		{"the first may begin after its hedge", []myriad.Attempt{hedge, second}, nil, 1, 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &myriad.Provenance{StartMS: 2, QueuedMS: 6, Attempts: c.attempts, Rejections: c.rejections}
			if got := askedAfter(p, c.n); got != c.want {
				t.Errorf("asked after %v ms, want %v", got, c.want)
			}
		})
	}
}
