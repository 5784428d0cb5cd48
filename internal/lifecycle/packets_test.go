package lifecycle

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-mind/myriad"
)

func TestPutAgent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick).begin()
		defer r.close()
		ctx := context.Background()
		a, err := r.PutAgent(ctx, agent("a"), myriad.Guard{MustNotExist: true})
		if err != nil || a.Revision != 1 || !a.Dormant || a.Endpoint != "" || a.CreatedAt.IsZero() {
			t.Fatalf("%+v, %v", a, err)
		}
		plain := myriad.Agent{Name: "plain", Concepts: []string{"c"}, Endpoint: "http://127.0.0.1:7/q", Owner: myriad.OwnerFile}
		if p, err := r.PutAgent(ctx, plain, myriad.Guard{}); err != nil || p.Revision != 1 {
			t.Fatalf("%+v, %v", p, err)
		}
		try := func(what string, a myriad.Agent, g myriad.Guard, want myriad.Code) {
			t.Helper()
			_, err := r.PutAgent(ctx, a, g)
			wantCode(t, what, err, want)
		}
		try("a packet that is there", agent("a"), myriad.Guard{MustNotExist: true}, myriad.CodeConflict)
		try("a packet under the name of an agent", agent("plain"), myriad.Guard{MustNotExist: true}, myriad.CodeConflict)
		try("of another owner", agent("plain"), myriad.Guard{Owner: myriad.OwnerAPI}, myriad.CodeConflict)
		try("at another revision", agent("plain"), myriad.Guard{Revision: 7}, myriad.CodePrecondition)
		try("at another revision, a packet", agent("a"), myriad.Guard{Revision: 7}, myriad.CodePrecondition)
		try("at a revision of nothing", agent("nothing"), myriad.Guard{Revision: 1}, myriad.CodePrecondition)
		reachable := myriad.Agent{Name: "a", Concepts: []string{"c"}, Endpoint: "http://127.0.0.1:7/q"}
		try("an agent under the name of a packet", reachable, myriad.Guard{MustNotExist: true}, myriad.CodeConflict)
		try("without a name", agent(""), myriad.Guard{}, myriad.CodeInvalid)
		if s := r.store.rows(); s != `a "" deleted=false unsynced=false; ` {
			t.Errorf("refusals left %s", s)
		}
		try("at its revision", agent("plain"), myriad.Guard{Revision: 1, Owner: myriad.OwnerFile}, "")
		try("at its revision, a packet", agent("a"), myriad.Guard{Revision: 1, Owner: myriad.OwnerAPI}, "")
		grown := agent("grown")
		grown.Owner = myriad.OwnerFleet
		try("a grown one", grown, myriad.Guard{MustNotExist: true}, "")
		try("which clients may write", agent("grown"), myriad.Guard{Owner: myriad.OwnerAPI}, "")
	})
}

// The graph has the last word on an agent that is no packet: the row is put back.
func TestGraphRefusesTheCard(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick).begin()
		defer r.close()
		ctx := context.Background()
		r.packets("there")
		r.use("there")
		r.graph.set(false, func(op, _ string) error {
			if op == "graph.PutAgent" {
				return myriad.Errorf(myriad.CodeConflict, "somebody was quicker")
			}
			return nil
		})
		_, err := r.PutAgent(ctx, agent("new"), myriad.Guard{MustNotExist: true})
		wantCode(t, "a new one", err, myriad.CodeConflict)
		changed := agent("there")
		changed.Description = "changed"
		_, err = r.PutAgent(ctx, changed, myriad.Guard{})
		wantCode(t, "a change", err, myriad.CodeConflict)
		r.graph.set(false, nil)
		r.syncSoon()
		time.Sleep(time.Minute / 2)
		if s := r.store.rows(); s != `there "" deleted=false unsynced=false; ` {
			t.Errorf("the store holds %s", s)
		}
		if r.Awake("there") == nil {
			t.Error("stopped for a change that was refused")
		}
	})
}

