package dockerrt

import (
	"testing"

	"github.com/moby/moby/client"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/conformance"
)

// contained is an agent in a container that behaves so (testdata/agent).
func contained(image, behaviour string) myriad.Packet {
	return myriad.Packet{Revision: 7, Agent: myriad.Agent{
		Name: "contained", Concepts: []string{"echoes"}, Template: &myriad.Template{Kind: myriad.TemplateImage, Image: image, Env: map[string]string{"AGENT": behaviour}},
	}}
}

func TestConformance(t *testing.T) {
	docker := daemon(t)
	image := built(t, agentMain, "program", agentImage)
	conformance.Runtime(t, func(t *testing.T) conformance.RuntimeUnderTest { return underTest(t, docker, image) })
}

// underTest is a runtime whose agents prove themselves with their nonce.
func underTest(t *testing.T, docker *client.Client, image string) conformance.RuntimeUnderTest {
	r := newRuntime(t, Config{})
	return conformance.RuntimeUnderTest{
		Runtime: r,
		Packet: func(b conformance.Behaviour) (myriad.Packet, bool) {
			words := map[conformance.Behaviour]string{conformance.DeadOnArrival: "dead", conformance.NeverReady: "never", conformance.Imposter: "imposter", conformance.Deaf: "deaf"}
			p := contained(image, words[b])
			if b == conformance.CannotBeStarted {
				p.Agent.Template.Image = "myriad-test:there-is-no-such-image"
			}
			return p, true
		},
		Reopen: func(t *testing.T) conformance.RuntimeUnderTest {
			// What a death does to this runtime, Close does: the watchers go and the containers stay.
			mustClose(t, r)
			return underTest(t, docker, image)
		},
		Left:   func(t *testing.T, owner string) []string { return leftOf(t, docker, owner) },
		Limits: myriad.Limits{CPU: 0.5, MemoryBytes: 64 << 20, PIDs: 64},
	}
}
