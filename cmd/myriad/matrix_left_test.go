package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	_ "modernc.org/sqlite" // to look into the file as any other program would

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
	"github.com/myriad-mind/myriad/internal/faultproxy"
)

// sampled is how many of what there is are looked at one by one.
const sampled = 80

// sample is a random choice of at most sampled things.
func sample[T any](v *victim, all []T) []T {
	some := slices.Clone(all)
	v.rng.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	return some[:min(len(some), sampled)]
}

// file opens the server's file for reading.
func (v *victim) file() *sql.DB {
	v.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(v.data, "myriad.db"))+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		v.t.Fatal(err)
	}
	return db
}

// written are the finished runs that the file holds now.
func (v *victim) written() map[string]bool {
	v.t.Helper()
	db := v.file()
	defer db.Close()
	rows, err := db.QueryContext(v.t.Context(), `SELECT id FROM runs WHERE status <> 'running'`)
	if err != nil {
		v.t.Fatal(err)
	}
	defer rows.Close()
	ids := map[string]bool{}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			v.t.Fatal(err)
		}
		ids[id] = true
	}
	if err := rows.Err(); err != nil {
		v.t.Fatal(err)
	}
	return ids
}

// checkStore: the file is sound.
func (v *victim) checkStore() {
	v.t.Helper()
	db := v.file()
	defer db.Close()
	var verdict string
	if err := db.QueryRowContext(v.t.Context(), `PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
		v.t.Errorf("integrity: %s, %v", verdict, err)
	}
	var broken int
	if err := db.QueryRowContext(v.t.Context(), `SELECT COUNT(*) FROM pragma_foreign_key_check`).Scan(&broken); err != nil || broken > 0 {
		v.t.Errorf("%d references to nothing, %v", broken, err)
	}
}

// checkAgents: each registered agent is there with all of its concepts, and of the one whose registration was cut off all or nothing.
func (v *victim) checkAgents() {
	v.t.Helper()
	ctx := v.t.Context()
	var some []int
	for n := range v.agents {
		some = append(some, n)
	}
	for _, n := range append(sample(v, some), v.agents) {
		want := v.extra(n)
		got, err := v.client.Agent(ctx, want.Name)
		if n == v.agents && myriad.ErrorCode(err) == myriad.CodeNotFound {
			continue
		}
		if err != nil || len(got.Concepts) != len(want.Concepts) {
			v.t.Errorf("agent %s: %+v, %v", want.Name, got, err)
			continue
		}
		for _, concept := range want.Concepts[:2] {
			found, err := v.client.Discover(ctx, concept, "define")
			if err != nil || len(found.Candidates) != 1 || found.Candidates[0].Agent != want.Name {
				v.t.Errorf("who handles %s: %+v, %v", concept, found, err)
			}
		}
	}
}

// checkHeld: runs that were under way are interrupted, they are not carried on, and their keys still mean them.
func (v *victim) checkHeld() {
	v.t.Helper()
	begun := v.slow.agent.Stats().Jobs
	for i, id := range v.held {
		rec, err := v.client.Get(v.t.Context(), id)
		if err != nil || rec.Status != myriad.RunInterrupted {
			v.t.Errorf("run %s was under way when the server was killed, and now is %+v, %v", id, rec, err)
		}
		again, err := v.client.Start(v.t.Context(), v.heldPlan(i), client.WithKey(v.key(i)))
		if err != nil || again != id {
			v.t.Errorf("the key of run %s now means %q, %v", id, again, err)
		}
	}
	if n := v.slow.agent.Stats().Jobs; n != begun {
		v.t.Errorf("%d tasks of interrupted runs were carried on", n-begun)
	}
}

// checkTold: runs that were answered are on record as they were told, and nothing is on record by half.
func (v *victim) checkTold() {
	v.t.Helper()
	for _, r := range sample(v, v.told) {
		kept, err := v.client.Get(v.t.Context(), r.record.RunID)
		if err != nil {
			v.t.Errorf("a run that was answered %v before the end: %v", time.Since(r.at), err)
			continue
		}
		was, _ := r.record.MarshalJSON()
		is, _ := kept.MarshalJSON()
		if !bytes.Equal(was, is) {
			v.t.Errorf("run %s is kept as\n%s\nbut was told as\n%s", r.record.RunID, is, was)
		}
	}
	var ids []string
	for page := (myriad.Page{Limit: 1000}); ; {
		runs, next, err := v.client.List(v.t.Context(), page)
		if err != nil {
			v.t.Fatal(err)
		}
		for _, r := range runs {
			ids = append(ids, r.RunID)
			if !r.Status.Done() {
				v.t.Errorf("run %s is %s in a server that has just begun", r.RunID, r.Status)
			}
		}
		if page.Cursor = next; next == "" {
			break
		}
	}
	for _, id := range sample(v, ids) {
		rec, err := v.client.Get(v.t.Context(), id)
		if err != nil {
			v.t.Errorf("run %s is listed: %v", id, err)
			continue
		}
		whole := len(rec.Results) == rec.Tasks || rec.Status == myriad.RunInterrupted && len(rec.Results) < rec.Tasks
		if !whole || slices.ContainsFunc(rec.Results, func(r myriad.Result) bool { return r.Status == "" || r.Provenance.Source == "" }) {
			v.t.Errorf("half a run: %+v", rec)
		}
	}
}

// checkAnswers: while the agent is gone its last good answers are served, and afterwards it is asked again.
func (v *victim) checkAnswers() {
	v.t.Helper()
	if err := v.quick.proxy.Set(faultproxy.Fault{Mode: faultproxy.Refuse}); err != nil {
		v.t.Fatal(err)
	}
	plan := client.Plan{}
	for _, q := range sample(v, slices.Sorted(maps.Keys(v.asked))) {
		plan.Add(client.Task{ID: fmt.Sprint(q), Concept: "quick", Intent: "define", Args: question(q)})
	}
	if len(plan.Tasks) > 0 {
		rec, err := v.client.Run(v.t.Context(), plan)
		if err != nil || len(rec.Results) != len(plan.Tasks) {
			v.t.Fatalf("%+v, %v", rec, err)
		}
		for i := range rec.Results {
			r := &rec.Results[i]
			task := plan.Tasks[slices.IndexFunc(plan.Tasks, func(task client.Task) bool { return task.ID == r.TaskID.Key })]
			if p := r.Provenance; p.Source != myriad.SourceCache || p.AgeMS < 1 || !answers(&task, string(r.Answer.Data)) {
				v.t.Errorf("the last good answer to question %s: source %s, age %d ms, %s %s", task.ID, p.Source, p.AgeMS, r.Answer.Data, r.ErrorMessage)
			}
		}
	}
	if err := v.quick.proxy.Set(faultproxy.Fault{}); err != nil {
		v.t.Fatal(err)
	}
	soon(v.t, "the agent is called again", func() bool {
		rec, err := v.client.Run(v.t.Context(), client.Plan{Tasks: []client.Task{{ID: "again", Concept: "quick", Intent: "turn_on"}}})
		if err != nil {
			v.t.Fatal(err)
		}
		return rec.Status == myriad.RunSuccess
	})
}
