package config

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/myriad-mind/myriad"
)

func bound(t *testing.T) *pflag.FlagSet {
	t.Helper()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	Bind(flags)
	return flags
}

func load(t *testing.T, env map[string]string, file string, args ...string) (*Loaded, error) {
	t.Helper()
	flags := bound(t)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	path := ""
	if file != "" {
		path = filepath.Join(t.TempDir(), "myriad.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Load(flags, listed(env), path)
}

func listed(env map[string]string) (environ []string) {
	for name, value := range env {
		environ = append(environ, name+"="+value)
	}
	return environ
}

func TestOrderOfSources(t *testing.T) {
	const file = "slots:\n  total: 20\n"
	alias := map[string]string{"HTTP_POOL_MAX": "7"}
	for _, c := range []struct {
		name   string
		env    map[string]string
		file   string
		args   []string
		total  int
		source string
	}{
		{"default", nil, "", nil, 100, "default"},
		{"file", nil, file, nil, 20, "file "},
		{"environment over file", map[string]string{"MYRIAD_SLOTS_TOTAL": "30"}, file, nil, 30, "env MYRIAD_SLOTS_TOTAL"},
		{"flag over all", map[string]string{"MYRIAD_SLOTS_TOTAL": "30"}, file, []string{"--slots-total=40"}, 40, "flag --slots-total"},
	} {
		l, err := load(t, c.env, c.file, c.args...)
		if err != nil || l.Slots.Total != c.total || !strings.HasPrefix(l.Source("slots.total"), c.source) {
			t.Errorf("%s: %d from %q, %v", c.name, l.Slots.Total, l.Source("slots.total"), err)
		}
	}
	if l, err := load(t, alias, ""); err != nil || l.Call.MaxConnections != 7 || l.Source("call.max_connections") != "env HTTP_POOL_MAX" {
		t.Errorf("the Python system's name does not count: %v %v", l.Call.MaxConnections, err)
	}
	alias["MYRIAD_CALL_MAX_CONNECTIONS"] = "9"
	if l, err := load(t, alias, ""); err != nil || l.Call.MaxConnections != 9 {
		t.Errorf("our name does not win over the alias: %v %v", l.Call.MaxConnections, err)
	}
}

func TestEveryMistakeAtOnce(t *testing.T) {
	l, err := load(t, map[string]string{"MYRIAD_RUN_TIMEOUT": "soon", "MYRIAD_INSECURE": "yes"},
		"slots:\n  totel: 3\n  per_agent: -1\nlog_level: loud\nrun: 5\n", "--listen=nowhere", "--breaker-failure-ratio=2", "--tls-cert=x")
	if myriad.ErrorCode(err) != myriad.CodeInvalid {
		t.Fatalf("want invalid_request, got %v (%v)", err, l)
	}
	got := map[string]bool{}
	for _, m := range err.(*myriad.Error).Mistakes {
		got[m.Path] = true
	}
	for _, path := range []string{"run.timeout", "insecure", "slots.totel", "slots.per_agent", "log_level", "run", "listen", "breaker.failure_ratio", "tls_cert"} {
		if !got[path] {
			t.Errorf("%s is not named in %v", path, err.(*myriad.Error).Mistakes)
		}
	}
}

func TestEveryKeyHasFlagEnvironmentAndFile(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range options {
		if seen[o.key] || o.help == "" {
			t.Errorf("%s: twice, or without help", o.key)
		}
		seen[o.key] = true
		d := Default()
		value := text(o.into(&d))
		yaml := o.key + ": " + quote(value)
		if section, key, ok := strings.Cut(o.key, "."); ok {
			yaml = section + ":\n  " + key + ": " + quote(value)
		}
		if o.key == "tls_cert" || o.key == "tls_key" {
			continue
		}
		for source, load := range map[string]func() (*Loaded, error){
			"env":  func() (*Loaded, error) { return load(t, map[string]string{o.env(): value}, "") },
			"file": func() (*Loaded, error) { return load(t, nil, yaml) },
			"flag": func() (*Loaded, error) { return load(t, nil, "", "--"+o.flag()+"="+value) },
		} {
			l, err := load()
			if err != nil || text(o.into(&l.Config)) != value || !strings.HasPrefix(l.Source(o.key), source) {
				t.Errorf("%s by %s: %v from %q", o.key, source, err, l.Source(o.key))
			}
		}
	}
}

func quote(s string) string { raw, _ := json.Marshal(s); return string(raw) }

func TestPrintShowsWhereFrom(t *testing.T) {
	l, err := load(t, map[string]string{"MYRIAD_CACHE_MAX_BYTES": "8MiB"}, "", "--grace", "3s")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := l.Print(&out); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{"cache.max_bytes env MYRIAD_CACHE_MAX_BYTES 8MiB", "grace flag --grace 3s", "slots.total default 100"} {
		if !strings.Contains(text, want) {
			t.Errorf("the print lacks %q", want)
		}
	}
}

func TestSizes(t *testing.T) {
	for in, want := range map[string]Size{"0": 0, "1": 1, "4MiB": 4 << 20, "256m": 256 << 20, "1GiB": 1 << 30, "3 KiB": 3 << 10, "12B": 12} {
		if got, err := parseSize(in); err != nil || got != want {
			t.Errorf("%s = %d, %v", in, got, err)
		}
	}
	for _, bad := range []string{"", "x", "4MB2", "9999999999GiB", "1.5MiB"} {
		if got, err := parseSize(bad); err == nil {
			t.Errorf("%q was read as %d", bad, got)
		}
	}
	if Size(3<<20).String() != "3MiB" || Size(1000).String() != "1000" || Size(0).String() != "0" {
		t.Error("sizes are not written as they are read")
	}
}

func TestYAMLToJSON(t *testing.T) {
	for in, want := range map[string]string{
		"a: 1\nb: [x, true, null, 2.50]": `{"a":1,"b":["x",true,null,2.50]}`,
		`{"n": 12345678901234567890.10}`: `{"n": 12345678901234567890.10}`,
		"n: 12345678901234567890.10":     `{"n":12345678901234567890.10}`,
		"n: [1e400, -0, '1e400']":        `{"n":[1e400,-0,"1e400"]}`,
		`{"a": "\ud83d\ude00 \/"}`:       `{"a": "\ud83d\ude00 \/"}`,
		"# nothing":                      `null`,
		"a: yes\nb: 'no'":                `{"a":"yes","b":"no"}`,
		"a: &x [1]\nb: *x":               `{"a":[1],"b":[1]}`,
		"when: 2020-01-02":               `{"when":"2020-01-02"}`,
		"":                               `null`,
		"1: one":                         `{"1":"one"}`,
		"t: |\n  two\n  lines\n":         `{"t":"two\nlines\n"}`,
	} {
		got, err := YAMLToJSON([]byte(in))
		if err != nil || string(got) != want {
			t.Errorf("%q -> %s, %v; want %s", in, got, err, want)
		}
	}
	bomb := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := 1; i < 10; i++ {
		p := string(rune('0' + i - 1))
		n := string(rune('0' + i))
		bomb += "a" + n + ": &a" + n + " [" + strings.TrimSuffix(strings.Repeat("*a"+p+",", 10), ",") + "]\n"
	}
	for _, bad := range []string{"a: 1\na: 2", "a: 0x10", "a: .inf", "? [1]\n: 2", "a: [", "--- 1\n--- 2", bomb, "b: {<<: {a: 1}}", strings.Repeat("[", 200) + strings.Repeat("]", 200)} {
		if got, err := YAMLToJSON([]byte(bad)); myriad.ErrorCode(err) != myriad.CodeInvalid {
			t.Errorf("%.40q -> %.60s, %v; want invalid_request", bad, got, err)
		}
	}
}

// FuzzYAMLToJSON: whatever comes out is JSON, and JSON goes through unchanged in value.
func FuzzYAMLToJSON(f *testing.F) {
	for _, s := range []string{"a: 1", `{"a": [1, "x", null]}`, "a: &x [1]\nb: *x", "- !!binary x", "? a\n: b"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := YAMLToJSON(data)
		if err == nil && !json.Valid(out) {
			t.Fatalf("%q -> %q", data, out)
		}
	})
}

func TestAgentsFile(t *testing.T) {
	file, err := ParseAgents([]byte("agents:\n  - name: A\n    endpoint: http://127.0.0.1:1/query\n    concepts: [pump]\n    intents: [define]\n"), "")
	if err != nil || len(file.Agents) != 1 || file.Agents[0].Owner != myriad.OwnerFile {
		t.Fatalf("%+v, %v", file, err)
	}
	_, err = ParseAgents([]byte("agents:\n  - name: A\n    endpont: x\n    concepts: [p]\n  - name: B\n    endpoint: nowhere\n    concepts: []\n  - name: C\n    endpoint: http://h\n    concepts: [p]\n  - name: C\n    endpoint: http://h\n    concepts: [p]\n"), "")
	if myriad.ErrorCode(err) != myriad.CodeInvalid {
		t.Fatalf("want invalid_request, got %v", err)
	}
	text := ""
	for _, m := range err.(*myriad.Error).Mistakes {
		text += m.Path + ": " + m.Rule + "\n"
	}
	for _, want := range []string{"agents[0].endpont: is no field (line 3)", "agents[1].endpoint: ", "(line 6)", "agents[1].concepts: ", "(line 7)", "agents[3].name: ", "(line 11)"} {
		if !strings.Contains(text, want) {
			t.Errorf("the mistakes lack %q:\n%s", want, text)
		}
	}
	if _, err := ReadAgents(filepath.Join(t.TempDir(), "none")); myriad.ErrorCode(err) != myriad.CodeInvalid {
		t.Errorf("a missing file: %v", err)
	}
}

func TestDefaultsAreValid(t *testing.T) {
	l, err := load(t, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if l.Run.Timeout != 30*time.Second || l.Breaker.Failures != 3 || l.GraphBreaker.OpenFor != time.Minute {
		t.Errorf("the numbers of the design do not hold: %+v", l.Config)
	}
}
