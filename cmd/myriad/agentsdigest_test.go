package main

import (
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
)

// unset are the fields of a value that are zero, at any depth.
func unset(path string, v reflect.Value) (paths []string) {
	switch {
	case v.IsZero():
		return []string{path}
	case v.Kind() == reflect.Pointer:
		return unset(path, v.Elem())
	case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]():
		for i := range v.NumField() {
			paths = append(paths, unset(path+"."+v.Type().Field(i).Name, v.Field(i))...)
		}
	case v.Kind() == reflect.Map:
		for _, key := range v.MapKeys() {
			paths = append(paths, unset(path+"."+key.String(), v.MapIndex(key))...)
		}
	}
	return paths
}

// TestDigestsStay: a release that gives an agent another digest must say so by digestVersion, and then pins the new ones here. A new field is set in
// full; when only the digest of that differs for it, it is pinned anew and the version stays.
func TestDigestsStay(t *testing.T) {
	at := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	full := myriad.Agent{
		Name: "Full", Endpoint: "http://127.0.0.1:5001/query", Protocol: myriad.ProtocolHTTP, Concepts: []string{"Light Bulb", "lamp"}, Intents: []string{"define"},
		SafeIntents: []string{"define"}, MaxConcurrency: 3, Labels: map[string]string{"room": "cellar", "floor": "0"},
		Auth: &myriad.Auth{Scheme: "header", Header: "X-Key", Env: "KEY", File: "/key"}, Description: "tells of light", Capabilities: []string{"light"},
		Type: myriad.AgentDynamic, Status: myriad.AgentActive, Version: "1.2", Revision: 7, Owner: myriad.OwnerFile, Dormant: true, CreatedAt: at, UpdatedAt: at,
		Template: &myriad.Template{
			Kind: myriad.TemplateKnowledge, ID: "basic", Command: []string{"/bin/agent", "-v"}, Mode: myriad.ModeStdio, Dir: "/srv", Env: map[string]string{"A": "1"},
			PassEnv: []string{"HOME"}, Image: "agent:1", Port: 5001, Pull: "missing", Limits: myriad.Limits{CPU: 0.5, MemoryBytes: 64 << 20, PIDs: 8},
			Knowledge: &myriad.Knowledge{
				Concept: "lamp", DisplayName: "Lamp", PrimaryDefinition: "it gives light", ConfidenceScore: 0.75, Applications: []string{"reading"},
				RelatedConcepts: []string{"bulb"}, KeyAttributes: []string{"bright"}, ResearchSources: []string{"peers"}, OriginalIntent: "define",
				Learned: map[string]myriad.Learn{"dangers": {Content: "hot", Confidence: 0.5}}, DefinitionConfidence: 1,
			},
		},
	}
	if left := unset("Agent", reflect.ValueOf(full)); len(left) > 0 {
		t.Errorf("not set: %v", left)
	}
	for name, c := range map[string]struct {
		agent myriad.Agent
		want  string
	}{
		"every field": {full, "1:e82cc491dbf443a3c13fc76b6509285d3d36ac710022c8d97c04967e6ebd8192"},
		"an endpoint": {myriad.Agent{Name: "A", Endpoint: "http://127.0.0.1:5001", Concepts: []string{"lamp"}},
			"1:30f4d3472df085a5654504e981472b02aea59e7b8d275f2c2e63b3afb2a6be89"},
		"a program": {myriad.Agent{Name: "A", Concepts: []string{"lamp"}, Template: &myriad.Template{Kind: myriad.TemplateCommand, Command: []string{"/bin/agent"}}},
			"1:51bc13a70049e04df8c689d41452c19b32e43fe3bb908c7a178ab18ee6a2cb84"},
		"an image": {myriad.Agent{Name: "A", Concepts: []string{"lamp"}, Template: &myriad.Template{Kind: myriad.TemplateImage, Image: "agent:1"}},
			"1:e2c357d456b36a8174df54b5ec5601b8817fa89040c8febcaa8e5b29edb05c1a"},
		"what it knows": {myriad.Agent{Name: "A", Concepts: []string{"lamp"}, Template: &myriad.Template{Kind: myriad.TemplateKnowledge,
			Knowledge: &myriad.Knowledge{Concept: "lamp", PrimaryDefinition: "it gives light", ConfidenceScore: 0.5}}},
			"1:314bcfdb40084f46181a06ef71661e672d58fc020cd2e2513b1e4c4d8dec2752"},
	} {
		if got := digest(c.agent); got != c.want {
			t.Errorf("%s: the digest is %s, and was %s", name, got, c.want)
		}
		moved := c.agent
		moved.Revision, moved.UpdatedAt = 9, at.Add(time.Hour)
		if digest(moved) != c.want {
			t.Errorf("%s: which write it is changes the digest", name)
		}
	}
}