// A new revision takes the place of the old one: what serves ends, what starts or waits begins anew, with its askers.
func TestNewRevision(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick)
		revisions := map[string][]int64{}
		r.rt.conduct = func(req myriad.StartRequest) conduct {
			name := req.Packet.Agent.Name
			revisions[name] = append(revisions[name], req.Packet.Revision)
			return conduct{readyAfter: time.Second}
		}
		r.begin()
		defer r.close()
		ctx := context.Background()
		put := func(name, description string) {
			t.Helper()
			a := agent(name)
			a.Description = description
			if _, err := r.PutAgent(ctx, a, myriad.Guard{}); err != nil {
				t.Fatal(err)
			}
		}
		put("a", "1")
		r.use("a")
		put("a", "1") // the same again
		if r.Awake("a") == nil {
			t.Error("stopped for nothing")
		}
		put("a", "2")
		if r.Awake("a") != nil {
			t.Error("still in routing")
		}
		answer := r.ask(ctx, wakeOf("a"))
		time.Sleep(500 * time.Millisecond)
		put("a", "3")
		w := <-answer
		if w.Err != nil || w.Agent.Description != "3" {
			t.Errorf("%+v", w)
		}
		w.Release()
		wantSame(t, "started", revisions["a"], []int64{1, 3, 4})
		put("b", "1")
		put("c", "1")
		a, b := r.wake("a"), r.wake("b")
		waits := r.ask(ctx, wakeOf("c"))
		time.Sleep(time.Second)
		put("c", "2")
		a.Release()
		b.Release()
		if w := <-waits; w.Err != nil || w.Agent.Description != "2" {
			t.Errorf("%+v", w)
		} else {
			w.Release()
		}
		wantSame(t, "started once, from what was written last", revisions["c"], []int64{2})
	})
}

// A failed agent whose packet is mended does not cool down.
func TestMendedPacket(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick)
		r.rt.conduct = func(req myriad.StartRequest) conduct { return conduct{neverReady: req.Packet.Revision == 1} }
		r.begin()
		defer r.close()
		r.packets("a")
		wantCode(t, "broken", (<-r.ask(context.Background(), wakeOf("a"))).Err, myriad.TaskErrStart)
		a := agent("a")
		a.Description = "mended"
		if _, err := r.PutAgent(context.Background(), a, myriad.Guard{}); err != nil {
			t.Fatal(err)
		}
		r.use("a")
	})
}

func TestDeleteAgent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick)
		r.rt.conduct = func(req myriad.StartRequest) conduct { return conduct{readyAfter: time.Second} }
		r.begin()
		defer r.close()
		ctx := context.Background()
		r.packets("ready", "starting", "waits", "again")
		pinned := r.wake("ready")
		starting := r.ask(ctx, wakeOf("starting"))
		synctest.Wait()
		waits := r.ask(ctx, wakeOf("waits"))
		synctest.Wait()
		for _, name := range []string{"waits", "starting", "ready"} {
			if _, err := r.DeleteAgent(ctx, name, myriad.Guard{Revision: 9}); myriad.ErrorCode(err) != myriad.CodePrecondition {
				t.Errorf("guarded: %v", err)
			}
			was, err := r.DeleteAgent(ctx, name, myriad.Guard{Owner: myriad.OwnerAPI})
			if err != nil || was.Name != name {
				t.Errorf("%+v, %v", was, err)
			}
		}
		wantCode(t, "who waited for the start", (<-starting).Err, myriad.CodeNotFound)
		wantCode(t, "who waited for room", (<-waits).Err, myriad.CodeNotFound)
		synctest.Wait()
		if r.Awake("ready") != nil || r.rt.living() != 0 {
			t.Errorf("%d alive", r.rt.living())
		}
		pinned.Release()
		_, err := r.DeleteAgent(ctx, "ready", myriad.Guard{})
		wantCode(t, "again", err, myriad.CodeNotFound)
		wantCode(t, "woken", (<-r.ask(ctx, wakeOf("ready"))).Err, myriad.CodeNotFound)
		if s := r.store.rows() + r.graph.shows(); s != `again "" deleted=false unsynced=false; again "" packet=true dormant=true at=; ` {
			t.Errorf("left: %s", s)
		}
		wantSame(t, "left in the queue", r.store.queuedAgents(), nil)
	})
}

