package main

import (
	"os"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
)

// TestWhatAContainerIsToldSurvivesIt: restarts, a server that is killed and adopts the container, a stop of both. It wants a daemon, as CI has one.
func TestWhatAContainerIsToldSurvivesIt(t *testing.T) {
	image, ok := hostImage(t)
	if !ok {
		if os.Getenv("CI") != "" {
			t.Fatal("DOCKER_HOST names no daemon")
		}
		t.Skip("NOT CHECKED: DOCKER_HOST names no daemon; run .ci/docker go test ./cmd/myriad")
	}
	data := t.TempDir()
	var s *served
	start := func() {
		s = startProgram(t, data, "--fleet-docker", "on", "--fleet-knowledge-runtime", "docker", "--fleet-host-image", image)
	}
	start()
	known := knower("Knower", "known tide", "the pull of the moon")
	put(t, s.owner, known)
	mustOne(t, s.client, "known tide", "define", nil)
	teach := func(lesson string) {
		t.Helper()
		if !lectured(t, mustBeReady(t, s.client, known.Name).Endpoint, "dangers", lesson) {
			t.Fatalf("it was not told %q", lesson)
		}
	}
	knows := func(when, lesson string, cold bool) {
		t.Helper()
		if r := mustOne(t, s.client, "known tide", "dangers", nil); !strings.Contains(string(r.Answer.Data), lesson) || cold != (r.Provenance.ColdStartMS > 0) {
			t.Errorf("%s: %s", when, r.AppendJSON(nil))
		}
	}
	teach("quicksand")
	knows("at once", "quicksand", false)
	if err := s.client.RestartInstance(t.Context(), mustBeReady(t, s.client, known.Name).ID); err != nil {
		t.Fatal(err)
	}
	knows("after a restart", "quicksand", true)

	teach("the sea comes back")
	adopted := mustBeReady(t, s.client, known.Name).ID
	s.kill()
	start()
	eventually(t, func() (bool, string) {
		i, ok := livingOf(fleetOf(t, s.client), known.Name)
		return ok && i.State == myriad.InstanceReady, "the container is adopted"
	})
	if i := mustBeReady(t, s.client, known.Name); i.ID != adopted {
		t.Fatalf("%s was not adopted: %+v", adopted, i)
	}
	knows("after the server was killed", "the sea comes back", false)
	if err := s.client.StopInstance(t.Context(), adopted); err != nil {
		t.Fatal(err)
	}
	knows("after the adopted one was stopped", "the sea comes back", true)

	teach("the tide waits for nobody")
	s.stop(t)
	start()
	knows("after the server was stopped", "the tide waits for nobody", true)
	a, err := s.client.Agent(t.Context(), known.Name)
	if err != nil || a.Template.Knowledge.Learned["dangers"].Content != "the tide waits for nobody" {
		t.Errorf("the packet holds %+v, %v", a.Template, err)
	}
	s.stop(t)
}
