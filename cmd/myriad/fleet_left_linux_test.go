package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
	"github.com/myriad-mind/myriad/internal/sqlitestore"
)

// kept is what is in the data directory of a server that does not run.
type kept struct {
	owner   string
	queue   []myriad.QueueEntry
	packets map[string]myriad.Packet
}

func (d *doomed) look() (k kept) {
	d.t.Helper()
	ctx := d.t.Context()
	s, err := sqlitestore.Open(ctx, d.data, sqlitestore.Options{})
	if err != nil {
		d.t.Fatal(err)
	}
	defer s.Close()
	k.owner, k.packets = s.OwnerID(), map[string]myriad.Packet{}
	if k.queue, err = s.Queue(ctx); err != nil {
		d.t.Fatal(err)
	}
	for page := (myriad.Page{Limit: 1000}); ; {
		packets, next, err := s.Packets(ctx, page)
		if err != nil {
			d.t.Fatal(err)
		}
		for _, p := range packets {
			k.packets[p.Agent.Name] = p
		}
		if page.Cursor = next; next == "" {
			return k
		}
	}
}

// checkKept: what clients were told is in the store.
func (d *doomed) checkKept(k kept) {
	d.t.Helper()
	d.t.Logf("life %d: %d wait, %d packets, %d processes outlive the server", d.life, len(k.queue), len(k.packets), len(d.processes()))
	for _, name := range d.names {
		if p, ok := k.packets[name]; !ok || p.Revision != 1 {
			d.t.Errorf("the packet of %s: %+v", name, p)
		}
	}
	of := map[string]myriad.Packet{} // grown ones, by concept
	for _, p := range k.packets {
		if p.Agent.Owner == myriad.OwnerFleet {
			of[p.Agent.Concepts[0]] = p
		}
	}
	for concept, name := range d.grown {
		p, ok := of[concept]
		if !ok || name != "" && p.Agent.Name != name || !strings.Contains(p.Agent.Template.Knowledge.PrimaryDefinition, concept+" is what the library says") {
			d.t.Errorf("the packet that was grown for %q: %+v", concept, p)
		}
	}
	for concept := range d.queued {
		if !slices.ContainsFunc(k.queue, func(e myriad.QueueEntry) bool { return e.Agent == of[concept].Agent.Name }) {
			d.t.Errorf("a client was told that %q waits, and it does not: %+v", concept, k.queue)
		}
	}
}

// checkTurns: a life that ended while it started may have given their turn to as many of those who waited as there is room for, the first ones.
func (d *doomed) checkTurns(before kept) (after kept) {
	d.t.Helper()
	after = d.look()
	for at, e := range before.queue {
		if at >= killedRoom && !slices.ContainsFunc(after.queue, func(o myriad.QueueEntry) bool { return o.ID == e.ID }) {
			d.t.Errorf("life %d: agent %s is at place %d and not in the queue any more", d.life, e.Agent, at+1)
		}
	}
	return after
}

// process is one that carries the owner's mark, or is known to be of our agents.
type process struct {
	pid             int
	begun, instance string
}

// processes are all that agents of this data directory have started and that run.
func (d *doomed) processes() (all []process) {
	d.t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		dir := filepath.Join("/proc", e.Name())
		env, _ := os.ReadFile(filepath.Join(dir, "environ")) // gone meanwhile is as good as not there
		line, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		vars := strings.Split(string(env), "\x00")
		unmarked := string(line) == "/bin/sleep\x00"+d.nap+"\x00"
		if !slices.Contains(vars, "MYRIAD_OWNER="+d.owner) && !unmarked {
			continue
		}
		p := process{pid: pid, begun: begunAt(dir)}
		for _, v := range vars {
			if id, ok := strings.CutPrefix(v, "MYRIAD_INSTANCE="); ok {
				p.instance = id
			}
		}
		if p.begun != "" {
			all = append(all, p)
		}
	}
	return all
}

// begunAt is when a process began, "" when it has ended.
func begunAt(dir string) string {
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return ""
	}
	return fields[19]
}

