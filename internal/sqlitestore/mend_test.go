package sqlitestore

import (
	"reflect"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
)

// storedBefore writes a packet and its card, and then changes both rows to what a program without today's rules stored.
func storedBefore(t *testing.T, s *Store, change ...string) {
	t.Helper()
	p := putPacket(t, s, testPacket("p"))
	card := p.Agent
	card.Revision = 0
	if _, err := s.Graph().PutAgent(t.Context(), card, myriad.Guard{}); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ read, write string }{
		{`SELECT agent FROM packets WHERE name = 'p'`, `UPDATE packets SET agent = ? WHERE name = 'p'`},
		{`SELECT props FROM nodes WHERE label = 'Agent' AND name = 'p'`, `UPDATE nodes SET props = ? WHERE label = 'Agent' AND name = 'p'`},
	} {
		var text string
		if err := s.writer.QueryRowContext(t.Context(), row.read).Scan(&text); err != nil {
			t.Fatal(err)
		}
		old := strings.NewReplacer(change...).Replace(text)
		if old == text {
			t.Fatalf("nothing to change in %s", text)
		}
		if _, err := s.writer.ExecContext(t.Context(), row.write, old); err != nil {
			t.Fatal(err)
		}
	}
}

// goesOn does with a packet what is done with packets: all of it has to keep the rules.
func goesOn(t *testing.T, s *Store) myriad.Agent {
	t.Helper()
	read, err := s.Packet(t.Context(), "p")
	if err != nil {
		t.Fatal(err)
	}
	if _, mistakes := myriad.CheckAgent(read.Agent); len(mistakes) > 0 {
		t.Errorf("what is read breaks rules: %v", mistakes)
	}
	card, err := s.Graph().Agent(t.Context(), "p")
	if err != nil || !reflect.DeepEqual(card.Template, read.Agent.Template) {
		t.Errorf("the card is %+v, %v", card.Template, err)
	}
	taught := *read.Agent.Template.Knowledge
	taught.Learned = map[string]myriad.Learn{"fact": {Content: "new", Confidence: 1}}
	if _, err := s.SetKnowledge(t.Context(), "p", taught); err != nil {
		t.Errorf("it learns no more: %v", err)
	}
	if _, err := s.Graph().PutAgent(t.Context(), read.Agent, myriad.Guard{}); err != nil {
		t.Errorf("its card cannot be written: %v", err)
	}
	if _, err := s.PutPacket(t.Context(), read, myriad.Guard{}); err != nil {
		t.Errorf("it cannot be put back: %v", err)
	}
	return read.Agent
}

// TestPacketsOfBeforeKnowledgeHadRules: they are read, shown, taught and written on.
func TestPacketsOfBeforeKnowledgeHadRules(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	storedBefore(t, s, `"what p is"`, `"what \u0000p is\ufffd"`, `"confidence_score":0.8`, `"confidence_score":0.8,"applications":["a\u0000"],
		"learned_knowledge":{"":{"content":"nobody asks for it"},"Uses":{"content":"older"},"uses":{"content":"u\u0000","confidence":1}," Price ":{"content":"a lot"}}`)
	k := goesOn(t, s).Template.Knowledge
	want := map[string]myriad.Learn{"uses": {Content: "u", Confidence: 1}, "price": {Content: "a lot"}}
	if k.PrimaryDefinition != "what p is" || k.Applications[0] != "a" || !reflect.DeepEqual(k.Learned, want) {
		t.Errorf("read %+v", k)
	}
}

// TestPacketsOfAnUnknownTemplate: they lived as agents of the first template, and do.
func TestPacketsOfAnUnknownTemplate(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	storedBefore(t, s, `"id":"factbase_basic"`, `"id":"factbase_advanced"`)
	if a := goesOn(t, s); a.Template.ID != "" {
		t.Errorf("read %+v", a.Template)
	}
}
