package processrt

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// worker is a child of the mode stdio: it is given one job at a time, a line, and answers with a line.
type worker struct {
	*child

	mu       sync.Mutex
	asked    chan []byte // takes the line that answers the job under way; nil while there is none; guarded by mu
	given    bool        // it was given a job once; guarded by mu
	written  int         // how much of the last job was written; guarded by mu
	answered bool        // it answered one; guarded by mu
	spoiled  error       // why it must not be used again; guarded by mu
}

// Why a worker is not used again.
var (
	errUnasked   = errors.New("the worker wrote a line that nobody asked for")
	errLongLine  = fmt.Errorf("the worker's line is longer than %d bytes", maxAnswer)
	errMute      = errors.New("the worker closed its output")
	errAbandoned = errors.New("the worker's job was given up")
	errDeaf      = errors.New("the worker does not read its input")
)

// read takes the worker's lines until there are no more. A worker that breaks the rules is killed, and what else it writes is dropped.
func (w *worker) read(r io.Reader) {
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := readLine(in)
		if len(line) > 0 && err != errLongLine {
			w.take(line)
		}
		switch {
		case err == errLongLine:
			w.spoil(errLongLine)
		case err != nil:
			w.spoil(errMute)
		case in.Buffered() > 0:
			w.spoil(errUnasked)
		default:
			continue
		}
		_, _ = io.Copy(io.Discard, in) // until it is dead; nobody wants it
		return
	}
}

// readLine reads one line, its end included; the last one may have none.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) > maxAnswer+1 {
			return nil, errLongLine
		}
		if line == nil && err == nil {
			return bytes.Clone(part), nil
		}
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// take hands a line to whoever waits for it. One that was written while all of the job is still in its pipe answers something else: it is a greeting, or
// comes late.
func (w *worker) take(line []byte) {
	w.mu.Lock()
	asked := w.asked
	if w.written > 0 && unread(w.stdin) == w.written {
		asked = nil
	}
	w.asked = nil
	w.answered = w.answered || asked != nil
	w.mu.Unlock()
	if asked == nil {
		w.spoil(errUnasked)
		return
	}
	asked <- line // has room for one
}

// spoil makes sure that the worker is not used again; the first reason is kept.
func (w *worker) spoil(why error) {
	w.mu.Lock()
	first := w.spoiled == nil
	if first {
		w.spoiled = why
	}
	w.mu.Unlock()
	if first {
		w.kill()
	}
}

func (w *worker) reason() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.spoiled
}

// fit says whether the worker may be given a job. A line that waits to be read would pass for the job's answer.
func (w *worker) fit() bool {
	if w.reason() == nil && unread(w.ours[0]) > 0 {
		w.spoil(errUnasked)
	}
	return w.reason() == nil
}

// errUnfit says that a worker was not given the job, so another one can be.
var errUnfit = errors.New("the worker cannot be given a job")

// ask gives the worker a job and waits for its line. When ctx ends first the worker is killed: its late line would answer the next job.
// After an error the worker is spoiled; with errUnfit it never saw the job.
func (w *worker) ask(ctx context.Context, line []byte) ([]byte, error) {
	asked := make(chan []byte, 1)
	w.mu.Lock()
	if w.spoiled != nil {
		w.mu.Unlock()
		return nil, errUnfit
	}
	w.asked, w.given, w.written = asked, true, 0
	w.mu.Unlock()
	unhook := context.AfterFunc(ctx, func() {
		w.spoil(errAbandoned)
		w.closeStdin() // lets go a write that a grandchild holds up
	})
	defer unhook()
	written, err := w.stdin.Write(line)
	w.mu.Lock()
	w.written = written
	w.mu.Unlock()
	if err != nil {
		w.spoil(errDeaf)
	}
	select {
	case answer := <-asked:
		return answer, nil
	case <-w.exited:
	case <-ctx.Done():
		w.spoil(errAbandoned)
		return nil, ctx.Err()
	}
	select {
	case answer := <-asked: // its last word
		return answer, nil
	default:
	}
	if w.unread == written && ctx.Err() == nil {
		return nil, errUnfit // it died with all of the job still in its pipe
	}
	return nil, w.reason()
}

// fate is what became of a worker of which nothing is left.
type fate struct {
	why    error // why it is not used any more
	left   bool  // it ended by itself
	talked bool  // it wrote what nobody asked for
	worked bool  // it answered a job at least
	sawJob bool  // it took a job at least, or may have
}

func (w *worker) fate() fate {
	w.mu.Lock()
	defer w.mu.Unlock()
	return fate{
		why:    w.spoiled,
		left:   errors.Is(w.spoiled, errMute) || errors.Is(w.spoiled, errDeaf),
		talked: errors.Is(w.spoiled, errUnasked),
		worked: w.answered,
		sawJob: w.answered || w.given && w.unread != w.written,
	}
}

// stillborn is what an instance fails of whose workers come to nothing before they take a job.
func (f fate) stillborn(w *worker) error {
	if f.talked {
		return errors.New("its worker wrote a line before it took a job; only answers may go to its standard output")
	}
	return fmt.Errorf("its worker ended before it took a job: %s", w.how())
}

// harmless says that nobody is to blame: the worker left after its work, or was killed for its caller's sake.
func (f fate) harmless(err error) bool {
	return errors.Is(f.why, errAbandoned) || f.left && f.worked && err == nil
}