// checkEnded: nothing of an earlier life runs once the server says that it is ready.
func (d *doomed) checkEnded(before []process) {
	d.t.Helper()
	for _, p := range before {
		if begunAt(filepath.Join("/proc", strconv.Itoa(p.pid))) == p.begun {
			d.t.Errorf("life %d: process %d of instance %q outlives the restart", d.life, p.pid, p.instance)
		}
	}
}

// checkQueue: who waited waits on, in the same order, or has got its turn.
func (d *doomed) checkQueue(k kept) {
	d.t.Helper()
	f := fleetOf(d.t, d.client)
	var waiting, was []string
	for _, e := range f.Queue {
		waiting = append(waiting, e.Agent)
	}
	for _, e := range k.queue {
		if slices.Contains(waiting, e.Agent) {
			was = append(was, e.Agent)
		} else if !slices.ContainsFunc(f.Instances, func(i myriad.InstanceStatus) bool { return i.Agent == e.Agent }) {
			d.t.Errorf("life %d: agent %s waited and does not any more: %+v", d.life, e.Agent, f)
		}
	}
	if !slices.Equal(was, waiting) {
		d.t.Errorf("life %d: the queue is\n%v\nand was\n%v", d.life, waiting, was)
	}
}

// checkBooks: what there is on the machine is what the fleet shows, each instance once.
func (d *doomed) checkBooks() {
	d.t.Helper()
	eventually(d.t, func() (bool, string) {
		before := fleetOf(d.t, d.client)
		found := slices.Concat(d.owned(), d.notes(), d.cgroups(), d.containers())
		after := fleetOf(d.t, d.client)
		shown := map[string]bool{}
		for _, f := range []myriad.FleetStatus{before, after} {
			d.checkCounts(f)
			for _, i := range f.Instances {
				shown[i.ID] = true
			}
		}
		for _, id := range found {
			if !shown[id] {
				return false, fmt.Sprintf("instance %s is in the fleet, of which there is something: %+v", id, after)
			}
		}
		return true, ""
	})
}

func (d *doomed) checkCounts(f myriad.FleetStatus) {
	d.t.Helper()
	ids, agents, holding := map[string]bool{}, map[string]int{}, 0
	for _, i := range f.Instances {
		if ids[i.ID] {
			d.t.Errorf("instance %s is shown twice", i.ID)
		}
		ids[i.ID] = true
		switch i.State {
		case myriad.InstanceStarting, myriad.InstanceReady:
			agents[i.Agent]++
			holding++
		case myriad.InstanceDraining:
			holding++
		}
		if agents[i.Agent] > 1 {
			d.t.Errorf("agent %s has two instances: %+v", i.Agent, f)
		}
	}
	if f.InUse != holding || f.InUse > f.Limits.MaxAgents {
		d.t.Errorf("%d in use, %d counted: %+v", f.InUse, holding, f)
	}
}

// owned are the instances of processes with our mark.
func (d *doomed) owned() (ids []string) {
	for _, p := range d.processes() {
		if p.instance != "" {
			ids = append(ids, p.instance)
		}
	}
	return ids
}

// notes are the instances that the state of the process runtime names.
func (d *doomed) notes() (ids []string) {
	entries, _ := os.ReadDir(filepath.Join(d.data, "processes")) // not there is empty
	for _, e := range entries {
		raw, err := os.ReadFile(filepath.Join(d.data, "processes", e.Name()))
		var note struct{ Instance string }
		if err == nil && json.Unmarshal(raw, &note) == nil {
			ids = append(ids, note.Instance)
		}
	}
	return ids
}

// cgroups are the instances that have one.
func (d *doomed) cgroups() (ids []string) {
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, e fs.DirEntry, err error) error { // what goes away meanwhile is not there
		if err == nil && e.IsDir() && filepath.Base(filepath.Dir(path)) == "myriad-"+d.owner {
			ids = append(ids, e.Name())
			return fs.SkipDir
		}
		return nil
	})
	slices.Sort(ids)
	return slices.Compact(ids)
}

// containers are the instances that have one, running or not.
func (d *doomed) containers() []string { return d.docker(`{{.Label "myriad.instance"}}`) }

