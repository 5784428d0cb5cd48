package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
)

// TestChurn: twelve agents, half of them processes, and room for three; fifty clients that ask without a pause. Everybody is answered by the agent
// that was asked, never are there four, and who was put to sleep between being found and being asked is found again.
func TestChurn(t *testing.T) {
	const agents, room, clients = 12, 3, 50
	s, _ := startServer(t, capped(room, 0))
	c := ownerOf(t, s.url(), s.cfg.Data)
	for i := range agents {
		name := fmt.Sprint("Churned_", i)
		a := knower(name, name, name)
		if i%2 == 0 {
			a = program(t, name, name, myriad.ModeStdio, "stdio", "SAYS", name)
		}
		a.MaxConcurrency = 1 // so that tasks wait for a turn of those that are awake, which may be asleep when it comes
		put(t, c, a)
	}
	stop := watchFleet(t, c)
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	until := time.Now().Add(3 * time.Second)
	var asking sync.WaitGroup
	var answered, cold, again atomic.Int64
	for n := range clients {
		asking.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(n)))
			for time.Now().Before(until) && !t.Failed() {
				name := fmt.Sprint("Churned_", min(rng.IntN(agents), rng.IntN(agents)))
				r, err := askChurned(t, c, name)
				if err != nil {
					t.Error(err)
					return
				}
				answered.Add(1)
				if r.Provenance.ColdStartMS > 0 {
					cold.Add(1)
				}
				for _, rejected := range r.Provenance.Rejections {
					if rejected.Reason == myriad.RejectedAsleep {
						again.Add(1)
					}
				}
			}
		})
	}
	asking.Wait()
	most, samples := stop()
	t.Logf("%d answers, %d of them after a cold start, %d found asleep when their turn came; %d samples", answered.Load(), cold.Load(), again.Load(), samples)
	if most > room || samples == 0 {
		t.Errorf("%d instances at once", most)
	}
	if cold.Load() < agents {
		t.Errorf("only %d cold starts: nobody had to give way", cold.Load())
	}
	for i := range agents {
		name := fmt.Sprint("Churned_", i)
		b, err := c.Breaker(t.Context(), name) // none of an agent that nobody happened to ask
		if err != nil || len(b) > 1 || len(b) == 1 && (b[0].State != "closed" || b[0].ConsecutiveFailures != 0) {
			t.Errorf("%s: %+v, %v", name, b, err)
		}
	}
	eventually(t, func() (bool, string) {
		f := fleetOf(t, c)
		return len(f.Queue) == 0, fmt.Sprintf("nobody waits any more: %+v", f)
	})
}

// askChurned asks one of the twelve, and makes sure that it is the one that answers.
func askChurned(t *testing.T, c *client.Client, name string) (myriad.Result, error) {
	rec, err := c.Run(t.Context(), client.Plan{Timeout: longest, Tasks: []client.Task{{ID: "1", Concept: name, Intent: "do", Fallback: client.NoFallback}}})
	if err != nil {
		return myriad.Result{}, err
	}
	r := rec.Results[0]
	var says struct{ Says string }
	if json.Unmarshal(r.Answer.Data, &says) != nil {
		_ = json.Unmarshal(r.Answer.Data, &says.Says)
	}
	if !r.Succeeded || says.Says != name {
		return r, fmt.Errorf("%s: %s", name, r.AppendJSON(nil))
	}
	return r, nil
}
