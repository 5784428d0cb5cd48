package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
	"github.com/myriad-mind/myriad/internal/config"
)

// withToken is the flags that reach a server as its owner does.
func withToken(s *server) []string {
	return []string{"--server", s.url(), "--token-file", filepath.Join(s.cfg.Data, config.TokenName)}
}

func TestAddAProgramInOneLine(t *testing.T) {
	s, c := startServer(t)
	here := t.TempDir()
	t.Chdir(here)
	here = workingDir() // as the system writes it
	for _, test := range []struct {
		args []string
		want myriad.Template
		told string
	}{
		{[]string{"--concept", "text", "--intent", "summarize", "--", "python3", "summarize.py"},
			myriad.Template{Kind: "command", Command: []string{"python3", "summarize.py"}, Mode: "stdio", Dir: here}, "by running python3 summarize.py (stdio) in " + here},
		{[]string{"--concept", "text", "--mode", "exec", "--dir", "sub", "--env", "A=1=2", "--env", "B=", "--pass-env", "KEY", "--cpu", "0.25", "--memory", "64MiB", "--pids", "9", "--", "./run", "--flag", "-x"},
			myriad.Template{Kind: "command", Command: []string{"./run", "--flag", "-x"}, Mode: "exec", Dir: filepath.Join(here, "sub"), Env: map[string]string{"A": "1=2", "B": ""}, PassEnv: []string{"KEY"},
				Limits: myriad.Limits{CPU: 0.25, MemoryBytes: 64 << 20, PIDs: 9}}, "by running ./run --flag -x (exec)"},
		{[]string{"--concept", "text", "--image", "registry.example/s:1", "--port", "8080", "--pull", "missing"},
			myriad.Template{Kind: "image", Image: "registry.example/s:1", Port: 8080, Pull: "missing"}, "from the image registry.example/s:1"},
		{[]string{"--concept", "text", "--image", "registry.example/s:1", "--", "serve", "--fast"},
			myriad.Template{Kind: "image", Image: "registry.example/s:1", Pull: "never", Command: []string{"serve", "--fast"}}, "from the image"},
	} {
		code, out, errOut := command(t, "", append(append([]string{"agents", "add", "S", "--replace"}, withToken(s)...), test.args...)...)
		if code != 0 || !strings.Contains(out, test.told) {
			t.Errorf("%q: exit code %d, %s%s", test.args, code, out, errOut)
		}
		stored, err := c.Agent(t.Context(), "S")
		if err != nil || !reflect.DeepEqual(*stored.Template, test.want) {
			t.Errorf("%q: %v\n got %+v\nwant %+v", test.args, err, stored.Template, test.want)
		}
	}
	// Without the token nothing is run, and what is missing is told.
	t.Setenv("MYRIAD_DATA", t.TempDir())
	code, _, errOut := command(t, "", "agents", "add", "T", "--server", s.url(), "--concept", "x", "--", "true")
	if code != exitFailed || !strings.Contains(errOut, "--token-file") {
		t.Errorf("without a token: exit code %d, %s", code, errOut)
	}
	// With it where the server keeps it, it is found.
	t.Setenv("MYRIAD_DATA", s.cfg.Data)
	if code, _, errOut = command(t, "", "agents", "add", "T", "--server", s.url(), "--concept", "x", "--", "true"); code != 0 {
		t.Errorf("with the data directory's token: exit code %d, %s", code, errOut)
	}
}

// What the server refuses is named as it was typed, and as the API names it.
func TestAddNamesFlags(t *testing.T) {
	s, _ := startServer(t)
	for args, want := range map[string]string{
		"--concept c --memory 1KiB -- x":                      "--memory (template.limits.memory_bytes): is 6291456",
		"--concept c --cpu -1 --pids -2 -- x":                 "--cpu (template.limits.cpu): is a number of cores",
		"--concept c --pids -2 -- x":                          "--pids (template.limits.pids): is 1 to",
		"--concept c --max-concurrency -1 http://127.0.0.1:9": "--max-concurrency (max_concurrency): is 1 to",
		"--concept c --concept / -- x":                        "--concept (concepts[1]): ",
		"--concept c --env 1=x -- x":                          "--env (template.env): ",
		"--concept c --pass-env A,B=C -- x":                   "--pass-env (template.pass_env[0]): ",
		"--concept c --image -x":                              "--image (template.image): ",
		"http://127.0.0.1:9":                                  "\n  concepts: ",
	} {
		code, _, errOut := command(t, "", append(append([]string{"agents", "add", "S"}, withToken(s)...), strings.Fields(args)...)...)
		if code != exitUsage || !strings.Contains(errOut, want) {
			t.Errorf("%s: exit code %d, %s\nwant %s", args, code, errOut, want)
		}
	}
}

