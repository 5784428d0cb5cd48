package dispatch

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

func TestParkedAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(10, 10)
		defer d.Close()
		a, b := myriad.Candidate{Agent: &myriad.Agent{Endpoint: "http://a"}}, myriad.Candidate{Agent: &myriad.Agent{Endpoint: "http://b"}}
		both := []myriad.Candidate{a, b}
		for _, step := range []struct {
			park string
			wait time.Duration
			want time.Duration
		}{{"", 0, 0}, {"http://a", time.Minute, 0}, {"http://b", time.Second, time.Second}, {"http://b", time.Hour, time.Minute}} {
			d.Park(step.park, step.wait)
			if got := d.ParkedAll(both); got != step.want {
				t.Errorf("after parking %q for %v: %v, want %v", step.park, step.wait, got, step.want)
			}
		}
		if got := d.ParkedAll(nil); got != 0 {
			t.Errorf("nobody: %v", got)
		}
	})
}
