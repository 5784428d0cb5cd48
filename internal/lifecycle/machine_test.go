package lifecycle

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/myriad-mind/myriad"
)

// The moves as fleet.go of the root states them, written out again: the table is held against the words.
var stated = map[string][]string{
	myriad.InstanceQueued:   {myriad.InstanceStarting, myriad.InstanceStopped},
	myriad.InstanceStarting: {myriad.InstanceReady, myriad.InstanceFailed, myriad.InstanceDraining},
	myriad.InstanceReady:    {myriad.InstanceDraining, myriad.InstanceFailed},
	myriad.InstanceDraining: {myriad.InstanceStopped, myriad.InstanceFailed},
	myriad.InstanceFailed:   {myriad.InstanceStarting, myriad.InstanceStopped},
	myriad.InstanceStopped:  nil,
}

func TestMachine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m machine
		at := myriad.InstanceQueued
		for _, next := range rapid.SliceOfN(rapid.IntRange(0, int(states)-1), 1, 50).Draw(t, "moves") {
			want := slices.Contains(stated[at], words[next])
			if got := m.move(state(next)); got != want {
				t.Fatalf("from %s to %s: %v", at, words[next], got)
			}
			if want {
				at = words[next]
			}
			if m.state().String() != at {
				t.Fatalf("the machine is %s, not %s", m.state(), at)
			}
		}
	})
}

// Permits: what is out is what was taken and not given back, whatever is called how often; take never exceeds the bounds.
func TestPermits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r room
		var out []*permit
		limits := rapid.Custom(func(t *rapid.T) myriad.Limits {
			return myriad.Limits{CPU: float64(rapid.IntRange(0, 20).Draw(t, "cpu")) / 10, MemoryBytes: int64(rapid.IntRange(0, 20).Draw(t, "memory"))}
		})
		bound := func(t *rapid.T) {
			r.set(myriad.FleetLimits{MaxAgents: rapid.IntRange(0, 6).Draw(t, "agents"), TotalCPU: float64(rapid.IntRange(0, 40).Draw(t, "total cpu")) / 10,
				TotalMemoryBytes: int64(rapid.IntRange(0, 40).Draw(t, "total memory"))})
		}
		pick := func(t *rapid.T) *permit {
			if len(out) == 0 {
				t.Skip("none is out")
			}
			return rapid.SampledFrom(out).Draw(t, "permit")
		}
		bound(t)
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) {
				before := r.used
				p := r.take(limits.Draw(t, "limits"))
				if p == nil {
					if r.used != before {
						t.Fatal("refused, and taken")
					}
					return
				}
				if !r.used.within(r.bounds) {
					t.Fatalf("%+v is over %+v", r.used, r.bounds)
				}
				out = append(out, p)
			},
			"force": func(t *rapid.T) { out = append(out, r.force(limits.Draw(t, "limits"))) },
			"leave": func(t *rapid.T) { pick(t).leave() },
			"back": func(t *rapid.T) {
				p := pick(t)
				p.giveBack()
				if rapid.Bool().Draw(t, "twice") {
					p.giveBack()
					p.leave()
				}
			},
			"bound": bound,
			"": func(t *rapid.T) {
				var used, leaving load
				for _, p := range out {
					if !p.returned {
						used = used.plus(p.load)
						if p.leaving {
							leaving = leaving.plus(p.load)
						}
					}
				}
				if r.used != used || r.leaving != leaving {
					t.Fatalf("the books say %+v and %+v, it is %+v and %+v", r.used, r.leaving, used, leaving)
				}
			},
		})
	})
}