func TestAddMistakes(t *testing.T) {
	for args, want := range map[string]string{
		"S":                          "where does it answer?",
		"S http://h extra":           "put -- in front of",
		"-- python3 x.py":            "the agent's name comes first",
		"S http://h -- python3 x.py": "not both",
		"S http://h --image x":       "not both",
		"S http://h --mode exec":     "are for programs and images",
		"S http://h --memory 1MiB":   "are for programs and images",
		"S http://h --cpu 1":         "are for programs and images",
		"S --env A -- x":             `--env is NAME=VALUE, not "A"`,
		"S --memory lots -- x":       `--memory is a size like 4MiB`,
		"S --server http://far.example --dir a -- x": "must be a whole path",
	} {
		code, _, errOut := command(t, "", append([]string{"agents", "add"}, strings.Fields(args)...)...)
		if code != exitUsage || !strings.Contains(errOut, want) {
			t.Errorf("%s: exit code %d, %s\nwant %s", args, code, errOut, want)
		}
	}
}

// TestDirectoryOfAFarServer: what is here means nothing there.
func TestDirectoryOfAFarServer(t *testing.T) {
	for dir, want := range map[string]string{"": "", "/srv/agents": "/srv/agents"} {
		n := &newAgent{template: myriad.Template{Dir: dir}}
		if err := n.read([]string{"S", "x"}, 1, false); err != nil || n.agent.Template.Dir != want {
			t.Errorf("%q: %+v, %v", dir, n.agent.Template, err)
		}
	}
	for server, local := range map[string]bool{"http://127.0.0.1:5000": true, "http://localhost": true, "http://[::1]:1": true, "https://10.0.0.1": false, "http://localhost.example": false, "x": false} {
		if got := (&remote{server: server}).local(); got != local {
			t.Errorf("%s is local: %v", server, got)
		}
	}
}

func TestExportAndImport(t *testing.T) {
	s, c := startServer(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "agents.yaml")
	text := "agents:\n- name: url\n  endpoint: http://127.0.0.1:1/query\n  concepts: [a]\n- name: script\n  concepts: [Some Text, '*']\n  intents: [summarize]\n  command: [python3, s.py]\n" +
		"- name: image\n  concepts: [a]\n  template: {image: 'x:1', limits: {memory: 64MiB}}\n- name: knows\n  concepts: [tax]\n" +
		"  template: {knowledge: {concept: tax, primary_definition: \"a charge:\\n'levied'\", confidence_score: 0.9}}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(want int, stdin string, args ...string) string {
		t.Helper()
		code, out, errOut := command(t, stdin, append(args, withToken(s)...)...)
		if code != want {
			t.Errorf("%v: exit code %d, want %d\n%s%s", args, code, want, out, errOut)
		}
		return out + errOut
	}
	if out := run(0, "", "agents", "import", file); out != "4 created, 0 replaced, 0 unchanged\n" {
		t.Errorf("import: %s", out)
	}
	if a, err := c.Agent(t.Context(), "script"); err != nil || a.Template.Dir != dir || a.Owner != myriad.OwnerAPI {
		t.Errorf("%+v, %v: the program's directory is not the file's", a.Template, err)
	}
	for _, format := range []string{"yaml", "json"} {
		exported := run(0, "", "agents", "export", "-o", format)
		if out := run(0, exported, "agents", "import", "-"); out != "0 created, 0 replaced, 4 unchanged\n" {
			t.Errorf("import of the export as %s: %s\n%s", format, out, exported)
		}
		for _, name := range []string{"script", "knows"} {
			run(0, "", "agents", "remove", name)
		}
		if out := run(0, exported, "agents", "import", "-"); out != "2 created, 0 replaced, 2 unchanged\n" {
			t.Errorf("import of what was removed: %s", out)
		}
		if again := run(0, "", "agents", "export", "-o", format); again != exported {
			t.Errorf("exported\n%s\nthen\n%s", exported, again)
		}
	}
	if out := run(0, "", "agents", "export", "script"); strings.Count(out, "name:") != 1 || strings.Contains(out, "revision") {
		t.Errorf("export of one: %s", out)
	}
	run(1, "", "agents", "export", "nobody")
	run(2, "", "agents", "export", "-o", "xml")

	changed := strings.Replace(text, "[summarize]", "[shorten]", 1)
	if out := run(1, changed, "agents", "import", "-"); !strings.Contains(out, "agents[1]: script is there already and is different") || !strings.Contains(out, "--replace") || !strings.Contains(out, "(line 5)") {
		t.Errorf("import over another: %s", out)
	}
	if out := run(0, "", "agents", "import", "--replace", file); out != "0 created, 0 replaced, 4 unchanged\n" {
		t.Errorf("nothing was to be replaced: %s", out)
	}
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := run(0, "", "agents", "import", "--replace", file); out != "0 created, 1 replaced, 3 unchanged\n" {
		t.Errorf("import --replace: %s", out)
	}
	bad := "agents:\n- {name: a, endpoint: 'http://169.254.169.254/x', concepts: [a]}\n- {name: b, endpoint: 'http://127.0.0.1:1', concepts: [b]}\n"
	if out := run(1, bad, "agents", "import", "-"); !strings.Contains(out, "agents[0].endpoint: ") || !strings.Contains(out, "(line 2)") || !strings.Contains(out, "1 created") {
		t.Errorf("what only the server can see: %s", out)
	}
	if out := run(2, "agents:\n- {name: a, endpont: x}\n- {name: b}\n", "agents", "import", "-"); !strings.Contains(out, "agents[0].endpont: is no field (line 2)") || !strings.Contains(out, "agents[1].concepts") {
		t.Errorf("a file with mistakes: %s", out)
	}
	run(2, "", "agents", "import", filepath.Join(dir, "none.yaml"))
}