// docker lists our containers.
func (d *doomed) docker(format string) []string {
	if os.Getenv("DOCKER_HOST") == "" {
		return nil
	}
	out, err := exec.Command("docker", "ps", "-a", "--filter", "label=myriad.owner="+d.owner, "--format", format).Output()
	if err != nil {
		d.t.Fatal(err)
	}
	return strings.Fields(string(out))
}

// checkNext: the next task is answered by an agent that had to be woken again.
func (d *doomed) checkNext() {
	d.t.Helper()
	f := fleetOf(d.t, d.client)
	name := d.names[d.rng.IntN(len(d.names))]
	if f.InUse == f.Limits.MaxAgents { // others went first, so that it is one of them
		name = f.Instances[d.rng.IntN(len(f.Instances))].Agent
	}
	d.ask(name)
}

// ask has one agent answer.
func (d *doomed) ask(name string) {
	d.t.Helper()
	a, err := d.client.Agent(d.t.Context(), name)
	if err != nil {
		d.t.Fatal(err)
	}
	r := one(d.t, d.client, a.Concepts[0], append(a.Intents, "define")[0], nil)
	if !r.Succeeded || r.Provenance.Agent != name {
		d.t.Errorf("life %d: %s does not answer: %s\n%+v", d.life, name, r.AppendJSON(nil), fleetOf(d.t, d.client))
	}
}

// checkAll: with room for everybody, everybody answers, and nobody waits any more.
func (d *doomed) checkAll() {
	d.t.Helper()
	if _, err := d.client.SetFleetLimits(d.t.Context(), map[string]any{"max_agents": 500}); err != nil {
		d.t.Fatal(err)
	}
	eventually(d.t, func() (bool, string) {
		f := fleetOf(d.t, d.client)
		return len(f.Queue) == 0, fmt.Sprintf("the queue is worked off: %+v", f)
	})
	plan := client.Plan{Timeout: longest}
	for _, name := range d.names {
		plan.Add(client.Task{ID: name, Concept: concept(name), Intent: "do", Fallback: client.NoFallback})
	}
	for concept := range d.grown {
		plan.Add(client.Task{ID: concept, Concept: concept, Intent: "define", Fallback: client.NoFallback})
	}
	rec, err := d.client.Run(d.t.Context(), plan)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, r := range rec.Results {
		if name := cmp.Or(d.grown[r.TaskID.Key], r.TaskID.Key); !r.Succeeded || d.grown[r.TaskID.Key] != "" && r.Provenance.Agent != name {
			d.t.Errorf("%s: %s", name, r.AppendJSON(nil))
		}
	}
	d.checkBooks()
}

// checkClean: after a stop in order nothing is left.
func (d *doomed) checkClean() {
	d.t.Helper()
	if left := slices.Concat(d.owned(), d.notes(), d.cgroups(), d.containers()); len(left) > 0 || len(d.processes()) > 0 {
		d.t.Errorf("left behind: instances %v, processes %v", left, d.processes())
	}
}

// nothingIsLeft removes what a failed test leaves on the machine.
func (d *doomed) nothingIsLeft() {
	if d.served != nil {
		d.kill()
	}
	for _, p := range d.processes() {
		if begunAt(filepath.Join("/proc", strconv.Itoa(p.pid))) == p.begun {
			if proc, err := os.FindProcess(p.pid); err == nil {
				_ = proc.Kill() // gone is what is wanted
			}
		}
	}
	for _, id := range d.docker("{{.ID}}") {
		_ = exec.Command("docker", "rm", "-fv", id).Run()
	}
}

// hostImage is the image of the agent host, where there is a daemon.
func hostImage(t testing.TB) (image string, ok bool) {
	t.Helper()
	if os.Getenv("DOCKER_HOST") == "" {
		return "", false
	}
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", filepath.Join(dir, "myriad"), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	dockerfile, err := os.ReadFile(filepath.Join("..", "..", "deploy", "agent-host", "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), dockerfile, 0o600); err != nil {
		t.Fatal(err)
	}
	image = fmt.Sprintf("myriad-host-test:%d", os.Getpid())
	cmd := exec.CommandContext(t.Context(), "docker", "build", "-t", image, dir)
	cmd.Env = append(os.Environ(), "DOCKER_BUILDKIT=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return image, true
}