// An agent with an endpoint of its own takes the place of a packet, whose instance goes.
func TestUnpack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick).begin()
		defer r.close()
		ctx := context.Background()
		r.packets("a")
		r.use("a")
		plain := myriad.Agent{Name: "a", Concepts: []string{"c"}, Endpoint: "http://127.0.0.1:7/q", Owner: myriad.OwnerAPI}
		if _, err := r.PutAgent(ctx, plain, myriad.Guard{Revision: 9}); myriad.ErrorCode(err) != myriad.CodePrecondition {
			t.Errorf("guarded: %v", err)
		}
		r.graph.set(true, nil)
		if _, err := r.PutAgent(ctx, plain, myriad.Guard{}); myriad.ErrorCode(err) != myriad.CodeUnavailable {
			t.Errorf("without the graph: %v", err)
		}
		r.graph.set(false, nil)
		if r.Awake("a") == nil {
			t.Fatal("stopped although it stays a packet")
		}
		if _, err := r.PutAgent(ctx, plain, myriad.Guard{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if r.rt.living() != 0 || r.store.rows() != "" {
			t.Errorf("%d alive, rows %s", r.rt.living(), r.store.rows())
		}
		if got, err := r.Agent(ctx, "a"); err != nil || got.Endpoint != plain.Endpoint || got.Template != nil {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestReplies(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick).begin()
		defer r.close()
		ctx := context.Background()
		r.packets("awake", "asleep")
		if _, err := r.PutAgent(ctx, myriad.Agent{Name: "plain", Concepts: []string{"c"}, Endpoint: "http://127.0.0.1:7/q"}, myriad.Guard{}); err != nil {
			t.Fatal(err)
		}
		r.use("awake")
		list, next, err := r.Agents(ctx, myriad.Page{})
		if err != nil || next != "" || len(list) != 3 {
			t.Fatalf("%+v, %q, %v", list, next, err)
		}
		for _, a := range list {
			one, err := r.Agent(ctx, a.Name)
			if err != nil || fmt.Sprint(one) != fmt.Sprint(a) {
				t.Errorf("listed %+v\nread   %+v, %v", a, one, err)
			}
			if awake := a.Name == "awake"; a.Template != nil && (awake != (a.Endpoint != "") || awake == a.Dormant) {
				t.Errorf("%+v", a)
			}
		}
		// What was read can be written back.
		awake, _ := r.Agent(ctx, "awake")
		if again, err := r.PutAgent(ctx, awake, myriad.Guard{Revision: awake.Revision}); err != nil || again.Revision != 2 || r.Awake("awake") == nil {
			t.Errorf("%+v, %v", again, err)
		}
		if _, err := r.Agent(ctx, "nobody"); myriad.ErrorCode(err) != myriad.CodeNotFound {
			t.Error(err)
		}
	})
}

// Writers of one agent do not meet: the card in the end is that of the row.
func TestWritersTakeTurns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, quick).begin()
		defer r.close()
		var all sync.WaitGroup
		for n := range 20 {
			all.Go(func() {
				for range 10 {
					a := agent("a")
					a.Description = fmt.Sprint(n)
					if n%5 == 0 {
						_, _ = r.DeleteAgent(context.Background(), "a", myriad.Guard{})
					} else if _, err := r.PutAgent(context.Background(), a, myriad.Guard{}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		time.Sleep(time.Minute)
		r.store.mu.Lock()
		defer r.store.mu.Unlock()
		r.graph.mu.Lock()
		defer r.graph.mu.Unlock()
		row, shown := r.store.packets["a"], r.graph.agents["a"]
		if row.unsynced || row.packet.Agent.Description != shown.Description || row.deleted {
			t.Errorf("row %+v, card %+v", row, shown)
		}
		if len(r.turns.held) != 0 {
			t.Errorf("turns are held: %v", r.turns.held)
		}
	})
}
