package lifecycle_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/discovery"
	"github.com/myriad-mind/myriad/internal/inprocrt"
	"github.com/myriad-mind/myriad/internal/lifecycle"
	"github.com/myriad-mind/myriad/internal/sqlitestore"
)

// BenchmarkRealWake wakes dormant knowledge agents on the embedded store, in a fleet of 20 that is full, to their first answer over HTTP; "bare" is
// the runtime alone, from Start to the first answer.
func BenchmarkRealWake(b *testing.B) {
	ctx := context.Background()
	log := slog.New(slog.DiscardHandler)
	store, err := sqlitestore.Open(ctx, b.TempDir(), sqlitestore.Options{Logger: log})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	directory := discovery.New(discovery.Config{Graph: store.Graph()})
	defer directory.Close()
	inproc, err := inprocrt.New(inprocrt.Config{Logger: log})
	if err != nil {
		b.Fatal(err)
	}
	m, err := lifecycle.New(lifecycle.Config{Runtimes: []myriad.Runtime{inproc}, Store: store, Graph: directory, Logger: log,
		Limits: myriad.FleetLimits{MaxAgents: 20, MinLifeMS: -1}})
	if err != nil {
		b.Fatal(err)
	}
	if err := m.Start(ctx); err != nil {
		b.Fatal(err)
	}
	running, stop := context.WithCancel(ctx)
	var parts sync.WaitGroup
	parts.Go(func() { _ = m.Run(running) })
	defer func() {
		if err := m.Drain(ctx); err != nil {
			b.Error(err)
		}
		stop()
		parts.Wait()
	}()
	const packets = 1000
	agents := make([]myriad.Agent, packets)
	for n := range agents {
		concept := fmt.Sprint("concept ", n)
		template := &myriad.Template{Kind: myriad.TemplateKnowledge, Knowledge: &myriad.Knowledge{Concept: concept, PrimaryDefinition: "a thing", ConfidenceScore: 0.9}}
		a := myriad.Agent{Name: fmt.Sprintf("k%04d", n), Concepts: []string{concept}, Template: template}
		if agents[n], err = m.PutAgent(ctx, a, myriad.Guard{}); err != nil {
			b.Fatal(err)
		}
	}
	client := &http.Client{}
	defer client.CloseIdleConnections()
	ask := func(endpoint, concept string) {
		resp, err := client.Post(endpoint, "application/json", bytes.NewReader(fmt.Appendf(nil, `{"task_id":"t","concept":%q,"intent":"define","args":{}}`, concept)))
		if err != nil {
			b.Error(err)
			return
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
			b.Error(resp.Status, err)
		}
		resp.Body.Close()
	}
	wake := func(n int) time.Duration {
		from := time.Now()
		woken := make(chan myriad.Woken, 1)
		m.Wake(ctx, myriad.WakeRequest{Agent: &agents[n%packets], Kind: myriad.QueueWake}, func(w myriad.Woken) { woken <- w })
		w := <-woken
		if w.Err != nil {
			b.Error(w.Err)
			return 0
		}
		ask(w.Agent.Endpoint, agents[n%packets].Concepts[0])
		w.Release()
		return time.Since(from)
	}
	report := func(b *testing.B, took []time.Duration) {
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2])/1e6, "p50-ms")
		b.ReportMetric(float64(took[len(took)*99/100])/1e6, "p99-ms")
	}
	next := 0
	b.Run("one", func(b *testing.B) {
		var took []time.Duration
		for b.Loop() {
			took = append(took, wake(next))
			next++
		}
		report(b, took)
	})
	b.Run("ten", func(b *testing.B) {
		var mu sync.Mutex
		var took []time.Duration
		for b.Loop() {
			var all sync.WaitGroup
			for range 10 {
				n := next
				next++
				all.Go(func() {
					t := wake(n)
					mu.Lock()
					took = append(took, t)
					mu.Unlock()
				})
			}
			all.Wait()
		}
		report(b, took)
	})
	b.Run("bare", func(b *testing.B) {
		var took []time.Duration
		for b.Loop() {
			from := time.Now()
			a := agents[next%packets]
			i, err := inproc.Start(ctx, myriad.StartRequest{InstanceID: fmt.Sprint("bare", next), OwnerID: "o", Nonce: "n", Packet: myriad.Packet{Agent: a, Revision: 1}})
			next++
			if err != nil {
				b.Fatal(err)
			}
			if err := i.Ready(ctx); err != nil {
				b.Fatal(err)
			}
			ask(i.Endpoint(), a.Concepts[0])
			took = append(took, time.Since(from))
			_ = i.Stop(ctx)
		}
		report(b, took)
	})
}
