package demo

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/client"
)

// folder writes files into a folder of its own.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const repeated = "This paragraph stands in two documents, word for word, which is a thing that its maintainer wants to know about.\n"

// defective is a folder whose every defect is known.
var defective = map[string]string{
	"README.md": "# Gear\n\nGear is a tool. See [the guide](docs/guide.md#set-up-1), [gone](docs/gone.md),\n[no anchor](docs/guide.md#nowhere) and [own](#use).\n\n" +
		"### Deep\n\n![](logo.png)\n\n" + repeated + "\nWe wrote the the GitHub page, GitHub rules and GitHub runs; Github is spelt so once.\n",
	"docs/guide.md":  "# Guide\n\n## Set up\n\n## Set up\n\n```json\n{\"a\": 1,}\n```\n\n```yaml\na: 1\n```\n\n" + repeated + "\nTODO: finish.\n\n```go\nfunc main() {}\n",
	"docs/lonely.md": "# Lonely\n\n" + strings.Repeat("word ", 45) + "end.\n\nA gear is a wheel with teeth. [out](http://example.org/x)\n",
	".git/x.md":      "[broken](nowhere.md)", "node_modules/x.md": "[broken](nowhere.md)", "vendor/x.md": "[broken](nowhere.md)", "requirements.txt": "x",
}

func TestTheReportFindsWhatIsWrong(t *testing.T) {
	var s reference
	var out strings.Builder
	var steps int
	outcome, err := Run(t.Context(), Options{
		Dir: folder(t, defective), Server: s.start(t), Out: &out, Think: -1, OnlyFirst: true, Progress: func(Step) { steps++ },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"3 documents",
		"README.md:3: broken link: docs/gone.md is not there",
		"README.md:4: unreachable anchor: docs/guide.md has no #nowhere",
		"README.md:4: unreachable anchor: README.md has no #use",
		"README.md:8: missing image: logo.png is not there",
		`README.md:6: heading "Deep" skips from level 1 to 3`,
		`README.md:12: doubled word: "the the"`,
		`README.md:12: "Github" is spelt "GitHub" as a rule`,
		"README.md: the README has no section on how to install, start or use it",
		"README.md: the README has no section on the licence",
		"README.md: the README has no section on how to contribute",
		`docs/guide.md:5: heading "Set up" again in the same section (first in line 3)`,
		"docs/guide.md:7: this json block does not parse",
		"docs/guide.md:19: the code block that begins here is not closed",
		"docs/guide.md:15: the same text as README.md:10",
		"docs/guide.md:17: left to do: TODO: finish.",
		"docs/lonely.md: no other document links here",
		"docs/lonely.md:3: a sentence of 46 words",
		"docs/lonely.md:5: http://example.org/x is not https",
		"- gear (docs/lonely.md:5): A gear is a wheel with teeth.",
	} {
		if !strings.Contains(outcome.Report, want+"\n") && !strings.Contains(outcome.Report, want) {
			t.Errorf("the report does not say %q", want)
		}
	}
	for _, not := range []string{"#set-up-1", "yaml block", "node_modules", "vendor", "nowhere.md", "requirements"} {
		if strings.Contains(outcome.Report, not) {
			t.Errorf("the report says %q", not)
		}
	}
	if t.Failed() {
		t.Log(outcome.Report)
	}
	first := outcome.First
	if first.Summary.Tasks < 30 || first.Summary.Succeeded != first.Summary.Tasks || steps != first.Summary.Tasks+2 {
		t.Errorf("%d tasks, %d succeeded, %d steps", first.Summary.Tasks, first.Summary.Succeeded, steps)
	}
	if !strings.Contains(out.String(), outcome.Report) || !strings.Contains(out.String(), "How to go on") {
		t.Error("the output lacks the report or what to do next")
	}
}

func TestASoundFolderHasNothingWrong(t *testing.T) {
	var s reference
	outcome, err := Run(t.Context(), Options{Think: -1, OnlyFirst: true, Server: s.start(t), Out: new(strings.Builder), Dir: folder(t, map[string]string{
		"README.md": "# Gear\n\n## Use\n\nSee [more](more.md#what-it-is-).\n\n```\n> not a quote\n```\n\n## License\n\n## Contributing\n",
		"more.md":   "# More\n\n## What it is?!\n\n## What it is: \n\n- item\n  ```yaml\n  a: 1\n  ```\n\n> ```json\n> {}\n> ```\n\n<a name=\"x\"></a>[x](#x) [home](README.md)\n\n## What `it` is \n[y](#what-it-is-1)\n",
	})})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(outcome.Report, "not closed") || strings.Contains(outcome.Report, "broken") || strings.Contains(outcome.Report, "parse") {
		t.Error(outcome.Report)
	}
}

func TestTheSecondActStillBringsTheReport(t *testing.T) {
	var s reference
	var out strings.Builder
	closed := time.Duration(0)
	outcome, err := Run(t.Context(), Options{
		Dir: folder(t, defective), Server: s.start(t), Out: &out, Think: -1, Chaos: Chaos{CloseGraph: func(d time.Duration) { closed += d }},
	})
	if err != nil {
		t.Fatal(err)
	}
	ways := outcome.Second.byWay()
	if ways[absent] > 0 || ways[elsewhere] == 0 || ways[cachedWay] == 0 || closed != graphClosed {
		t.Errorf("%v, the graph closed for %s", ways, closed)
	}
	again, err := outcome.Second.report()
	if err != nil || again != outcome.Report {
		t.Errorf("the second report differs: %v", err)
	}
	for _, want := range []string{"| missing | 0 |", "retried elsewhere | Keywords_A reset, Keywords_B success", " | cached | Terms reset", "is the same, line by line"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output does not say %q", want)
		}
	}
}

