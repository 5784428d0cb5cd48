package processrt

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/processrt/shim"
)

// fence holds the processes of one instance: it limits, counts and ends them.
type fence struct {
	m       *machine
	i       *instance
	tree    cgroup            // holds every process, a cgroup below it for each child; zero where there are no cgroups
	dirs    map[string]string // cgroups by what they limit or count: cpu, cpuacct, memory, pids
	v2      bool              // dirs are of version 2
	joins   []string          // files by which a child joins cgroups of version 1
	missing []string          // limits that are not in force
	watched bool              // the memory limit is kept by looking
	since   uint64            // no process of the instance started before, as in mark

	mu    sync.Mutex
	cells map[*cell]bool // of children that are not gone; guarded by mu
	ooms  int64          // processes that the memory limit killed, as last seen; guarded by mu
}

// cell is the part of a fence that holds one child and all that it started.
type cell struct {
	f    *fence
	name string
	tree cgroup // zero where there are no cgroups

	mu   sync.Mutex
	note string         // why the fence killed it; guarded by mu
	pid  int            // of the child, 0 once it may be another's; guarded by mu
	seen map[int]uint64 // when those started who were last found in it, by pid, where there are no cgroups; guarded by mu
	// orphans are those below the child that may become children of this process; guarded by mu.
	orphans map[int]bool
}

func (f *fence) joined() []string {
	var dirs []string
	for _, file := range f.joins {
		dirs = append(dirs, filepath.Dir(file))
	}
	return dirs
}

// groups are the owner's cgroups that the fence lies in, for a later life.
func (f *fence) groups() []string {
	var out []string
	for _, dir := range append(f.joined(), f.tree.dir) {
		if dir != "" {
			out = append(out, filepath.Dir(dir))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// start starts the child inside the fence.
func (f *fence) start(c *child) (*cell, error) {
	l := &cell{f: f, name: c.name}
	if f.tree.dir != "" {
		l.tree = cgroup{dir: filepath.Join(f.tree.dir, c.name), track: f.tree.track}
		if err := os.Mkdir(l.tree.dir, 0o755); err != nil {
			return nil, fmt.Errorf("make its cgroup: %w", err)
		}
	}
	f.mu.Lock()
	f.cells[l] = true // the watcher must not miss it
	f.mu.Unlock()
	err := f.launch(c, l)
	if err != nil {
		return nil, errors.Join(err, l.remove())
	}
	l.mu.Lock()
	l.pid = c.cmd.Process.Pid
	l.mu.Unlock()
	return l, nil
}

// launch starts the command: straight into the cgroup of version 2 where the kernel can do that, by the shim into those of version 1.
func (f *fence) launch(c *child, l *cell) error {
	plain := *c.cmd
	if l.tree.track == trackUnified && !f.m.noClone.Load() {
		dir, err := os.Open(l.tree.dir)
		if err != nil {
			return fmt.Errorf("open its cgroup: %w", err)
		}
		c.cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
		err = f.run(c.cmd, l, f.joins)
		_ = dir.Close() // only read
		if !cannotClone(err) {
			return err
		}
		f.m.noClone.Store(true)
		c.cmd = &exec.Cmd{
			Path: plain.Path, Args: plain.Args, Dir: plain.Dir, Env: plain.Env, Stdin: plain.Stdin, Stdout: plain.Stdout, Stderr: plain.Stderr,
		}
	}
	joins := f.joins
	if l.tree.dir != "" {
		joins = append(slices.Clip(joins), filepath.Join(l.tree.dir, "cgroup.procs"))
	}
	return f.run(c.cmd, l, joins)
}

func (f *fence) run(cmd *exec.Cmd, l *cell, joins []string) error {
	ownSession(cmd)
	if len(joins) > 0 {
		cmd.Args, cmd.Path = shim.Args(joins, cmd.Path, cmd.Args), shim.Path
	}
	if l.tree.dir != "" {
		return startPlain(cmd)
	}
	bare, err := startBranded(brand(f.i.req.OwnerID, f.i.id, l.name), cmd.Start)
	if bare {
		f.m.bare.Do(func() {
			f.i.rt.log.Warn("what programs start and detach may outlive them on this machine: it has no cgroups for them, and they cannot be told by a limit either",
				slog.String("help", limitsHelp+"; or start the server without a limit of RLIMIT_RTTIME"))
		})
	}
	return err
}

// cannotClone says that the kernel is too old to start a process in a cgroup.
func cannotClone(err error) bool {
	return errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EBADF) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.E2BIG)
}

// unenforced names the limits that are not in force.
func (f *fence) unenforced() []string { return slices.Clone(f.missing) }

// usage adds up what the instance uses; ok is false while no process runs.
func (f *fence) usage() (u myriad.Usage, ok bool) {
	var cpu, memory, pids bool
	if f.v2 {
		var usec int64
		usec, cpu = cgroup{dir: f.dirs[myriad.LimitCPU]}.field("cpu.stat", "usage_usec")
		u.CPUSeconds = float64(usec) / 1e6
		u.MemoryBytes, memory = f.memory("memory.current", "inactive_file")
	} else {
		var nsec int64
		nsec, cpu = cgroup{dir: f.dirs[cpuAccounting]}.number("cpuacct.usage")
		u.CPUSeconds = float64(nsec) / 1e9
		u.MemoryBytes, memory = f.memory("memory.usage_in_bytes", "total_inactive_file")
	}
	u.PIDs, pids = cgroup{dir: f.dirs[myriad.LimitPIDs]}.number("pids.current")
	if cpu && memory && pids {
		return u, u.PIDs > 0
	}
	seen := f.look(processes())
	if !cpu {
		u.CPUSeconds = seen.CPUSeconds
	}
	if !memory {
		u.MemoryBytes = seen.MemoryBytes
	}
	if !pids {
		u.PIDs = seen.PIDs
	}
	return u, u.PIDs > 0
}

// memory is what is in use without files that may be dropped any time.
func (f *fence) memory(file, cache string) (int64, bool) {
	g := cgroup{dir: f.dirs[myriad.LimitMemory]}
	n, ok := g.number(file)
	if !ok {
		return 0, false
	}
	files, _ := g.field("memory.stat", cache)
	return max(n-files, 0), true
}

// look adds up the processes of the instance among all.
func (f *fence) look(all []process) (u myriad.Usage) {
	for _, l := range f.list() {
		for _, p := range l.members(all) {
			u.CPUSeconds += p.cpuSeconds()
			u.MemoryBytes += p.rss
			u.PIDs += p.threads
		}
	}
	return u
}

func (f *fence) list() []*cell {
	f.mu.Lock()
	defer f.mu.Unlock()
	cells := make([]*cell, 0, len(f.cells))
	for l := range f.cells {
		cells = append(cells, l)
	}
	return cells
}

// oomKills counts the processes that the memory limit killed.
func (f *fence) oomKills() int64 {
	file := "memory.oom_control"
	if f.v2 {
		file = "memory.events"
	}
	n, _ := cgroup{dir: f.dirs[myriad.LimitMemory]}.field(file, "oom_kill")
	return n
}

// close ends everything that is left of the instance and removes its cgroups. An error says that something is still there.
func (f *fence) close() error {
	f.m.watcher.drop(f)
	if f.tree.dir != "" {
		f.tree.kill()
	}
	err := killTree(kin{mark: mark{owner: f.i.req.OwnerID, instance: f.i.id, since: f.since}})
	for _, l := range f.list() { // what did not die before
		err = errors.Join(err, l.remove())
	}
	dirs := f.joined()
	if f.tree.dir != "" {
		dirs = append(dirs, f.tree.dir)
	}
	for _, dir := range dirs {
		err = errors.Join(err, cgroup{dir: dir}.remove())
	}
	return err
}

// kill kills the child and all that it started.
func (l *cell) kill() {
	l.expectOrphans()
	if l.tree.dir != "" {
		l.tree.kill()
		return
	}
	_ = killTree(l.kin()) // remove says what is left
}

// kin is how the cell's processes are known. The child's pid counts while that is surely its own.
func (l *cell) kin() kin {
	m := mark{owner: l.f.i.req.OwnerID, instance: l.f.i.id, worker: l.name, since: l.f.since}
	l.mu.Lock()
	defer l.mu.Unlock()
	return kin{root: l.pid, mark: m, seen: l.seen}
}

// find finds the cell's processes among all by how they are known, and knows them from then on.
func (l *cell) find(all []process) []process {
	in := tree(all, l.kin())
	seen := starts(in)
	l.mu.Lock()
	l.seen = seen
	l.mu.Unlock()
	return in
}

// remember notes who is in the cell before it is asked to end: by then it may be nobody's any more.
func (l *cell) remember() {
	if l.tree.dir == "" {
		l.find(processes())
	}
}

// reaped says that the child's pid may be another's from now on.
func (l *cell) reaped() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pid = 0
}

