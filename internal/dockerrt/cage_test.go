package dockerrt

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/myriad-mind/myriad"
)

var caged = myriad.Limits{CPU: 0.5, MemoryBytes: 48 << 20, PIDs: 24}

// TestContainerIsClosed asks the daemon how the container was made.
func TestContainerIsClosed(t *testing.T) {
	docker := daemon(t)
	b := newBench(t, Config{TmpBytes: 1 << 20})
	t.Setenv("MYRIAD_TEST_PASSED", "passed on")
	req := b.request(contained(built(t, agentMain, "program", agentImage), "echo"))
	req.Packet.Agent.Template.Port = 7777
	req.Packet.Agent.Template.PassEnv = []string{"MYRIAD_TEST_PASSED", "MYRIAD_TEST_ABSENT"}
	req.Packet.Agent.Template.Env["PORT"] = "1" // ours counts
	req.Limits = caged
	i := b.awake(t, req)
	if names := i.Unenforced(); len(names) > 0 {
		t.Logf("this machine keeps no limit of %v", names)
	}
	res, err := docker.ContainerInspect(t.Context(), i.id, client.ContainerInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c, h := res.Container, res.Container.HostConfig
	bound := h.PortBindings[network.MustParsePort("7777/tcp")]
	for what, ok := range map[string]bool{
		"name":              c.Name == "/myriad_echoes_"+shortID(req.InstanceID),
		"labels":            labelled(c.Config.Labels, req),
		"cpu":               h.NanoCPUs == 5e8 || slices.Contains(i.unenforced, myriad.LimitCPU),
		"memory":            h.Memory == caged.MemoryBytes && h.MemorySwap == h.Memory || slices.Contains(i.unenforced, myriad.LimitMemory),
		"pids":              h.PidsLimit != nil && *h.PidsLimit == caged.PIDs || slices.Contains(i.unenforced, myriad.LimitPIDs),
		"no new privileges": slices.Contains(h.SecurityOpt, "no-new-privileges"),
		"capabilities":      slices.Equal(h.CapDrop, []string{"ALL"}) && len(h.CapAdd) == 0 && !h.Privileged,
		"read-only root":    h.ReadonlyRootfs,
		"tmpfs":             strings.Contains(h.Tmpfs["/tmp"], "size=1048576"),
		"restart policy":    h.RestartPolicy.IsNone() && !h.AutoRemove,
		"bounded log":       h.LogConfig.Type == "json-file" && h.LogConfig.Config["max-size"] == "1m" && h.LogConfig.Config["max-file"] == "1",
		"one port":          len(h.PortBindings) == 1 && len(bound) == 1 && bound[0].HostIP.String() == "127.0.0.1" && !h.PublishAllPorts,
		"nothing mounted":   len(c.Mounts) == 0 && len(h.Binds) == 0,
		"environment": variable(c.Config.Env, "MYRIAD_TEST_PASSED") == "passed on" && !slices.Contains(c.Config.Env, "MYRIAD_TEST_ABSENT=") &&
			variable(c.Config.Env, "PORT") == "7777" && variable(c.Config.Env, "MYRIAD_BIND") == "0.0.0.0" && variable(c.Config.Env, "MYRIAD_NONCE") == req.Nonce,
	} {
		if !ok {
			t.Errorf("%s: config %+v, host config %+v", what, c.Config, h)
		}
	}
}

func labelled(m map[string]string, req myriad.StartRequest) bool {
	l, ok := readLabel(m)
	return ok && l.owner == req.OwnerID && l.instance == req.InstanceID && l.agent == req.Packet.Agent.Name && l.concept == "echoes" &&
		l.revision == req.Packet.Revision && l.limits == req.Limits && !l.created.IsZero()
}

// TestContainerIsClosedInside asks the agent what it may.
func TestContainerIsClosedInside(t *testing.T) {
	b := newBench(t, Config{TmpBytes: 1 << 20})
	i := b.awake(t, b.request(contained(built(t, agentMain, "program", agentImage), "echo")))
	saw, err := ask[map[string]string](t.Context(), i, map[string]any{"probe": "cage"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"CapEff": "0000000000000000", "CapBnd": "0000000000000000", "NoNewPrivs": "1", "tmp": "written"} {
		if saw[name] != want {
			t.Errorf("%s is %q, want %q", name, saw[name], want)
		}
	}
	if !strings.Contains(saw["root"], "read-only") {
		t.Errorf("the root can be written: %s", saw["root"])
	}
	filled, err := ask[struct {
		Written int
		Error   string
	}](t.Context(), i, map[string]any{"probe": "fill", "bytes": 8 << 20})
	if err != nil || filled.Written > 1<<20 || !strings.Contains(filled.Error, "no space left") {
		t.Errorf("/tmp of 1 MiB took %+v (%v)", filled, err)
	}
}

// TestMemoryLimit: what takes more than its share is killed, told so, and gone.
func TestMemoryLimit(t *testing.T) {
	b := newBench(t, Config{})
	req := b.request(contained(built(t, agentMain, "program", agentImage), "echo"))
	req.Limits = caged
	i := b.awake(t, req)
	if slices.Contains(i.Unenforced(), myriad.LimitMemory) {
		t.Skip("NOT CHECKED: the daemon's machine keeps no limit on memory")
	}
	if n, err := ask[int](t.Context(), i, map[string]any{"probe": "eat", "bytes": 16 << 20}); err != nil || n != 16<<20 {
		t.Fatalf("a third of the limit: %d, %v", n, err)
	}
	if _, err := ask[int](t.Context(), i, map[string]any{"probe": "eat", "bytes": 512 << 20}); err == nil {
		t.Fatal("ten times the limit was given")
	}
	exited(t, i)
	if err := i.Err(); err == nil || !strings.Contains(err.Error(), "memory") {
		t.Errorf("the reason is not told: %v", err)
	}
}

// TestPIDsLimit: a fork bomb is refused, and its container goes on.
func TestPIDsLimit(t *testing.T) {
	b := newBench(t, Config{})
	req := b.request(contained(built(t, agentMain, "program", agentImage), "echo"))
	req.Limits = caged
	i := b.awake(t, req)
	if slices.Contains(i.Unenforced(), myriad.LimitPIDs) {
		t.Skip("NOT CHECKED: the daemon's machine keeps no limit on processes")
	}
	got, err := ask[struct {
		Started int
		Error   string
	}](t.Context(), i, map[string]any{"probe": "fork", "times": 200})
	if err == nil && (got.Error == "" || got.Started >= int(caged.PIDs)) {
		t.Errorf("of 200 processes %+v were started under a limit of %d", got, caged.PIDs)
	}
	if err != nil { // a runtime that cannot make a thread ends its process: that is the agent's end, and nobody else's
		exited(t, i)
	}
}

func TestUsage(t *testing.T) {
	b := newBench(t, Config{})
	req := b.request(contained(built(t, agentMain, "program", agentImage), "echo"))
	req.Limits = caged
	i := b.awake(t, req)
	u, ok := i.Usage(t.Context())
	if !ok || u.MemoryBytes <= 0 || u.MemoryBytes > caged.MemoryBytes || u.PIDs < 1 || u.PIDs > caged.PIDs || u.CPUSeconds < 0 {
		t.Errorf("usage %+v, %v", u, ok)
	}
}

// TestAdoptedEnforcement: an instance that is recovered knows its limits as the one that was started does.
func TestAdoptedEnforcement(t *testing.T) {
	b := newBench(t, Config{})
	req := b.request(contained(built(t, agentMain, "program", agentImage), "echo"))
	req.Limits = caged
	first := b.awake(t, req)
	next := newRuntime(t, Config{})
	left, err := next.Recover(t.Context(), b.owner)
	if err != nil || len(left) != 1 {
		t.Fatalf("%v %v", left, err)
	}
	again := left[0].Instance.(*instance)
	if again.id != first.id || again.Endpoint() != first.Endpoint() || !slices.Equal(again.unenforced, first.unenforced) || again.signal != first.signal || !again.started.Equal(first.started) {
		t.Errorf("recovered as %+v, started as %+v", again, first)
	}
}

// TestForeignContainers: what is not labelled as ours, or as another's, outlives every recovery.
func TestForeignContainers(t *testing.T) {
	docker := daemon(t)
	image := built(t, agentMain, "program", agentImage)
	b := newBench(t, Config{})
	other := fresh("neighbour")
	var foreign []string
	for n, labels := range []map[string]string{
		{},
		{labelOwner: b.owner},                   // no agent
		{labelAgent: "true", labelOwner: other}, // another's
		{labelAgent: "false", labelOwner: b.owner}, // no agent
		{labelAgent: "true"},                       // nobody's
	} {
		res, err := docker.ContainerCreate(t.Context(), client.ContainerCreateOptions{Name: fresh(fmt.Sprintf("foreign%d", n)),
			Config: &container.Config{Image: image, Labels: labels, Cmd: []string{"sleep"}}})
		if err != nil {
			t.Fatal(err)
		}
		foreign = append(foreign, res.ID)
		t.Cleanup(func() {
			if _, err := docker.ContainerRemove(context.Background(), res.ID, client.ContainerRemoveOptions{Force: true}); err != nil {
				t.Error(err)
			}
		})
	}
	torn, err := docker.ContainerCreate(t.Context(), client.ContainerCreateOptions{ // ours, and nothing that could be adopted
		Config: &container.Config{Image: image, Labels: map[string]string{labelAgent: "true", labelOwner: b.owner}, Cmd: []string{"sleep"}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := docker.ContainerStart(t.Context(), torn.ID, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	left, err := b.Recover(t.Context(), b.owner)
	if err != nil || len(left) != 0 {
		t.Errorf("recovered %+v, %v", left, err)
	}
	for _, id := range foreign {
		if _, err := docker.ContainerInspect(t.Context(), id, client.ContainerInspectOptions{}); err != nil {
			t.Errorf("a container that is not ours: %v", err)
		}
	}
	if _, err := docker.ContainerInspect(t.Context(), torn.ID, client.ContainerInspectOptions{}); err == nil {
		t.Error("a container of ours that cannot be adopted is left")
	}
}
