package lifecycle

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/myriad-mind/myriad"
)

// counting counts the packets that are read, and calls during while one is.
type counting struct {
	*fakeStore
	reads  int
	during func()
}

func (c *counting) Packet(ctx context.Context, name string) (myriad.Packet, error) {
	c.reads++
	p, err := c.fakeStore.Packet(ctx, name)
	if c.during != nil {
		c.during()
	}
	return p, err
}

func putInto(t testing.TB, m *memo, a myriad.Agent) {
	t.Helper()
	if _, err := m.PutPacket(t.Context(), myriad.Packet{Agent: a}, myriad.Guard{}); err != nil {
		t.Fatal(err)
	}
}

func recalled(t testing.TB, m *memo, name string) *myriad.Packet {
	t.Helper()
	p, err := m.Recall(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAPacketIsReadOnce(t *testing.T) {
	s := &counting{fakeStore: newFakeStore()}
	m := newMemo(s)
	putInto(t, m, agent("a"))
	for range 3 {
		if p := recalled(t, m, "a"); p.Agent.Name != "a" || p.Revision != 1 {
			t.Errorf("%+v", p)
		}
	}
	if s.reads != 1 {
		t.Errorf("read %d times", s.reads)
	}
	if _, err := m.Recall("nobody"); myriad.ErrorCode(err) != myriad.CodeNotFound {
		t.Error(err)
	}
}

// TestEveryWriteIsRecalled has each way to write a packet be seen by who recalls it next.
func TestEveryWriteIsRecalled(t *testing.T) {
	m := newMemo(newFakeStore())
	putInto(t, m, agent("a"))
	recalled(t, m, "a")
	putInto(t, m, agent("a"))
	if p := recalled(t, m, "a"); p.Revision != 2 {
		t.Errorf("after a write: revision %d", p.Revision)
	}
	if _, err := m.SetKnowledge(t.Context(), "a", myriad.Knowledge{Concept: "a", PrimaryDefinition: "another"}); err != nil {
		t.Fatal(err)
	}
	if p := recalled(t, m, "a"); p.Revision != 3 || p.Agent.Template.Knowledge.PrimaryDefinition != "another" {
		t.Errorf("after a lesson: %+v", p.Agent.Template.Knowledge)
	}
	if _, err := m.DropPacket(t.Context(), "a", myriad.Guard{}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Recall("a"); myriad.ErrorCode(err) != myriad.CodeNotFound {
		t.Errorf("after it was dropped: %v", err)
	}
}

// TestAWriteWhileAPacketIsRead must not leave what was before it.
func TestAWriteWhileAPacketIsRead(t *testing.T) {
	s := &counting{fakeStore: newFakeStore()}
	m := newMemo(s)
	putInto(t, m, agent("a"))
	s.during = func() { s.during = nil; putInto(t, m, agent("a")) }
	recalled(t, m, "a") // either will do
	if p := recalled(t, m, "a"); p.Revision != 2 {
		t.Errorf("revision %d", p.Revision)
	}
}

func TestTheMemoIsBounded(t *testing.T) {
	s := &counting{fakeStore: newFakeStore()}
	m := newMemo(s)
	for n := range 10 * memoPackets {
		name := fmt.Sprint("a", n)
		putInto(t, m, agent(name))
		recalled(t, m, name)
		recalled(t, m, "a0") // who is woken again and again stays
		if held := len(m.young) + len(m.old); held > 2*memoPackets {
			t.Fatalf("%d are remembered", held)
		}
	}
	if want := 10 * memoPackets; s.reads != want {
		t.Errorf("%d reads, not %d", s.reads, want)
	}
	large := agent("large")
	large.Template.Knowledge.PrimaryDefinition = strings.Repeat("x", memoBytes+1)
	putInto(t, m, large)
	for range 2 {
		recalled(t, m, "large")
	}
	if want := 10*memoPackets + 2; s.reads != want {
		t.Errorf("a large packet is remembered")
	}
}

// TestTheMemoAmongWriters has many write and recall at once: in the end everybody recalls what is stored.
func TestTheMemoAmongWriters(t *testing.T) {
	s := newFakeStore()
	m := newMemo(s)
	names := []string{"a", "b", "c"}
	for _, name := range names {
		putInto(t, m, agent(name))
	}
	var all sync.WaitGroup
	for _, name := range names {
		for range 4 {
			all.Go(func() {
				least := int64(0)
				for range 200 {
					p := recalled(t, m, name)
					if p.Revision < least {
						t.Errorf("%s: revision %d after %d", name, p.Revision, least)
					}
					least = p.Revision
				}
			})
		}
		all.Go(func() {
			for range 50 {
				putInto(t, m, agent(name))
				want, _ := s.Packet(t.Context(), name)
				if p := recalled(t, m, name); p.Revision < want.Revision {
					t.Errorf("%s: revision %d is recalled after %d was written", name, p.Revision, want.Revision)
				}
			}
		})
	}
	all.Wait()
	for _, name := range names {
		want, err := s.Packet(t.Context(), name)
		if p := recalled(t, m, name); err != nil || p.Revision != want.Revision {
			t.Errorf("%s: revision %d, not %d", name, p.Revision, want.Revision)
		}
	}
}
