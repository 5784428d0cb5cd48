package sqlitestore

import (
	"maps"
	"testing"
)

func TestDeclaredAgents(t *testing.T) {
	dir := t.TempDir()
	for _, step := range []struct{ set, want map[string]string }{
		{nil, nil}, {map[string]string{"A": "1", "B": ""}, map[string]string{"A": "1", "B": ""}}, {map[string]string{"B": "2"}, map[string]string{"B": "2"}},
		{map[string]string{}, map[string]string{}},
	} {
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
		if err != nil || !maps.Equal(got, step.want) {
			t.Errorf("kept %v, read %v, %v", step.want, got, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A store from before there were digests has names alone.
func TestDeclaredAgentsOfAnOlderStore(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	if _, err := s.writer.ExecContext(t.Context(), `INSERT INTO meta (key, value) VALUES ('declared_agents', '["A","B"]')`); err != nil {
		t.Fatal(err)
	}
	got, err := s.DeclaredAgents(t.Context())
	if err != nil || !maps.Equal(got, map[string]string{"A": "", "B": ""}) {
		t.Errorf("read %v, %v", got, err)
	}
}
