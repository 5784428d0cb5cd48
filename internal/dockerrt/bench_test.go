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

// BenchmarkStart is from the order to start until the first answer: of the runtime, alone and ten at once, with an agent of the SDK and with
// a knowledge packet in the agent host; and beside it the daemon's own bare start, until the first HTTP 200. Run it for a count, like
// -benchtime 50x.
func BenchmarkStart(b *testing.B) {
	image := built(b, agentMain, "program", agentImage)
	limits := myriad.Limits{CPU: 0.5, MemoryBytes: 256 << 20, PIDs: 64}
	for _, c := range []struct {
		name   string
		packet myriad.Packet
		host   string
	}{{"image", contained(image, "echo"), ""}, {"knowledge", knowing("the rise and fall of the sea"), hostImage(b)}} {
		for _, many := range []int{1, 10} {
			b.Run(fmt.Sprintf("%s/%d", c.name, many), func(b *testing.B) {
				r := newBench(b, Config{HostImage: c.host})
				measure(b, many, func(ctx context.Context) (func(), error) {
					req := r.request(c.packet)
					req.Limits = limits
					i, err := r.Start(ctx, req)
					if err != nil {
						return nil, err
					}
					end := func() { stop(b, i, 0) }
					if err := ready(ctx, i); err != nil {
						return end, err
					}
					_, err = ask[any](ctx, i, map[string]any{"a": "b"})
					return end, err
				})
			})
		}
	}
	for _, many := range []int{1, 10} {
		b.Run(fmt.Sprintf("bare/%d", many), func(b *testing.B) {
			docker := daemon(b)
			measure(b, many, func(ctx context.Context) (func(), error) { return bareStart(ctx, docker, image) })
		})
	}
}

// measure times whole starts, many at once, and reports their distribution.
func measure(b *testing.B, many int, start func(context.Context) (end func(), err error)) {
	var mu sync.Mutex
	var took []time.Duration
	for b.Loop() {
		var all sync.WaitGroup
		ends := make([]func(), many)
		for n := range many {
			all.Go(func() {
				began := time.Now()
				end, err := start(b.Context())
				if ends[n] = end; err != nil {
					b.Error(err)
					return
				}
				mu.Lock()
				took = append(took, time.Since(began))
				mu.Unlock()
			})
		}
		all.Wait()
		b.StopTimer()
		for _, end := range ends {
			if end != nil {
				all.Go(end)
			}
		}
		all.Wait()
		b.StartTimer()
	}
	if len(took) == 0 {
		return
	}
	slices.Sort(took)
	at := func(q float64) float64 {
		return float64(took[min(int(q*float64(len(took))), len(took)-1)].Microseconds()) / 1e3
	}
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(0, "ns/op")
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
