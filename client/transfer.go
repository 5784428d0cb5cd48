package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/myriad-mind/myriad"
)

// Portable is a without what only one server knows of it: owner, revision, times, and where an agent with a template is reached while it is
// awake. What is left can be written to a file and to other servers.
func Portable(a myriad.Agent) myriad.Agent {
	a = writable(a)
	if a.Template != nil {
		a.Endpoint = ""
	}
	return a
}

// EachAgent tells fn of every agent, by name. It ends at fn's first error, and returns it as it is.
func (c *Client) EachAgent(ctx context.Context, fn func(myriad.Agent) error) error {
	for page := (myriad.Page{Limit: 1000}); ; {
		agents, next, err := c.Agents(ctx, page)
		if err != nil {
			return err
		}
		for _, a := range agents {
			if err := fn(a); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		page.Cursor = next
	}
}

// ImportOptions say how Import goes about agents that are there already.
type ImportOptions struct {
	Replace  bool // write over agents of the same name that are different
	Parallel int  // requests under way at once; 8 when 0
}

// Imported counts what Import did.
type Imported struct {
	Created, Replaced, Unchanged int
}

// Import brings agents to the server: those that it lacks are created, those that it has just so are left alone, so that importing twice is
// as good as once. An agent that is there and different is a mistake unless opts say to replace it. First all agents are judged and looked
// up, and any mistake leaves the server as it was; only then are they written. The error has every mistake, at agents[i]; what the count
// says was done is done.
func (c *Client) Import(ctx context.Context, agents []myriad.Agent, opts ImportOptions) (Imported, error) {
	orDefault(&opts.Parallel, 8)
	t := &transfer{client: c, replace: opts.Replace, agents: make([]myriad.Agent, len(agents)), found: make([]finding, len(agents))}
	for i, a := range agents {
		t.check(i, a)
	}
	for _, step := range []func(context.Context, int) error{t.lookUp, t.write} {
		if err := t.mistaken(); err != nil {
			return t.done(), err
		}
		if err := inParallel(ctx, len(agents), opts.Parallel, step); err != nil {
			return t.done(), err
		}
	}
	return t.done(), t.mistaken()
}

// transfer is one Import.
type transfer struct {
	client  *Client
	replace bool
	agents  []myriad.Agent // in the form in which servers keep them
	found   []finding      // each is its worker's alone

	mu       sync.Mutex // guards mistakes and code
	mistakes []placed
	code     myriad.Code // of the first mistake

	created, replaced, unchanged atomic.Int64
}

// finding is what the server has under an agent's name.
type finding struct {
	same     bool
	revision int64 // 0: nothing
}

// placed is a mistake with the agent that it belongs to, by which they are put in order.
type placed struct {
	agent int
	myriad.Mistake
}

func (t *transfer) done() Imported {
	return Imported{Created: int(t.created.Load()), Replaced: int(t.replaced.Load()), Unchanged: int(t.unchanged.Load())}
}

func (t *transfer) wrong(i int, code myriad.Code, path, rule string) {
	at := fmt.Sprintf("agents[%d]", i)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.code == "" {
		t.code = code
	}
	t.mistakes = append(t.mistakes, placed{i, myriad.Mistake{Path: strings.TrimSuffix(at+"."+path, "."), Rule: rule}})
}

// mistaken is the error of all mistakes so far, in the order of the agents.
func (t *transfer) mistaken() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.SortStableFunc(t.mistakes, func(a, b placed) int { return a.agent - b.agent })
	mistakes := make([]myriad.Mistake, len(t.mistakes))
	for i, m := range t.mistakes {
		mistakes[i] = m.Mistake
	}
	err := myriad.Invalid(mistakes)
	if e, ok := errors.AsType[*myriad.Error](err); ok {
		e.Code = t.code
	}
	return err
}

func (t *transfer) check(i int, a myriad.Agent) {
	kept, rules := myriad.CheckAgent(Portable(a))
	for _, m := range rules {
		t.wrong(i, myriad.CodeInvalid, m.Path, m.Rule)
	}
	t.agents[i] = kept
}

// lookUp finds out what the server has.
func (t *transfer) lookUp(ctx context.Context, i int) error {
	there, err := t.client.Agent(ctx, t.agents[i].Name)
	if myriad.ErrorCode(err) == myriad.CodeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	t.found[i] = finding{same: same(there, t.agents[i]), revision: there.Revision}
	switch {
	case t.found[i].same:
	case there.Owner == myriad.OwnerFile:
		t.wrong(i, myriad.CodeConflict, "", there.Name+" belongs to the server's agents file and is different there")
	case !t.replace:
		t.wrong(i, myriad.CodeConflict, "", there.Name+" is there already and is different; ask to replace it (--replace, ImportOptions.Replace) if that is meant")
	}
	return nil
}

// same compares what is portable of two agents.
func same(there, a myriad.Agent) bool {
	there, _ = myriad.CheckAgent(Portable(there))
	x, errX := json.Marshal(there)
	y, errY := json.Marshal(a)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// write makes the server have the agent. What is wrong with this agent alone does not keep the others from being written.
func (t *transfer) write(ctx context.Context, i int) error {
	a, found := t.agents[i], t.found[i]
	var err error
	count := &t.created
	switch {
	case found.same:
		count = &t.unchanged
	case found.revision > 0:
		count = &t.replaced
		_, err = t.client.PutAgent(ctx, a, WithRevision(found.revision))
	default:
		_, err = t.client.CreateAgent(ctx, a)
	}
	switch code := myriad.ErrorCode(err); code {
	case "":
		count.Add(1)
		return nil
	case myriad.CodeInvalid, myriad.CodeForbidden, myriad.CodeConflict, myriad.CodePrecondition, myriad.CodeTooLarge:
		t.refused(i, err)
		return nil
	}
	return err
}

func (t *transfer) refused(i int, err error) {
	e, ok := errors.AsType[*myriad.Error](err)
	if !ok || len(e.Mistakes) == 0 {
		t.wrong(i, myriad.ErrorCode(err), "", err.Error())
		return
	}
	for _, m := range e.Mistakes {
		t.wrong(i, e.Code, m.Path, m.Rule)
	}
}

// inParallel calls f for 0 to n-1, so many at once, until one fails or ctx ends.
func inParallel(ctx context.Context, n, workers int, f func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(n, workers) {
		all.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := f(ctx, i); err != nil {
					cancel(err) // the first one counts
				}
			}
		})
	}
	all.Wait()
	err := context.Cause(ctx)
	if errors.Is(err, context.Canceled) && myriad.ErrorCode(err) == myriad.CodeInternal { // the caller's ctx ended, not f
		return myriad.Errorf(myriad.CodeCancelled, "import agents: %w", err)
	}
	return err
}