func TestTheThirdActAsksWhatNobodyKnows(t *testing.T) {
	var s reference
	var out strings.Builder
	outcome, err := Run(t.Context(), Options{Dir: folder(t, defective), Server: s.start(t), Out: &out, Think: -1, OnlyFirst: true, Grow: true})
	if err != nil {
		t.Fatal(err)
	}
	if n := outcome.Third.Summary.Tasks; n != grownTerms+1 {
		t.Errorf("%d tasks", n)
	}
	for _, want := range []string{"| gear | no_agent_available |", "1 of at most 3 agents are awake; X_Definition_AI ready."} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output does not say %q:\n%s", want, out.String())
		}
	}
}

func TestThePlanHasAtLeastThirtyTasks(t *testing.T) {
	for _, n := range []int{1, 2, partsBelow - 1, partsBelow, 40} {
		var files []string
		for i := range n {
			files = append(files, "f"+string(rune('a'+i%26))+string(rune('a'+i/26))+".md")
		}
		plan := Plan(reportArgs{Files: files})
		if len(plan.Tasks) < 30 {
			t.Errorf("%d files make %d tasks", n, len(plan.Tasks))
		}
		known := map[string]bool{}
		for _, task := range plan.Tasks { // dependencies come before, so there is no cycle
			for _, d := range task.DependsOn {
				if !known[d] {
					t.Errorf("%s depends on %s, which is not before it", task.ID, d)
				}
			}
			if known[task.ID] {
				t.Errorf("%s twice", task.ID)
			}
			known[task.ID] = true
		}
		raw, err := json.Marshal(plan)
		if err != nil || !strings.Contains(string(raw), `"${tasks.outline-1.data.headings}"`) {
			t.Errorf("no references: %v", err)
		}
	}
}

func TestEveryTaskOfThePlanHasAnAgent(t *testing.T) {
	l, err := openLibrary(folder(t, defective), true, 10)
	if err != nil {
		t.Fatal(err)
	}
	f, err := startFleet(t.Context(), l, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, task := range Plan(reportArgs{Files: l.files}).Tasks {
		concept, err := myriad.CanonicalConcept(task.Concept)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(f.Agents(), func(a myriad.Agent) bool {
			return slices.Contains(a.ConceptKeys(), concept) && slices.Contains(a.Intents, task.Intent)
		}) {
			t.Errorf("nobody can do %s (%s / %s)", task.ID, task.Concept, task.Intent)
		}
	}
}

func TestRunTellsWhatStopsIt(t *testing.T) {
	var s reference
	c := s.start(t)
	for name, dir := range map[string]string{"no documents": folder(t, map[string]string{"x.go": "x"}), "no folder": "/nonexistent-folder"} {
		if _, err := Run(t.Context(), Options{Dir: dir, Server: c, Out: new(strings.Builder)}); err == nil {
			t.Errorf("%s went through", name)
		}
	}
	dead, err := client.New(client.Config{Server: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer dead.Close()
	if _, err := Run(t.Context(), Options{Dir: folder(t, defective), Server: dead, Out: new(strings.Builder)}); myriad.ErrorCode(err) != myriad.CodeUnavailable {
		t.Errorf("no server: %v", err)
	}
	if _, err := Run(t.Context(), Options{Dir: folder(t, defective), Server: c, Out: failing{}, OnlyFirst: true, Think: -1}); !errors.Is(err, errFull) {
		t.Errorf("no room: %v", err)
	}
}

var errFull = errors.New("full")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }

func TestFilesAreBounded(t *testing.T) {
	files := map[string]string{"README.md": "# R\n", "docs/a.md": "# A\n", "docs/b.md": "# B\n", "src/c.md": "# C\n", "huge.md": strings.Repeat("x", maxFileBytes+1)}
	dir := folder(t, files)
	l, err := openLibrary(dir, true, 2)
	if err != nil || len(l.files) != 2 || l.files[0] != "README.md" || l.left != 2 || !slices.Equal(l.skipped, []string{"huge.md"}) {
		t.Errorf("%+v %v", l, err)
	}
	l, err = openLibrary(dir, false, 10)
	if err != nil || !slices.Equal(l.files, []string{"README.md", "docs/a.md", "docs/b.md"}) {
		t.Errorf("README and docs: %v %v", l.files, err)
	}
	if _, err := l.open("../x.md"); err == nil {
		t.Error("a file outside was read")
	}
	if _, err := l.load("../../etc/passwd"); err == nil {
		t.Error("a file outside was read")
	}
}