// A bug: a release whose digests were others would have taken every agent of a file for a changed one, and what it had learned with it.
func TestDigestsOfAnotherReleaseCostNoLessons(t *testing.T) {
	s, _, load := fileServer(t, t.TempDir(), options{})
	mustLoad(t, load("d", "w"))
	current, err := s.store.DeclaredAgents(t.Context())
	mustLoad(t, err)
	upgrade := func() {
		t.Helper()
		old := maps.Clone(current)
		for name, d := range old {
			old[name] = strings.TrimPrefix(d, digestVersion) // from before there were versions
		}
		old["Far"] = "0:" + old["Far"]
		mustLoad(t, s.store.SetDeclaredAgents(t.Context(), old))
	}
	agentOf := func(name string) myriad.Agent {
		t.Helper()
		a, err := s.fleet.Agent(t.Context(), name)
		mustLoad(t, err)
		return a
	}
	upgrade()
	mustLoad(t, load("d", "w"))
	if now, err := s.store.DeclaredAgents(t.Context()); err != nil || !maps.Equal(now, current) {
		t.Errorf("noted: %v, %v; want %v", now, err, current)
	}
	if tide, far := agentOf("Tide"), agentOf("Far"); tide.Revision != 1 || far.Revision != 1 {
		t.Errorf("written again: revisions %d and %d", tide.Revision, far.Revision)
	}
	upgrade()
	mustLoad(t, load("d", "water")) // nothing is learned yet, so what is declared of it counts
	tide := agentOf("Tide")
	if d := tide.Template.Knowledge.PrimaryDefinition; d != "water" {
		t.Errorf("what changed was not taken: %s", d)
	}
	tide.Template.Knowledge.Learned = map[string]myriad.Learn{"dangers": {Content: "quicksand", Confidence: 0.7}}
	_, err = s.fleet.PutAgent(t.Context(), tide, myriad.Guard{})
	mustLoad(t, err)
	upgrade()
	mustLoad(t, load("d", "water"))
	if a := agentOf("Tide"); a.Template.Knowledge.Learned["dangers"].Content != "quicksand" {
		t.Errorf("what was learned is lost: %+v", a.Template.Knowledge)
	}
	upgrade()
	mustLoad(t, load("another", "water"))
	if tide, far := agentOf("Tide"), agentOf("Far"); tide.Description != "another" || far.Description != "another" {
		t.Errorf("what changed was not taken: %+v, %+v", tide, far)
	}
}

// An upgrade that dies on the way leaves the old digests standing for the agents that it has not come to.
func TestDigestsOfAnotherReleaseStand(t *testing.T) {
	before := map[string]string{"Old": "0:1", "Bare": "abc", "Left": "0:2", "Same": digestVersion + "1", "Changed": digestVersion + "2", "None": ""}
	declared := map[string]string{}
	for _, name := range []string{"Old", "Bare", "Same", "None", "New"} {
		declared[name] = digestVersion + "1"
	}
	declared["Changed"] = digestVersion + "3"
	want := map[string]string{"Old": "0:1", "Bare": "abc", "Left": "", "Same": digestVersion + "1", "Changed": "", "None": "", "New": ""}
	if got := standing(before, declared); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
