package dockerrt

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/moby/moby/client"

	"github.com/myriad-mind/myriad"
)

// hostImage builds the agent host as its Dockerfile says, from the program that it is of.
func hostImage(t testing.TB) string {
	t.Helper()
	dockerfile, err := os.ReadFile(hostDockerfile)
	if err != nil {
		t.Fatal(err)
	}
	return built(t, "../../cmd/myriad", "myriad", string(dockerfile))
}

func knowing(definition string) myriad.Packet {
	return myriad.Packet{Revision: 4, Agent: myriad.Agent{Name: "Tides", Concepts: []string{"tides"}, Template: &myriad.Template{
		Kind: myriad.TemplateKnowledge, Knowledge: &myriad.Knowledge{Concept: "tides", PrimaryDefinition: definition, ConfidenceScore: 0.9},
	}}}
}

// TestKnowledgeInContainer hosts packets that fit into the environment and one that does not.
func TestKnowledgeInContainer(t *testing.T) {
	image := hostImage(t)
	docker := daemon(t)
	for name, definition := range map[string]string{
		"small": "the rise and fall of the sea",
		"large": "the rise and fall of the sea" + strings.Repeat(", again and again", 40_000),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, Config{HostImage: image})
			req := b.request(knowing(definition))
			req.Limits = myriad.Limits{CPU: 0.5, MemoryBytes: 256 << 20, PIDs: 64}
			i := b.awake(t, req)
			answer, err := ask[json.RawMessage](t.Context(), i, map[string]any{})
			if err != nil || !strings.Contains(string(answer), "rise and fall of the sea") {
				t.Errorf("%.200s (%v)", answer, err)
			}
			seen, err := i.inspect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if user := seen.Config.User; user == "" || user == "root" || strings.HasPrefix(user, "0") {
				t.Errorf("the agent host runs as the user %q", user)
			}
			stop(t, i, patience)
			for _, m := range seen.Mounts {
				if _, err := docker.VolumeInspect(t.Context(), m.Name, client.VolumeInspectOptions{}); err == nil {
					t.Errorf("the volume of the packet is left: %+v", m)
				}
			}
			if large := name == "large"; large != (len(seen.Mounts) == 1) || i.Err() != nil || !strings.Contains(i.LastLog(), "agent Tides, revision 4") {
				t.Errorf("mounts %+v, err %v, log %s", seen.Mounts, i.Err(), i.LastLog())
			}
		})
	}
}

// TestLearnedFollows: what the agent in a container is told comes to the server when it is stopped, and is in the packet of the next.
func TestLearnedFollows(t *testing.T) {
	type lesson struct {
		instance, agent string
		k               myriad.Knowledge
	}
	var told []lesson
	b := newBench(t, Config{HostImage: hostImage(t), Learned: func(instance, agent string, k myriad.Knowledge) error {
		told = append(told, lesson{instance, agent, k})
		return nil
	}})
	i := b.awake(t, b.request(knowing("the rise and fall of the sea")))
	stop(t, i, patience)
	if len(told) > 0 {
		t.Errorf("an agent that was told nothing has learned %+v", told)
	}

	i = b.awake(t, b.request(knowing("the rise and fall of the sea")))
	body := `{"knowledge_type":"causes","content":"the moon","confidence":0.8}`
	resp, err := callClient.Post("http://"+i.address+"/update_knowledge", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if _ = resp.Body.Close(); resp.StatusCode != 200 {
		t.Fatalf("/update_knowledge: HTTP %d", resp.StatusCode)
	}
	stop(t, i, patience)
	stop(t, i, patience)
	if len(told) != 1 || told[0].instance != i.label.instance || told[0].agent != "Tides" || told[0].k.Learned["causes"].Content != "the moon" || told[0].k.Concept != "tides" {
		t.Errorf("learned %+v", told)
	}
}
