package processrt

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ticksPerSecond is the unit of times in /proc; Linux has no other.
const ticksPerSecond = 100

// process is one process as /proc shows it.
type process struct {
	pid, parent, session int
	state                byte
	start                uint64 // ticks since the machine started
	ticks                uint64 // of CPU
	threads              int64
	rss                  int64 // bytes
}

func (p process) cpuSeconds() float64 { return float64(p.ticks) / ticksPerSecond }

func (p process) dead() bool { return p.state == 'Z' || p.state == 'X' }

// processes are all that /proc shows.
func processes() []process {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	names, _ := dir.Readdirnames(-1) // what was read counts
	_ = dir.Close()                  // only read
	out := make([]process, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			if p, ok := processOf(pid); ok {
				out = append(out, p)
			}
		}
	}
	return out
}

func processOf(pid int) (process, bool) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return process{}, false
	}
	return parseStat(string(text))
}

// parseStat reads a line of proc_pid_stat(5). The name in it may hold anything, also brackets and spaces.
func parseStat(line string) (p process, ok bool) {
	open, shut := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 1 || shut < open {
		return p, false
	}
	var err error
	if p.pid, err = strconv.Atoi(strings.TrimSpace(line[:open])); err != nil {
		return p, false
	}
	f := strings.Fields(line[shut+1:]) // f[0] is field 3
	if len(f) < 22 || len(f[0]) != 1 {
		return p, false
	}
	number := func(field int) uint64 {
		n, e := strconv.ParseInt(f[field-3], 10, 64)
		if e != nil {
			err = e
		}
		return uint64(max(n, 0))
	}
	p.state = f[0][0]
	p.parent, p.session = int(number(4)), int(number(6))
	p.ticks = number(14) + number(15)
	p.threads, p.start = int64(number(20)), number(22)
	p.rss = int64(number(24)) * int64(os.Getpagesize())
	return p, err == nil
}

// mark names processes by what their environment says; the owner always counts, the rest when it is set. Those that started before since
// are not looked at.
type mark struct {
	owner, instance, worker string
	since                   uint64 // ticks since the machine started
}

// ticksNow is the present as start times of processes tell it, a little early.
func ticksNow() uint64 {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) != nil {
		return 0
	}
	return uint64(max(now.Nano()/(1e9/ticksPerSecond)-2, 0))
}

// on says whether the process carries the mark, as its brand or in its environment. What cannot be read carries none.
func (m mark) on(pid int) bool {
	switch b := brandOf(pid); {
	case b == 0:
	case m.worker != "" && b == brand(m.owner, m.instance, m.worker), m.instance == "" && b>>32 == ownerBrand(m.owner):
		return true
	}
	env, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil || !carries(env, envOwner, m.owner) {
		return false
	}
	return (m.instance == "" || carries(env, envInstance, m.instance)) && (m.worker == "" || carries(env, envWorker, m.worker))
}

func carries(env []byte, name, value string) bool {
	want := []byte(name + "=" + value)
	for pair := range bytes.SplitSeq(env, []byte{0}) {
		if bytes.Equal(pair, want) {
			return true
		}
	}
	return false
}

// kin is how those are known that belong together: by the process root (0 is none), by a mark, and by having been seen among them.
type kin struct {
	root int
	mark mark
	seen map[int]uint64 // when they started, by pid; nil is none
}

func (k kin) claims(p process) bool {
	if start, known := k.seen[p.pid]; known && start == p.start {
		return true
	}
	return k.root != 0 && (p.pid == k.root || p.session == k.root) || p.start >= k.mark.since && k.mark.on(p.pid)
}

// tree is the process root with those below it, in its session, with its mark, or seen before, wherever they went.
func tree(all []process, k kin) []process {
	lines := lineage()
	in := map[int]bool{}
	children := map[int][]int{}
	for _, p := range all {
		children[p.parent] = append(children[p.parent], p.pid)
		if !lines[p.pid] && k.claims(p) {
			in[p.pid] = true
		}
	}
	var add func(pid int)
	add = func(pid int) {
		for _, c := range children[pid] {
			if !in[c] {
				in[c] = true
				add(c)
			}
		}
	}
	var out []process
	for _, p := range all {
		if in[p.pid] {
			add(p.pid)
		}
	}
	for _, p := range all {
		if in[p.pid] && !p.dead() && !lines[p.pid] {
			out = append(out, p)
		}
	}
	return out
}

// lineage is this process and those that it came from: never ours to kill, whatever their environment says.
func lineage() map[int]bool {
	line := map[int]bool{1: true}
	for pid := os.Getpid(); pid > 1 && !line[pid]; {
		line[pid] = true
		p, ok := processOf(pid)
		if !ok {
			break
		}
		pid = p.parent
	}
	return line
}

// freezes is how often in a row whoever is found is only stopped, because others are found each time or do not stand still.
const freezes = 8

// killTree kills those who are kin, and those below them, until there are none. Nobody is killed before a look finds nobody whom the one before did
// not see stand still: what a process started in between, or was about to when it was told to stop, would be nobody's child once that is dead.
func killTree(k kin) error {
	pause := time.Millisecond
	stopped := map[int]uint64{}
	k.seen = maps.Clone(k.seen)
	if k.seen == nil {
		k.seen = map[int]uint64{}
	}
	looks := 0
	for deadline := time.Now().Add(removeGrace); ; {
		left := tree(processes(), k)
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d processes do not die, %d is one", len(left), left[0].pid)
		}
		maps.Copy(k.seen, starts(left)) // one that is dying has no environment to know it by any more
		if halt(left, stopped) && looks < freezes {
			looks++
			continue
		}
		for _, p := range left {
			signalExactly(p, unix.SIGKILL)
		}
		looks = 0
		time.Sleep(pause)
		pause = min(2*pause, 20*time.Millisecond)
	}
}

// halt stops processes, so that none starts another, notes those that stand still, and says whether one of them was not noted before.
func halt(all []process, stopped map[int]uint64) (fresh bool) {
	for _, p := range all {
		fresh = fresh || stopped[p.pid] != p.start
		if p.state == 'T' || p.state == 't' {
			stopped[p.pid] = p.start
		} else {
			signalExactly(p, unix.SIGSTOP)
		}
	}
	return fresh
}

// starts are when processes started, by pid.
func starts(all []process) map[int]uint64 {
	out := make(map[int]uint64, len(all))
	for _, p := range all {
		out[p.pid] = p.start
	}
	return out
}

// signalExactly signals p, and not who has its pid by now.
func signalExactly(p process, s unix.Signal) {
	fd, err := unix.PidfdOpen(p.pid, 0)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		if now, ok := processOf(p.pid); ok && now.start == p.start {
			_ = unix.Kill(p.pid, s) // gone is what was asked for
		}
		return
	}
	if err != nil {
		return // gone
	}
	if now, ok := processOf(p.pid); ok && now.start == p.start {
		_ = unix.PidfdSendSignal(fd, s, nil, 0) // gone is what was asked for
	}
	_ = unix.Close(fd)
}

// startMark tells a process from an earlier one of its pid, over restarts of the machine too; "" when it is not there.
func startMark(pid int) string {
	p, ok := processOf(pid)
	if !ok || p.dead() {
		return ""
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(boot)) + "/" + strconv.FormatUint(p.start, 10)
}
