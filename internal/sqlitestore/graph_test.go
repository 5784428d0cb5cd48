package sqlitestore

import (
	"testing"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/conformance"
)

// openStore opens a data directory until the test ends.
func openStore(t testing.TB, dir string, opts Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// reopener is a graph that its suite may close and open again.
type reopener struct {
	myriad.Graph
	s *Store
}

func (r reopener) Reopen(t *testing.T) myriad.Graph {
	if err := r.s.Close(); err != nil {
		t.Fatal(err)
	}
	return openStore(t, r.s.Dir(), Options{}).Graph()
}

func TestGraph(t *testing.T) {
	conformance.Graph(t, func(t *testing.T) myriad.Graph {
		s := openStore(t, t.TempDir(), Options{})
		return reopener{s.Graph(), s}
	})
}
