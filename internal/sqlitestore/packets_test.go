package sqlitestore

import (
	"database/sql"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// testPacket is a packet of knowledge.
func testPacket(name string) myriad.Packet {
	return myriad.Packet{Agent: myriad.Agent{
		Name: name, Concepts: []string{"The " + name}, Owner: myriad.OwnerFleet, Capabilities: []string{"fact_retrieval"}, Labels: map[string]string{"k": "<v>"},
		Template: &myriad.Template{
			Kind: myriad.TemplateKnowledge, ID: "factbase_basic",
			Knowledge: &myriad.Knowledge{Concept: "the " + name, PrimaryDefinition: "what " + name + " is", ConfidenceScore: .8},
		},
	}}
}

func putPacket(t testing.TB, s *Store, p myriad.Packet) myriad.Packet {
	t.Helper()
	stored, err := s.PutPacket(t.Context(), p, myriad.Guard{})
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func reopen(t *testing.T, s *Store) *Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return openStore(t, s.Dir(), Options{})
}

func wantCode(t *testing.T, what string, err error, code myriad.Code) {
	t.Helper()
	if got := myriad.ErrorCode(err); got != code {
		t.Errorf("%s: want code %q, got %q (%v)", what, code, got, err)
	}
}

func TestPutPacket(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	before := time.Now().Add(-time.Second)
	first := putPacket(t, s, testPacket("p"))
	if first.Revision != 1 || first.Created.Before(before) || !first.Updated.Equal(first.Created) || !first.Agent.Dormant ||
		first.Agent.Type != myriad.AgentDynamic || first.Agent.Revision != 1 || first.Agent.Template.Knowledge.Concept != "the_p" {
		t.Errorf("first write: %+v", first)
	}
	again := first
	again.Revision, again.Created, again.Agent.Revision = 77, time.Time{}, 78 // none is the caller's to set
	second := putPacket(t, s, again)
	if second.Revision != 2 || !second.Created.Equal(first.Created) || second.Updated.Before(first.Updated) {
		t.Errorf("second write: %+v", second)
	}
	s = reopen(t, s)
	read, err := s.Packet(t.Context(), "p")
	if err != nil || !reflect.DeepEqual(read, second) {
		t.Errorf("read  %+v, %v\nwrote %+v", read, err, second)
	}
	_, err = s.Packet(t.Context(), "q")
	wantCode(t, "a packet that is not there", err, myriad.CodeNotFound)
}

func TestPutPacketInvalid(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	live, bare, nameless := testPacket("p"), testPacket("p"), testPacket("")
	live.Agent.Endpoint = "http://127.0.0.1:9/query"
	bare.Agent.Template = nil
	for what, p := range map[string]myriad.Packet{"with an endpoint": live, "without a template": bare, "without a name": nameless} {
		_, err := s.PutPacket(t.Context(), p, myriad.Guard{})
		wantCode(t, what, err, myriad.CodeInvalid)
		err = s.ImportPackets(t.Context(), []myriad.Packet{testPacket("good"), p}, ImportOptions{Graph: true})
		wantCode(t, "imported "+what, err, myriad.CodeInvalid)
	}
	if all, _, err := s.Packets(t.Context(), myriad.Page{}); err != nil || len(all) != 0 {
		t.Errorf("left behind: %v, %v", all, err)
	}
}

func TestPacketGuards(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	try := func(what string, g myriad.Guard, want myriad.Code) {
		t.Helper()
		_, err := s.PutPacket(t.Context(), testPacket("p"), g)
		wantCode(t, "put: "+what, err, want)
	}
	drop := func(what string, g myriad.Guard, want myriad.Code) {
		t.Helper()
		_, err := s.DropPacket(t.Context(), "p", g)
		wantCode(t, "drop: "+what, err, want)
	}
	try("a revision of nothing", myriad.Guard{Revision: 1}, myriad.CodePrecondition)
	drop("nothing", myriad.Guard{}, myriad.CodeNotFound)
	try("must not exist", myriad.Guard{MustNotExist: true}, "")
	try("must not exist, but does", myriad.Guard{MustNotExist: true}, myriad.CodeConflict)
	try("another owner", myriad.Guard{Owner: myriad.OwnerFile}, myriad.CodeConflict)
	try("another revision", myriad.Guard{Revision: 2}, myriad.CodePrecondition)
	drop("another owner", myriad.Guard{Owner: myriad.OwnerFile}, myriad.CodeConflict)
	drop("another revision", myriad.Guard{Revision: 2}, myriad.CodePrecondition)
	err := s.ImportPackets(t.Context(), []myriad.Packet{testPacket("new"), testPacket("p")}, ImportOptions{Guard: myriad.Guard{MustNotExist: true}})
	wantCode(t, "imported: must not exist", err, myriad.CodeConflict)
	if _, err := s.Packet(t.Context(), "new"); myriad.ErrorCode(err) != myriad.CodeNotFound {
		t.Errorf("a refused import leaves nothing: %v", err)
	}
	if p, err := s.Packet(t.Context(), "p"); err != nil || p.Revision != 1 {
		t.Errorf("a refused write changes nothing: %+v, %v", p, err)
	}
	try("the right ones", myriad.Guard{Revision: 1, Owner: myriad.OwnerFleet}, "")
	drop("the right ones", myriad.Guard{Revision: 2, Owner: myriad.OwnerFleet, MustNotExist: true}, "")
	try("a revision of what was dropped", myriad.Guard{Revision: 3}, myriad.CodePrecondition)
	try("must not exist after drop", myriad.Guard{MustNotExist: true}, "")
}

// TestPacketSync goes through the life of a packet as the one that keeps the graph in step sees it.
func TestPacketSync(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	unsynced := func() (all string) {
		t.Helper()
		changes, err := s.UnsyncedPackets(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			all += fmt.Sprintf(" %s@%d", c.Packet.Agent.Name, c.Packet.Revision)
			if c.Deleted {
				all += "!"
			}
		}
		return all
	}
	want := func(when, what string) {
		t.Helper()
		if got := unsynced(); got != what {
			t.Errorf("%s: unsynced%s, want%s", when, got, what)
		}
	}
	sync := func(name string, revision int64) {
		t.Helper()
		if err := s.PacketSynced(t.Context(), name, revision); err != nil {
			t.Fatal(err)
		}
	}
	gone := func(name string) {
		t.Helper()
		if err := s.PacketGone(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	putPacket(t, s, testPacket("p"))
	want("new", " p@1")
	sync("p", 2)
	want("another revision", " p@1")
	sync("p", 1)
	want("synced", "")
	putPacket(t, s, testPacket("p"))
	sync("p", 1)
	want("it has moved on", " p@2")
	gone("p")
	want("it was not dropped", " p@2")
	if was, err := s.DropPacket(t.Context(), "p", myriad.Guard{}); err != nil || was.Revision != 2 {
		t.Errorf("dropped %+v, %v", was, err)
	}
	want("dropped", " p@3!")
	s = reopen(t, s)
	sync("p", 3)
	want("dropped is not synced by that", " p@3!")
	_, err := s.Packet(t.Context(), "p")
	wantCode(t, "dropped", err, myriad.CodeNotFound)
	_, err = s.SetKnowledge(t.Context(), "p", myriad.Knowledge{Concept: "x"})
	wantCode(t, "knowledge of what was dropped", err, myriad.CodeNotFound)
	if all, _, err := s.Packets(t.Context(), myriad.Page{}); err != nil || len(all) != 0 {
		t.Errorf("dropped, yet listed: %+v, %v", all, err)
	}
	if p := putPacket(t, s, testPacket("p")); p.Revision != 4 || !p.Created.Equal(p.Updated) {
		t.Errorf("made anew: %+v", p)
	}
	gone("p")
	want("made anew", " p@4")
	if _, err := s.DropPacket(t.Context(), "p", myriad.Guard{}); err != nil {
		t.Fatal(err)
	}
	gone("p")
	want("gone", "")
	if p := putPacket(t, s, testPacket("p")); p.Revision != 1 {
		t.Errorf("nothing of it was left: %+v", p)
	}
	if none, err := s.UnsyncedPackets(t.Context(), 0); err != nil || none != nil {
		t.Errorf("no limit: %v, %v", none, err)
	}
}

func TestUnsyncedPacketsWalkAnIndex(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	for _, q := range []struct{ text, want string }{
		{unsyncedSQL, "USING INDEX packets_unsynced"},
		{researchersSQL, "USING INDEX nodes_researchers"},
	} {
		plan, err := collect(t.Context(), s.reader, func(rows *sql.Rows) (string, error) {
			var id, parent, x int
			var detail string
			err := rows.Scan(&id, &parent, &x, &detail)
			return detail, err
		}, `EXPLAIN QUERY PLAN `+q.text, 10)
		if all := strings.Join(plan, "; "); err != nil || !strings.Contains(all, q.want) || strings.Contains(all, "TEMP B-TREE") {
			t.Errorf("%s: %s, %v", q.want, all, err)
		}
	}
}

func TestCountGrown(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	want := func(when string, n int64) {
		t.Helper()
		if got, err := s.CountGrown(t.Context()); err != nil || got != n {
			t.Errorf("%s: %d grown, want %d (%v)", when, got, n, err)
		}
	}
	want("empty", 0)
	putPacket(t, s, testPacket("a"))
	putPacket(t, s, testPacket("a"))
	putPacket(t, s, testPacket("b"))
	theirs := testPacket("c")
	theirs.Agent.Owner = myriad.OwnerAPI
	putPacket(t, s, theirs)
	want("two of three", 2)
	taken := testPacket("b")
	taken.Agent.Owner = myriad.OwnerAPI
	putPacket(t, s, taken)
	want("one changed hands", 1)
	for _, name := range []string{"a", "b"} {
		if _, err := s.DropPacket(t.Context(), name, myriad.Guard{}); err != nil {
			t.Fatal(err)
		}
	}
	want("dropped", 0)
	putPacket(t, s, testPacket("b"))
	want("made anew by the fleet", 1)
	for _, name := range []string{"a", "b"} {
		if err := s.PacketGone(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	want("gone", 1)
	if err := s.ImportPackets(t.Context(), []myriad.Packet{testPacket("d"), testPacket("b"), testPacket("e")}, ImportOptions{Graph: true}); err != nil {
		t.Fatal(err)
	}
	want("imported", 3)
	s = reopen(t, s)
	want("opened again", 3)
}

func TestPacketsPages(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	var names []string
	for i := range 23 {
		name := fmt.Sprintf("p-%03d", (i*7)%23)
		names = append(names, name)
		putPacket(t, s, testPacket(name))
	}
	slices.Sort(names)
	for _, n := range []int{1, 5, 22, 23, 1000} {
		var got []string
		for page := (myriad.Page{Limit: n}); ; {
			packets, next, err := s.Packets(t.Context(), page)
			if err != nil || len(packets) > n {
				t.Fatalf("%d packets, %v", len(packets), err)
			}
			for _, p := range packets {
				got = append(got, p.Agent.Name)
			}
			if page.Cursor = next; next == "" {
				break
			}
		}
		if !slices.Equal(got, names) {
			t.Errorf("pages of %d: %q", n, got)
		}
	}
	_, _, err := s.Packets(t.Context(), myriad.Page{Limit: -1})
	wantCode(t, "a bad page", err, myriad.CodeInvalid)
}

func TestSetKnowledge(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	putPacket(t, s, testPacket("p"))
	if err := s.PacketSynced(t.Context(), "p", 1); err != nil {
		t.Fatal(err)
	}
	k := myriad.Knowledge{Concept: "The P", PrimaryDefinition: "new", ConfidenceScore: 1, Learned: map[string]myriad.Learn{"fact": {Content: "c", Confidence: .5}}}
	p, err := s.SetKnowledge(t.Context(), "p", k)
	if err != nil || p.Revision != 2 || p.Agent.Template.Knowledge.Learned["fact"].Content != "c" || p.Agent.Template.ID != "factbase_basic" {
		t.Errorf("%+v, %v", p, err)
	}
	s = reopen(t, s)
	if read, err := s.Packet(t.Context(), "p"); err != nil || !reflect.DeepEqual(read, p) {
		t.Errorf("read  %+v, %v\nwrote %+v", read, err, p)
	}
	if changes, err := s.UnsyncedPackets(t.Context(), 5); err != nil || len(changes) != 1 {
		t.Errorf("the graph is not told: %v, %v", changes, err)
	}
	k.ConfidenceScore = 2
	_, err = s.SetKnowledge(t.Context(), "p", k)
	wantCode(t, "a bad score", err, myriad.CodeInvalid)
	script := testPacket("script")
	script.Agent.Template = &myriad.Template{Kind: myriad.TemplateCommand, Command: []string{"cat"}}
	putPacket(t, s, script)
	k.ConfidenceScore = 1
	_, err = s.SetKnowledge(t.Context(), "script", k)
	wantCode(t, "a script", err, myriad.CodeInvalid)
	_, err = s.SetKnowledge(t.Context(), "nobody", k)
	wantCode(t, "nobody", err, myriad.CodeNotFound)
}

func TestImportPacketsIntoTheGraph(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	g := s.Graph()
	if _, err := g.PutAgent(t.Context(), myriad.Agent{Name: "p1", Endpoint: "http://h/", Concepts: []string{"old"}}, myriad.Guard{}); err != nil {
		t.Fatal(err)
	}
	for _, guard := range []myriad.Guard{{MustNotExist: true}, {Owner: myriad.OwnerFleet}} {
		err := s.ImportPackets(t.Context(), []myriad.Packet{testPacket("p1")}, ImportOptions{Graph: true, Guard: guard})
		wantCode(t, "an agent without a packet", err, myriad.CodeConflict)
	}
	if err := s.ImportPackets(t.Context(), []myriad.Packet{testPacket("p1"), testPacket("p2")}, ImportOptions{Graph: true}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"p1", "p2"} {
		h, err := g.Handlers(t.Context(), "the_"+name)
		if err != nil || len(h.Exact) != 1 || !h.Exact[0].Agent.Dormant || h.Exact[0].Agent.Template.Knowledge.PrimaryDefinition != "what "+name+" is" {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
	}
	if h, err := g.Handlers(t.Context(), "old"); err != nil || len(h.Exact) != 0 {
		t.Errorf("the node became the packet's: %+v, %v", h, err)
	}
	if changes, err := s.UnsyncedPackets(t.Context(), 5); err != nil || len(changes) != 0 {
		t.Errorf("in sync at once: %v, %v", changes, err)
	}
	if err := s.ImportPackets(t.Context(), []myriad.Packet{testPacket("p2"), testPacket("p3")}, ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	if changes, err := s.UnsyncedPackets(t.Context(), 5); err != nil || len(changes) != 2 || changes[0].Packet.Revision != 2 {
		t.Errorf("to be synced: %v, %v", changes, err)
	}
}

func TestOneMakesThePacket(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	codes := map[myriad.Code]int{}
	for range 8 {
		wg.Go(func() {
			_, err := s.PutPacket(t.Context(), testPacket("p"), myriad.Guard{MustNotExist: true})
			mu.Lock()
			defer mu.Unlock()
			codes[myriad.ErrorCode(err)]++
		})
	}
	wg.Wait()
	if codes[""] != 1 || codes[myriad.CodeConflict] != 7 {
		t.Errorf("one of eight makes it: %v", codes)
	}
}