// TestImportOfNothing: what holds no list of agents, like the output of a command that failed, is a mistake; the export of a server without agents is none.
func TestImportOfNothing(t *testing.T) {
	s, _ := startServer(t)
	file := filepath.Join(t.TempDir(), "empty.yaml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ stdin, from, want string }{
		{"", "-", "nothing to import: the standard input"}, {"# none\n", "-", "nothing to import"}, {"{}", "-", "nothing to import"},
		{"agents:\n", "-", "nothing to import"}, {"", file, "nothing to import: " + file},
	} {
		if code, out, errOut := command(t, tc.stdin, append([]string{"agents", "import", tc.from}, withToken(s)...)...); code != exitUsage || out != "" || !strings.Contains(errOut, tc.want) {
			t.Errorf("%q: exit code %d: %s%s", tc.stdin, code, out, errOut)
		}
	}
	for _, format := range []string{"yaml", "json"} {
		_, none, _ := command(t, "", append([]string{"agents", "export", "-o", format}, withToken(s)...)...)
		if code, out, errOut := command(t, none, append([]string{"agents", "import", "-"}, withToken(s)...)...); code != 0 || out != "0 created, 0 replaced, 0 unchanged\n" {
			t.Errorf("%q: exit code %d: %s%s", none, code, out, errOut)
		}
	}
}

// TestImportOfThousands: the agents of a whole organisation in one file.
func TestImportOfThousands(t *testing.T) {
	const many = 2000
	s, c := startServer(t)
	var file bytes.Buffer
	w := config.NewAgentsWriter(&file, config.FormatJSON)
	for i := range many {
		if err := w.Write(myriad.Agent{Name: fmt.Sprintf("a%05d", i), Concepts: []string{fmt.Sprint("c", i%50)}, Template: &myriad.Template{Kind: "command", Command: []string{"true"}}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"2000 created, 0 replaced, 0 unchanged\n", "0 created, 0 replaced, 2000 unchanged\n"} {
		if code, out, errOut := command(t, file.String(), append([]string{"agents", "import", "-"}, withToken(s)...)...); code != 0 || out != want {
			t.Fatalf("exit code %d: %s%s", code, out, errOut)
		}
	}
	count := 0
	if err := c.EachAgent(t.Context(), func(myriad.Agent) error { count++; return nil }); err != nil || count != many {
		t.Errorf("%d agents, %v", count, err)
	}
	code, out, errOut := command(t, "", append([]string{"agents", "export", "-o", "json"}, withToken(s)...)...)
	var exported struct{ Agents []json.RawMessage }
	if err := json.Unmarshal([]byte(out), &exported); err != nil || code != 0 || len(exported.Agents) != many {
		t.Errorf("exit code %d, %d agents, %v %s", code, len(exported.Agents), err, errOut)
	}
}
