package sqlitestore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

func TestQueueOrder(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	at := time.Now().Add(-time.Minute)
	entries := []myriad.QueueEntry{ // in the order of the queue
		{ID: "z", Kind: myriad.QueueWake, Agent: "a1", Priority: 9, QueuedAt: at.Add(3)},
		{ID: "y", Kind: myriad.QueueGrow, Concept: "c1", Agent: "C1_AI", Intent: "define", Priority: 5, QueuedAt: at},
		{ID: "a", Kind: myriad.QueueWake, Agent: "a2", Priority: 5, QueuedAt: at.Add(1)},
		{ID: "b", Kind: myriad.QueueWake, Agent: "a3", Priority: 5, QueuedAt: at.Add(1)},
		{ID: "c", Kind: myriad.QueueGrow, Concept: "c2", QueuedAt: at.Add(-time.Hour)},
	}
	for _, i := range rand.Perm(len(entries)) {
		if err := s.Enqueue(t.Context(), entries[i]); err != nil {
			t.Fatal(err)
		}
	}
	s = reopen(t, s)
	queue, err := s.Queue(t.Context())
	if err != nil || len(queue) != len(entries) {
		t.Fatalf("%+v, %v", queue, err)
	}
	for i, e := range queue {
		want := entries[i]
		if e.Position != i+1 || e.AgeMS < 60_000 || !e.QueuedAt.Equal(want.QueuedAt) {
			t.Errorf("entry %d: %+v", i, e)
		}
		if e.Position, e.AgeMS, e.QueuedAt = 0, 0, want.QueuedAt; e != want {
			t.Errorf("entry %d: %+v, want %+v", i, e, want)
		}
	}
}

func TestQueueHoldsOneOfEach(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	at := time.Now()
	try := func(e myriad.QueueEntry, want myriad.Code) {
		t.Helper()
		e.QueuedAt = at
		wantCode(t, fmt.Sprintf("%+v", e), s.Enqueue(t.Context(), e), want)
	}
	try(myriad.QueueEntry{ID: "1", Kind: myriad.QueueWake, Agent: "a", Concept: "c"}, "")
	try(myriad.QueueEntry{ID: "2", Kind: myriad.QueueWake, Agent: "a", Concept: "d"}, myriad.CodeConflict)
	try(myriad.QueueEntry{ID: "2", Kind: myriad.QueueWake, Agent: "b", Concept: "c"}, "")
	try(myriad.QueueEntry{ID: "3", Kind: myriad.QueueGrow, Agent: "a", Concept: "c"}, "")
	try(myriad.QueueEntry{ID: "4", Kind: myriad.QueueGrow, Agent: "e", Concept: "c"}, myriad.CodeConflict)
	try(myriad.QueueEntry{ID: "3", Kind: myriad.QueueGrow, Concept: "d"}, myriad.CodeConflict)
	try(myriad.QueueEntry{Kind: myriad.QueueGrow, Concept: "d"}, myriad.CodeInvalid)
	try(myriad.QueueEntry{ID: "5", Kind: "other", Concept: "d", Agent: "a"}, myriad.CodeInvalid)
	try(myriad.QueueEntry{ID: "5", Kind: myriad.QueueWake, Concept: "d"}, myriad.CodeInvalid)
	try(myriad.QueueEntry{ID: "5", Kind: myriad.QueueGrow, Agent: "a"}, myriad.CodeInvalid)
	for _, id := range []string{"1", "1", "never"} { // harmless when absent
		if err := s.Dequeue(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	try(myriad.QueueEntry{ID: "6", Kind: myriad.QueueWake, Agent: "a"}, "")
	queue, err := s.Queue(t.Context())
	var ids []string
	for _, e := range queue {
		ids = append(ids, e.ID)
	}
	if err != nil || !slices.Equal(ids, []string{"2", "3", "6"}) {
		t.Errorf("%q, %v", ids, err)
	}
}

func TestInstances(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	at := time.Unix(1_700_000_000, 123_456_789).UTC()
	records := []myriad.InstanceRecord{
		{ID: "a", Agent: "x", Runtime: "process", Revision: 3, StartedAt: at},
		{ID: "b", Agent: "x", Runtime: "docker", Revision: 4},
	}
	for _, r := range []myriad.InstanceRecord{records[1], {ID: "a", Agent: "old"}, records[0], {ID: "c"}} {
		if err := s.PutInstance(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := s.DropInstance(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, "no id", s.PutInstance(t.Context(), myriad.InstanceRecord{}), myriad.CodeInvalid)
	s = reopen(t, s)
	if got, err := s.Instances(t.Context()); err != nil || !slices.Equal(got, records) {
		t.Errorf("%+v, %v", got, err)
	}
}