// pids are the processes of the cell now.
func (l *cell) pids() []int {
	if l.tree.dir != "" {
		return l.tree.pids()
	}
	var pids []int
	for _, p := range l.find(processes()) {
		pids = append(pids, p.pid)
	}
	return pids
}

// members are the processes of the cell among all.
func (l *cell) members(all []process) []process {
	if l.tree.dir != "" {
		pids := map[int]bool{}
		for _, pid := range l.tree.pids() {
			pids[pid] = true
		}
		return slices.DeleteFunc(slices.Clone(all), func(p process) bool { return !pids[p.pid] })
	}
	return l.find(all)
}

// blame notes why the fence kills the cell.
func (l *cell) blame(note string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note = note
}

// verdict says whether the memory limit killed something since it was last asked, and why the fence killed the cell.
func (l *cell) verdict() (oom bool, note string) {
	n := l.f.oomKills()
	l.f.mu.Lock()
	oom = n > l.f.ooms
	l.f.ooms = max(n, l.f.ooms)
	l.f.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	return oom, l.note
}

// remove takes the cell out of the fence. An error says that something in it did not die.
func (l *cell) remove() error {
	defer l.reapOrphans()
	if l.tree.dir == "" {
		if err := killTree(l.kin()); err != nil {
			return err // it stays in the fence, whose end tries again
		}
	}
	l.f.mu.Lock()
	delete(l.f.cells, l)
	l.f.mu.Unlock()
	if l.tree.dir == "" {
		return nil
	}
	return l.tree.remove()
}

// endTree kills a process that an earlier life noted, with its group and all below it. It is surely that process.
func endTree(p *os.Process, owner string) {
	_ = killTree(kin{root: p.Pid, mark: mark{owner: owner}}) // what is left is looked for again
	killGroup(p)
}

// awaitEnd waits until a child has ended and leaves it to be reaped.
func awaitEnd(pid int) bool {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err == nil
		}
	}
}
