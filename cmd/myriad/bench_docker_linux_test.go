package main

import (
	"log/slog"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/config"
	"github.com/myriad-mind/myriad/internal/dockerrt"
)

// BenchmarkWakeInContainers is BenchmarkWake for knowledge agents in containers, one at a time and ten at once. It wants a daemon:
//
//	.ci/docker go test ./cmd/myriad -run '^$' -bench WakeInContainers -benchtime 1x
func BenchmarkWakeInContainers(b *testing.B) {
	image, ok := hostImage(b)
	if !ok {
		b.Skip("DOCKER_HOST names no daemon")
	}
	containers := func(*testing.B) (myriad.Runtime, error) {
		return dockerrt.New(dockerrt.Config{HostImage: image, Logger: slog.New(slog.DiscardHandler)})
	}
	in := func(cfg *config.Config) {
		cfg.Fleet.Docker, cfg.Fleet.KnowledgeRuntime, cfg.Fleet.HostImage = config.DockerOn, config.KnowledgeDocker, image
	}
	for _, w := range []waker{
		{"Docker, 1 caller", 1, 20, 500 * time.Millisecond, benchKnower, containers},
		{"Docker, 10 callers", 10, 40, 2500 * time.Millisecond, benchKnower, containers},
	} {
		b.Run(w.name, func(b *testing.B) { w.bench(b, in) })
	}
}
