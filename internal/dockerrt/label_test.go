package dockerrt

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/myriad-mind/myriad"
)

func drawLabel(t *rapid.T) label {
	word := rapid.StringN(1, 60, 200)
	return label{
		owner: word.Draw(t, "owner"), instance: word.Draw(t, "instance"), agent: word.Draw(t, "agent"), concept: rapid.String().Draw(t, "concept"),
		kind:     rapid.SampledFrom([]string{myriad.TemplateImage, myriad.TemplateKnowledge}).Draw(t, "kind"),
		revision: rapid.Int64().Draw(t, "revision"), created: time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "s"), rapid.Int64Range(0, 1e9-1).Draw(t, "ns")).UTC(),
		port: rapid.IntRange(1, 65535).Draw(t, "port"),
		limits: myriad.Limits{CPU: rapid.Float64Range(0, 1e6).Draw(t, "cpu"), MemoryBytes: rapid.Int64Min(0).Draw(t, "memory"),
			PIDs: rapid.Int64Min(0).Draw(t, "pids")},
	}
}

// TestLabelsSayWhatWasSaid: what is written into labels is read from them, and a container that lacks one of them is not whole.
func TestLabelsSayWhatWasSaid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLabel(t)
		m := l.toMap()
		if got, ok := readLabel(m); !ok || got != l {
			t.Fatalf("%+v came back as %+v, %v", l, got, ok)
		}
		if !isOurs(m, l.owner) || isOurs(m, l.owner+"x") || isOurs(m, "") {
			t.Fatalf("whose %v is, is not told", m)
		}
		lost := rapid.SampledFrom([]string{labelAgent, labelOwner, labelInstance, labelName, labelKind, labelRevision, labelCreated, labelPort, labelCPU, labelMemory, labelPIDs}).Draw(t, "lost")
		delete(m, lost)
		if _, ok := readLabel(m); ok {
			t.Fatalf("whole without %s", lost)
		}
	})
}

var dockerName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

// TestNamesAreTakenByDocker whatever agents, concepts and instances are called.
func TestNamesAreTakenByDocker(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLabel(t)
		if name := l.containerName(); !dockerName.MatchString(name) || len(name) > 63 {
			t.Fatalf("%+v makes the name %q", l, name)
		}
	})
}

func TestContainerNames(t *testing.T) {
	for want, l := range map[string]label{
		"myriad_light_bulb_12345678":       {concept: "light bulb", agent: "a", instance: "01938f2c-1111-7222-8333-9abc12345678"},
		"myriad_a-b.c_12345678":            {concept: "*", agent: "a-b.c", instance: "01938f2c-1111-7222-8333-9ABC12345678"},
		"myriad_agent_" + shortID("i-1"):   {concept: "光", agent: "agent", instance: "i-1"},
		"myriad_agent_" + shortID("other"): {agent: "agent", instance: "other"},
	} {
		if got := l.containerName(); got != want {
			t.Errorf("%+v is named %s, want %s", l, got, want)
		}
	}
	if shortID("i-1") == shortID("i-2") || len(shortID("i-1")) != 8 {
		t.Error("short ids are the same or of another length")
	}
}

// FuzzReadLabel: whatever labels say, what is read from them can be written and read again.
func FuzzReadLabel(f *testing.F) {
	f.Add("owner", "instance", "agent", "1", "2026-11-24T15:00:00Z", "5000", "0.5", "1024", "64")
	f.Add("", "i", "a", "-1", "x", "0", "NaN", "", "9999999999999999999")
	f.Fuzz(func(t *testing.T, owner, instance, agent, revision, created, port, cpu, memory, pids string) {
		m := map[string]string{labelAgent: "true", labelOwner: owner, labelInstance: instance, labelName: agent, labelKind: "image", labelRevision: revision,
			labelCreated: created, labelPort: port, labelCPU: cpu, labelMemory: memory, labelPIDs: pids}
		l, ok := readLabel(m)
		if !ok {
			return
		}
		if again, ok := readLabel(l.toMap()); !ok || again.instance != l.instance || !again.created.Equal(l.created) || again.port != l.port {
			t.Errorf("%+v came back as %+v, %v", l, again, ok)
		}
	})
}

// TestEnding: the end of a log is kept, whatever pieces it comes in.
func TestEnding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var e ending
		var whole strings.Builder
		for _, size := range rapid.SliceOfN(rapid.IntRange(0, 3*maxLastLog), 0, 6).Draw(t, "sizes") {
			piece := strings.Repeat(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "letter"), size)
			whole.WriteString(piece)
			if n, err := e.Write([]byte(piece)); n != size || err != nil {
				t.Fatalf("wrote %d of %d: %v", n, size, err)
			}
		}
		want := whole.String()
		if want = want[max(0, len(want)-maxLastLog):]; e.String() != want {
			t.Fatalf("kept %d bytes, want %d", len(e.String()), len(want))
		}
	})
	cut := ending{}
	_, _ = cut.Write([]byte(strings.Repeat("ü", maxLastLog)))
	if s := cut.String(); strings.ContainsRune(s, '\uFFFD') || !strings.HasPrefix(s, "ü") {
		t.Errorf("a rune is cut: %.10q", s)
	}
	if got := lastLine("one\n two \n\n"); got != "two" {
		t.Errorf("the last line is %q", got)
	}
}
