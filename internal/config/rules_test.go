package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/myriad-mind/myriad"
)

// mistakesOf is the mistakes that err carries, each as "path: rule".
func mistakesOf(t *testing.T, err error) []string {
	t.Helper()
	e, ok := errors.AsType[*myriad.Error](err)
	if !ok || e.Code != myriad.CodeInvalid {
		t.Fatalf("want invalid_request, got %v", err)
	}
	var list []string
	for _, m := range e.Mistakes {
		list = append(list, m.Path+": "+m.Rule)
	}
	return list
}

func TestRules(t *testing.T) {
	for flag, want := range map[string]string{
		"--listen=localhost":                            "listen: must be HOST:PORT",
		"--listen=localhost:http":                       "listen: must have a port from 0",
		"--listen=[::1]:70000":                          "listen: must have a port from 0",
		"--data=":                                       "data: must not be empty",
		"--grace=-1s":                                   "grace: must not be negative",
		"--grace=soon":                                  `grace: is a duration like 30s or 1h30m, not "soon" (from flag --grace)`,
		"--log-level=loud":                              "log_level: is one of debug, info, warn, error",
		"--log-format=xml":                              "log_format: is one of text, json",
		"--tls-key=k.pem --tls-cert=":                   "tls_cert: tls_cert and tls_key belong together",
		"--allowed-hosts=a.example,http://b.example":    `allowed_hosts: holds host names, not "http://b.example"`,
		"--origins=https://a.example/page":              "origins: holds origins like https://host:port",
		"--otlp-endpoint=collector:4318":                "otlp_endpoint: must be a URL with a host",
		"--run-timeout=11m":                             "run.timeout: must not be over run.max_timeout (10m0s)",
		"--run-max-tasks=0":                             "run.max_tasks: must be more than 0",
		"--run-max-tasks=-1":                            "run.max_tasks: must be more than 0",
		"--run-max-tasks=many":                          `run.max_tasks: is a whole number, not "many"`,
		"--run-max-args-depth=1001":                     "run.max_args_depth: must not be over 1000 levels",
		"--run-max-args=4MB":                            `run.max_args: is a size like 4MiB or 65536, not "4MB"`,
		"--run-max-results=-4MiB":                       "run.max_results: must be more than 0",
		"--call-proxy=proxy.example":                    "call.proxy: must be a URL with a host that begins with http:// or https:// or socks5://",
		"--call-reading-intents=Define":                 `call.reading_intents: holds intents in lower case, not "Define"`,
		"--breaker-open-for=6m":                         "breaker.open_for: must not be over breaker.max_open_for (5m0s)",
		"--breaker-failure-ratio=1.5":                   "breaker.failure_ratio: is a share from 0 to 1",
		"--breaker-failure-ratio=NaN":                   "breaker.failure_ratio: is a number",
		"--breaker-slow-ratio=0.5":                      "breaker.slow_ratio: needs breaker.slow_call",
		"--breaker-slow-ratio=2 --breaker-slow-call=1s": "breaker.slow_ratio: is a share from 0 to 1",
		"--retry-budget-ratio=-0.1":                     "retry.budget_ratio: must not be negative",
		"--retry-backoff-base=2s":                       "retry.backoff_base: must not be over retry.backoff_max (1s)",
		"--hedge-min-delay=3s":                          "hedge.min_delay: must not be over hedge.max_delay (2s)",
		"--hedge-enabled=maybe":                         "hedge.enabled: is true or false",
	} {
		t.Run(flag, func(t *testing.T) {
			_, err := load(t, nil, "", strings.Fields(flag)...)
			got := mistakesOf(t, err)
			if len(got) != 1 || !strings.HasPrefix(got[0], want) {
				t.Errorf("mistakes %q, want the one %q", got, want)
			}
		})
	}
}

func TestZeroesThatMeanSomething(t *testing.T) {
	args := []string{"--listen=:0", "--grace=0", "--breaker-slow-call=0s", "--retry-budget-min=0", "--retry-budget-ratio=0", "--call-reading-intents=", "--otlp-endpoint=", "--insecure", "--call-proxy=socks5://127.0.0.1:1080"}
	l, err := load(t, nil, "", args...)
	if err != nil {
		t.Fatal(err)
	}
	if !l.Insecure || l.Retry.BudgetMin != 0 || len(l.Call.ReadingIntents) != 0 {
		t.Errorf("not taken over: %+v", l.Config)
	}
}

