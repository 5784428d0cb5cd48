package main

import (
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
	"github.com/myriad-mind/myriad/internal/config"
)

// TestConnectionsFollowSlots: with more slots than the usual hundred, as many calls of one host are under way at once. The agent answers nobody
// until all have come.
func TestConnectionsFollowSlots(t *testing.T) {
	const slots = 130
	_, c := startServer(t, func(c *config.Config) { c.Slots.Total = slots })
	var here atomic.Int64
	all := make(chan struct{})
	url := startAgent(t, func(w http.ResponseWriter, r *http.Request) {
		if here.Add(1) == slots {
			close(all)
		}
		_, _ = io.Copy(io.Discard, r.Body) // so that the server notices when the caller leaves
		select {
		case <-all:
			say(w, "together")
		case <-r.Context().Done():
		}
	})
	put(t, c, myriad.Agent{Name: "Meeting", Endpoint: url, Concepts: []string{"meeting"}, MaxConcurrency: slots})
	plan := client.Plan{Timeout: 9 * time.Second} // before the attempts' own time is over, after which others would get their connections
	for i := range slots {
		plan.Add(client.Task{ID: fmt.Sprint(i), Concept: "meeting", Intent: "join"})
	}
	record, err := c.Run(t.Context(), plan)
	if err != nil || record.Status != myriad.RunSuccess {
		t.Errorf("%+v %v", record, err)
	}
}
