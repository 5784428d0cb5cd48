//go:build !linux

package processrt

import (
	"os"
	"runtime"

	"github.com/myriad-mind/myriad"
)

// limitsHelp tells an operator what to do about limits that are not in force.
const limitsHelp = "processes on " + runtime.GOOS + " run without limits; run what must be limited in containers, or on Linux"

// machine is what this machine offers to hold processes: nothing but their groups, where there are those.
type machine struct {
	off bool
}

func (m *machine) fence(i *instance) (*fence, error) { return &fence{i: i}, nil }

func (m *machine) tidy() {}

// recover does nothing: what runs can only be known by notes here.
func (m *machine) recover(string, []string) error { return nil }

// fence holds the processes of one instance.
type fence struct {
	i *instance
}

// cell is the part of a fence that holds one child.
type cell struct{}

func (f *fence) start(c *child) (*cell, error) {
	ownSession(c.cmd)
	return &cell{}, startPlain(c.cmd)
}

// unenforced names all limits that there are: none is in force.
func (f *fence) unenforced() (names []string) {
	l := f.i.req.Limits
	for _, limit := range []struct {
		name string
		set  bool
	}{{myriad.LimitCPU, l.CPU > 0}, {myriad.LimitMemory, l.MemoryBytes > 0}, {myriad.LimitPIDs, l.PIDs > 0}} {
		if limit.set {
			names = append(names, limit.name)
		}
	}
	return names
}

func (f *fence) usage() (myriad.Usage, bool) { return myriad.Usage{}, false }

func (f *fence) groups() []string { return nil }

func (f *fence) close() error { return nil }

// kill does nothing beyond what the child's group does.
func (l *cell) kill() {}

func (l *cell) reaped() {}

func (l *cell) remember() {}

func (l *cell) verdict() (oom bool, note string) { return false, "" }

func (l *cell) remove() error { return nil }

// endTree kills a process that an earlier life noted, with its group. It is surely that process.
func endTree(p *os.Process, _ string) { killGroup(p) }

// awaitEnd says that it cannot wait for a child without reaping it.
func awaitEnd(int) bool { return false }
