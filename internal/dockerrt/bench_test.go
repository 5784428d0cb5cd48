package dockerrt

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/myriad-mind/myriad"
)

// BenchmarkStart is from the order to start until the first answer, alone and ten at once: of an image, of a knowledge packet in the agent
// host, and, in turn with them, of the daemon itself, whose bare start ends with the first HTTP 200. Run it for a count, like -benchtime 50x.
func BenchmarkStart(b *testing.B) {
	docker := daemon(b)
	image, host := built(b, agentMain, "program", agentImage), hostImage(b)
	for _, many := range []int{1, 10} {
		b.Run(fmt.Sprint(many), func(b *testing.B) {
			r := newBench(b, Config{HostImage: host})
			kinds := []*timed{
				{name: "image", start: r.starter(b, contained(image, "echo"))},
				{name: "knowledge", start: r.starter(b, knowing("the rise and fall of the sea"))},
				{name: "bare", start: func(ctx context.Context) (func(), error) { return bareStart(ctx, docker, image) }},
			}
			for b.Loop() {
				for _, k := range kinds {
					k.round(b, many)
				}
			}
			for _, k := range kinds {
				k.report(b)
			}
			b.ReportMetric(0, "ns/op") // of all kinds, and their ends
		})
	}
}

// starter gives the whole start of a packet, with the limits of every instance.
func (b *bench) starter(t testing.TB, p myriad.Packet) func(context.Context) (func(), error) {
	return func(ctx context.Context) (end func(), err error) {
		req := b.request(p)
		req.Limits = myriad.Limits{CPU: 0.5, MemoryBytes: 256 << 20, PIDs: 64}
		i, err := b.Start(ctx, req)
		if err != nil {
			return nil, err
		}
		end = func() { stop(t, i, 0) }
		if err := ready(ctx, i); err != nil {
			return end, err
		}
		_, err = ask[any](ctx, i, map[string]any{"a": "b"})
		return end, err
	}
}

// timed is one kind of start and how long its starts took.
type timed struct {
	name  string
	start func(context.Context) (end func(), err error)

	mu   sync.Mutex
	took []time.Duration // guarded by mu
}

// round times so many starts at once, and ends what they started.
func (k *timed) round(b *testing.B, many int) {
	var all sync.WaitGroup
	ends := make([]func(), many)
	for n := range many {
		all.Go(func() {
			began := time.Now()
			end, err := k.start(b.Context())
			took := time.Since(began)
			if ends[n] = end; err != nil {
				b.Error(err)
				return
			}
			k.mu.Lock()
			k.took = append(k.took, took)
			k.mu.Unlock()
		})
	}
	all.Wait()
	for _, end := range ends {
		if end != nil {
			all.Go(end)
		}
	}
	all.Wait()
}

func (k *timed) report(b *testing.B) {
	if len(k.took) == 0 {
		return
	}
	slices.Sort(k.took)
	at := func(q float64) float64 {
		return float64(k.took[min(int(q*float64(len(k.took))), len(k.took)-1)].Microseconds()) / 1e3
	}
	b.ReportMetric(at(0.5), k.name+"-p50-ms")
	b.ReportMetric(at(0.99), k.name+"-p99-ms")
}

// bareStart is what Docker itself takes: create, start, ask for the port, first answer; no limits, no cage.
func bareStart(ctx context.Context, docker *client.Client, image string) (end func(), err error) {
	port := network.MustParsePort("5000/tcp")
	made, err := docker.ContainerCreate(ctx, client.ContainerCreateOptions{
		Config:     &container.Config{Image: image, Env: []string{"PORT=5000"}, ExposedPorts: network.PortSet{port: {}}},
		HostConfig: &container.HostConfig{PortBindings: network.PortMap{port: {{HostIP: netip.MustParseAddr("127.0.0.1")}}}},
	})
	if err != nil {
		return nil, err
	}
	end = func() {
		_, _ = docker.ContainerRemove(context.Background(), made.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	}
	if _, err := docker.ContainerStart(ctx, made.ID, client.ContainerStartOptions{}); err != nil {
		return end, err
	}
	seen, err := docker.ContainerInspect(ctx, made.ID, client.ContainerInspectOptions{})
	if err != nil {
		return end, err
	}
	url := "http://" + published(seen.Container, 5000) + "/health"
	for {
		resp, err := callClient.Get(url)
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return end, nil
			}
		}
		if !pause(ctx, 2*time.Millisecond) {
			return end, ctx.Err()
		}
	}
}
