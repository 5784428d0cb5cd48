package processrt

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/myriad-mind/myriad"
)

const (
	// drainGrace is how long what a dead child wrote may take to be read, when somebody outside of its fence holds its pipes.
	drainGrace = 2 * time.Second
	// complaint is how much of the end of a child's stderr goes into the message of a failure.
	complaint = 240
)

// starting is held while a process starts: on Linux a child may be born with a limit of this process (brand_linux.go), for which it is held alone, and
// what somebody else starts meanwhile must not be. Plain starts do not wait for each other.
var starting sync.RWMutex

// startPlain starts a program that inherits the limits that this process has of its own. Whatever is not branded starts here.
func startPlain(cmd *exec.Cmd) error {
	starting.RLock()
	defer starting.RUnlock()
	return cmd.Start()
}

// order says what a child is started for.
type order struct {
	env    []string        // besides the instance's
	stdin  bool            // give it a pipe; else it reads nothing
	stdout func(io.Reader) // reads what it writes; nil sends that to the log. It returns when the pipe ends.
	made   func(*child)    // called once when it runs, before anything of it is read
	gone   func(*child)    // called once when nothing is left of it, before exited is closed
}

// child is one process of an instance with all that it started.
type child struct {
	i      *instance
	name   string
	cmd    *exec.Cmd
	cell   *cell    // its part of the fence
	stdin  *os.File // nil when it has no pipe
	ours   []*os.File
	pumps  sync.WaitGroup
	exited chan struct{} // closed when nothing is left of it
	gone   func(*child)

	// Written before exited is closed.
	err  error  // how it ended; nil for status 0
	oom  bool   // it went over the memory limit
	note string // why it was killed by the fence
	// unread is how much of its input it left unread; -1 when that cannot be told.
	unread int

	mu    sync.Mutex
	tail  ring // the end of its stderr; guarded by mu
	waits bool // it has not been reaped, so its pid is its own; guarded by mu
}

// spawn starts one process of the instance inside its fence.
func (i *instance) spawn(o order) (*child, error) {
	c := &child{i: i, name: i.nextName(), exited: make(chan struct{}), gone: o.gone, tail: ring{size: complaint}, waits: true}
	c.cmd = &exec.Cmd{Path: i.program.path, Args: i.program.argv, Dir: i.program.dir}
	c.cmd.Env = append(append(i.program.env[:len(i.program.env):len(i.program.env)], o.env...), envWorker+"="+c.name)
	theirs, err := c.plumb(o)
	defer func() {
		for _, f := range theirs {
			_ = f.Close() // the child has its own
		}
	}()
	if err == nil {
		c.cell, err = i.fence.start(c)
	}
	if err != nil {
		c.closeOurs()
		code := myriad.CodeUnavailable
		if notRunnable(err) {
			code = myriad.CodeInvalid
		}
		return nil, myriad.Errorf(code, "start of %s: %w", i.agent, err)
	}
	if o.made != nil {
		o.made(c)
	}
	i.rt.states.put(c)
	stdout, stderr := c.ours[0], c.ours[1]
	c.pumps.Go(func() { i.log.pump(stderr, "stderr", c.complain) })
	c.pumps.Go(func() {
		if o.stdout == nil {
			i.log.pump(stdout, "stdout", nil)
		} else {
			o.stdout(stdout)
		}
	})
	i.rt.work.Go(c.wait)
	return c, nil
}

// notRunnable says that a program cannot be started as it is, whenever it is tried.
func notRunnable(err error) bool {
	return errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.EACCES) || errors.Is(err, errNotExecutable)
}

// plumb makes the child's pipes; theirs are its ends, to be closed once it runs.
func (c *child) plumb(o order) (theirs []*os.File, err error) {
	pipe := func() (r, w *os.File) {
		if err == nil {
			r, w, err = os.Pipe()
		}
		return r, w
	}
	outR, outW := pipe()
	errR, errW := pipe()
	var inR, inW *os.File
	if o.stdin {
		inR, inW = pipe()
	}
	for _, f := range []*os.File{outR, errR} {
		if f != nil {
			c.ours = append(c.ours, f)
		}
	}
	for _, f := range []*os.File{outW, errW, inR} {
		if f != nil {
			theirs = append(theirs, f)
		}
	}
	if err != nil {
		return theirs, fmt.Errorf("make its pipes: %w", err)
	}
	c.stdin = inW
	c.cmd.Stdout, c.cmd.Stderr = outW, errW
	if inR != nil {
		c.cmd.Stdin = inR
	}
	return theirs, nil
}

func (c *child) complain(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tail.add(line + "\n")
}

func (c *child) closeOurs() {
	for _, f := range c.ours {
		_ = f.Close() // also when it is closed already
	}
	c.closeStdin()
}

func (c *child) closeStdin() {
	if c.stdin != nil {
		_ = c.stdin.Close() // also when it is closed already
	}
}

// wait sees the child to its end: it is reaped, what it started dies with it, and what it wrote is read.
func (c *child) wait() {
	err := c.reap()
	c.unread = -1
	if c.stdin != nil {
		c.unread = unread(c.stdin)
	}
	c.closeStdin()
	read := make(chan struct{})
	c.i.rt.work.Go(func() {
		c.pumps.Wait()
		close(read)
	})
	slow := time.NewTimer(drainGrace)
	defer slow.Stop()
	select {
	case <-read:
	case <-slow.C:
		c.closeOurs() // somebody outside holds the other ends
		<-read
	}
	c.closeOurs()
	c.oom, c.note = c.cell.verdict()
	if left := c.cell.remove(); left != nil {
		c.i.log.error("a process of an agent could not be ended", left)
	}
	c.i.rt.states.drop(c)
	c.err = err
	if c.gone != nil {
		c.gone(c)
	}
	close(c.exited)
}

// reap waits for the child's end, kills what it left, and reaps it. The order matters: until it is reaped its pid, and so its group, can be
// nobody else's. Where it cannot be waited for without being reaped the group is killed right after.
func (c *child) reap() error {
	waiting := awaitEnd(c.cmd.Process.Pid)
	var err error
	if waiting {
		c.kill()
	} else {
		err = c.cmd.Wait()
		c.kill()
	}
	c.mu.Lock()
	c.waits = false
	c.mu.Unlock()
	c.cell.reaped()
	if waiting {
		err = c.cmd.Wait()
	}
	return err
}

// kill ends the child and all that it started, at once. Its group comes last: what it started is known by it while it is there.
func (c *child) kill() {
	c.cell.kill()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waits {
		killGroup(c.cmd.Process)
	}
}

// dismiss asks the child and its group to end.
func (c *child) dismiss() {
	c.cell.remember()
	c.closeStdin()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waits {
		askGroup(c.cmd.Process)
	}
}

// how says how the child ended, for people, with the end of what it complained about. Only after exited is closed, or within gone.
func (c *child) how() string {
	s := "exit status 0"
	if c.err != nil {
		s = c.err.Error()
		if _, exit := errors.AsType[*exec.ExitError](c.err); !exit {
			s = "it could not be waited for: " + s
		}
	}
	switch {
	case c.note != "":
		s = c.note
	case c.oom:
		s += fmt.Sprintf(", over its memory limit of %d MiB", c.i.req.Limits.MemoryBytes>>20)
	}
	c.mu.Lock()
	words := strings.TrimSpace(c.tail.String())
	c.mu.Unlock()
	if words != "" {
		s += ": " + words
	}
	return s
}
