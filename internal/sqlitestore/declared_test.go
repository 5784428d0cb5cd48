package sqlitestore

import (
	"fmt"
	"testing"
)

func TestDeclaredAgents(t *testing.T) {
	dir := t.TempDir()
	for _, step := range []struct{ set, want []string }{{nil, nil}, {[]string{"A", "B"}, []string{"A", "B"}}, {[]string{}, []string{}}} {
		s := openStore(t, dir, Options{})
		if step.set != nil {
			if err := s.SetDeclaredAgents(t.Context(), step.set); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openStore(t, dir, Options{})
		got, err := s.DeclaredAgents(t.Context())
		if err != nil || fmt.Sprint(got) != fmt.Sprint(step.want) {
			t.Errorf("kept %v, read %v, %v", step.want, got, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