func TestConfigFile(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		want []string // mistakes; the file's name is written FILE
	}{
		"empty":                      {"", nil},
		"comments only":              {"# nothing\n", nil},
		"emptied sections and keys":  {"run:\n  # timeout: 5s\nslots:\n  total:\ncall:\n  proxy: null\n", nil},
		"JSON":                       {`{"slots": {"total": 5}, "allowed_hosts": ["a", "b"]}`, nil},
		"lists in both writings":     {"allowed_hosts: [a, b]\norigins: 'https://a, https://b'\n", nil},
		"unknown keys":               {"lissten: x\nrun:\n  timeut: 1s\n", []string{"lissten: is no key of the configuration (FILE, line 1)", "run.timeut: is no key of the configuration (FILE, line 3)"}},
		"a dotted key":               {"run.timeout: 1s\nslots: {total.x: 1}\n", []string{"slots.total.x: is no key of the configuration (FILE, line 2)"}},
		"a section twice":            {"run: {timeout: 1s}\nrun: {max_tasks: 1}\n", []string{"run: is there twice (FILE, line 2)"}},
		"a key twice":                {"slots:\n  total: 1\n  total: 1\n", []string{"slots.total: is there twice (FILE, line 3)"}},
		"a list for a plain value":   {"listen: [a]\n", []string{"listen: must be a plain value (FILE, line 1)"}},
		"a mapping for a list":       {"allowed_hosts: {a: b}\n", []string{"allowed_hosts: must be a list of plain values (FILE, line 1)"}},
		"entries that are no values": {"allowed_hosts:\n  - a\n  - [b]\n  - 'c,d'\n  -\n", []string{"allowed_hosts[1]: must be a plain value without a comma (FILE, line 3)", "allowed_hosts[2]: must be a plain value without a comma (FILE, line 4)", "allowed_hosts[3]: must be a plain value without a comma (FILE, line 5)"}},
		"a value for a section":      {"run: 5\n", []string{"run: must be a mapping of keys (FILE, line 1)"}},
		"no mapping":                 {"- run\n", []string{": must be a mapping of keys (FILE, line 1)"}},
		"no YAML":                    {"a: [\n", []string{": FILE is not YAML: yaml: line 1: did not find expected node content"}},
		"two documents":              {"---\n{}\n---\n{}\n", []string{": FILE is not YAML: there must be one document only"}},
	} {
		t.Run(name, func(t *testing.T) {
			mistakes := []string{}
			values, found := flatten("FILE", []byte(c.file))
			for _, m := range found {
				mistakes = append(mistakes, m.Path+": "+m.Rule)
			}
			if !slices.Equal(mistakes, c.want) {
				t.Errorf("mistakes\n%s\nwant\n%s\n(values %v)", strings.Join(mistakes, "\n"), strings.Join(c.want, "\n"), values)
			}
		})
	}
}

func TestFileThatIsNotThere(t *testing.T) {
	l, err := Load(bound(t), nil, filepath.Join(t.TempDir(), "none.yaml"))
	if got := mistakesOf(t, err); len(got) != 1 || !strings.Contains(got[0], "none.yaml") {
		t.Errorf("mistakes %q of %v", got, l)
	}
}

// TestAMistakeIsToldOnce: a value that cannot be read leaves the one below in force, and no second rule is broken by it.
func TestAMistakeIsToldOnce(t *testing.T) {
	l, err := load(t, map[string]string{"MYRIAD_RUN_MAX_TASKS": "lots"}, "run: {max_tasks: 7}\n")
	if got := mistakesOf(t, err); len(got) != 1 {
		t.Errorf("mistakes %q, want one", got)
	}
	if l.Run.MaxTasks != 7 || !strings.HasPrefix(l.Source("run.max_tasks"), "file ") {
		t.Errorf("%d from %q, want 7 from the file", l.Run.MaxTasks, l.Source("run.max_tasks"))
	}
}

// TestPrecedence: of every pair of sources the higher one wins, and is named.
func TestPrecedence(t *testing.T) {
	sources := []string{"default", "file ", "env HTTP_POOL_MAX", "env MYRIAD_CALL_MAX_CONNECTIONS", "flag --call-max-connections"}
	for set := range 1 << 4 {
		env, file, args, want, number := map[string]string{}, "", []string(nil), 0, 0
		for i, add := range []func(){
			func() { file = "call: {max_connections: 1}" },
			func() { env["HTTP_POOL_MAX"] = "2" },
			func() { env["MYRIAD_CALL_MAX_CONNECTIONS"] = "3" },
			func() { args = []string{"--call-max-connections=4"} },
		} {
			if set&(1<<i) != 0 {
				add()
				want, number = i+1, i+1
			}
		}
		l, err := load(t, env, file, args...)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.Source("call.max_connections"); l.Call.MaxConnections != number || !strings.HasPrefix(got, sources[want]) {
			t.Errorf("set %04b: %d from %q, want %d from %q", set, l.Call.MaxConnections, got, number, sources[want])
		}
	}
}

func TestEffectivePrintGolden(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", filepath.FromSlash("/data"))
	if DefaultData() != "/data/myriad" {
		t.Skip("the data directory of this platform is elsewhere")
	}
	golden, err := filepath.Abs(filepath.Join("testdata", "effective.golden"))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("myriad.yaml", []byte("run: {timeout: 45s}\nallowed_hosts: [a.example, b.example]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := bound(t)
	if err := flags.Parse([]string{"--grace", "3s", "--call-proxy", "http://me:hidden@proxy.example:3128", "--insecure"}); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"MYRIAD_CACHE_MAX_BYTES": "8MiB", "HTTP_POOL_MAX": "20"}
	l, err := Load(flags, listed(env), "myriad.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := l.Print(&out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "hidden") {
		t.Error("a password was printed")
	}
	got := out.String()
	if *update {
		if err := errors.Join(os.MkdirAll(filepath.Dir(golden), 0o755), os.WriteFile(golden, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}

// TestPasswordsAreNotRepeated: neither a print nor a mistake shows the password of a URL.
func TestPasswordsAreNotRepeated(t *testing.T) {
	l, err := load(t, map[string]string{"MYRIAD_CALL_PROXY": "gopher://me:hidden@proxy", "MYRIAD_OTLP_ENDPOINT": "http://me:hidden@%zz"}, "")
	got := strings.Join(mistakesOf(t, err), "\n")
	var out bytes.Buffer
	if err := l.Print(&out); err != nil {
		t.Fatal(err)
	}
	if got += out.String(); strings.Contains(got, "hidden") || !strings.Contains(got, "(not shown)") {
		t.Errorf("shown:\n%s", got)
	}
}
