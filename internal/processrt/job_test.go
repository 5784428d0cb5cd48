package processrt

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestShape(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"an answer in full", `{"agent_name":"Other","status":"success","data":[1]}`, `{"agent_name":"Other","status":"success","data":[1]}`},
		{"an error", `{"status":"error","data":"no","fault":"caller"}`, `{"agent_name":"A","status":"error","data":"no","fault":"caller"}`},
		{"a status alone", `{"status":"success","knowledge":"k"}`, `{"agent_name":"A","status":"success","knowledge":"k"}`},
		{"data alone", `{"data":7}`, `{"agent_name":"A","status":"success","data":7}`},
		{"its own task", `{"task_id":"1","data":7}`, `{"agent_name":"A","status":"success","task_id":"1","data":7}`},
		{"its own task as a number", `{"task_id":1,"status":"success"}`, `{"agent_name":"A","task_id":1,"status":"success"}`},
		{"no task", `{"task_id":null,"data":7}`, `{"agent_name":"A","status":"success","task_id":null,"data":7}`},
		{"any object", `{"temperature":20}`, `{"agent_name":"A","status":"success","data":{"temperature":20}}`},
		{"a status that is no text", `{"status":5,"data":1}`, `{"agent_name":"A","status":"success","data":{"status":5,"data":1}}`},
		{"names as they are written", `{"Status":"success","Data":1}`, `{"agent_name":"A","status":"success","data":{"Status":"success","Data":1}}`},
		{"an empty object", ` {} `, `{"agent_name":"A","status":"success","data":{}}`},
		{"a list", "[1, 2]\r\n", `{"agent_name":"A","status":"success","data":[1, 2]}`},
		{"a text", `"hello"`, `{"agent_name":"A","status":"success","data":"hello"}`},
		{"nothing", `null`, `{"agent_name":"A","status":"success","data":null}`},
		{"digits stay", `12345678901234567890.10`, `{"agent_name":"A","status":"success","data":12345678901234567890.10}`},
		{"no JSON", `hello`, ""},
		{"two values", `1 2`, ""},
		{"an empty line", "  \n", ""},
		{"no UTF-8", "\"\xff\"", ""},
	} {
		got, err := shape("A", "1", []byte(c.text))
		if string(got.body) != c.want || (c.want == "") != errors.Is(err, errNoJSON) || c.want != "" && got.status != http.StatusOK {
			t.Errorf("%s: %d %s, %v", c.name, got.status, got.body, err)
		}
	}
	for _, text := range []string{`{"task_id":2,"data":1}`, `{"task_id":"x"}`, `{"task_id":[1],"data":1}`} {
		if _, err := shape("A", "1", []byte(text)); !errorAs[otherTask](err) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func errorAs[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// FuzzShape: whatever a script writes, it is refused, or becomes a JSON object with the name and the status of an answer.
func FuzzShape(f *testing.F) {
	for _, seed := range []string{`{"status":"x"}`, `{"data":{}}`, `{ }`, `[]`, `{"agent_name":null,"status":"","data":1}`, `{"task_id":1,"task_id":2}`, "\xff", ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		a, err := shape(`A"\`, "1", text)
		if !bytes.Equal(before, text) {
			t.Fatal("the text was changed")
		}
		if err != nil {
			return
		}
		var out map[string]json.RawMessage
		if err := json.Unmarshal(a.body, &out); err != nil {
			t.Fatalf("%q became %q: %v", text, a.body, err)
		}
		var status string
		if err := json.Unmarshal(out["status"], &status); err != nil || out["agent_name"] == nil {
			t.Fatalf("%q became %q: %v", text, a.body, err)
		}
	})
}

func TestDeadline(t *testing.T) {
	for header, want := range map[string]time.Duration{"": math.MaxInt64, "x": math.MaxInt64, "-1": math.MaxInt64, "0": math.MaxInt64, "1": time.Millisecond,
		"99999999999999999999": math.MaxInt64, "9223372036854775807": math.MaxInt64, "1500": 1500 * time.Millisecond} {
		if got := deadline(header); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
}

// TestReadLine: lines come out as they went in, however they are cut, and one that is too long is told from others.
func TestReadLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(rapid.StringMatching(`[a-z]{0,200}`), 0, 20).Draw(t, "lines")
		ended := rapid.Bool().Draw(t, "ended")
		text := strings.Join(lines, "\n")
		if ended {
			text += "\n"
		}
		in := bufio.NewReaderSize(strings.NewReader(text), 16)
		var got strings.Builder
		for {
			line, err := readLine(in)
			got.Write(line)
			if err != nil {
				break
			}
			if !bytes.HasSuffix(line, []byte("\n")) {
				t.Fatalf("%q is no line", line)
			}
		}
		if got.String() != text {
			t.Fatalf("%q became %q", text, got.String())
		}
	})
	for size, tooLong := range map[int]bool{maxAnswer: false, maxAnswer + 1: true, 3 * maxAnswer: true} {
		line, err := readLine(bufio.NewReaderSize(strings.NewReader(strings.Repeat("x", size)+"\n"), 64<<10))
		if (err == errLongLine) != tooLong || !tooLong && len(line) != size+1 {
			t.Errorf("a line of %d bytes: %d, %v", size, len(line), err)
		}
	}
}

// TestRing keeps the end of what was added, in whole lines when it can.
func TestRing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := ring{size: rapid.IntRange(1, 50).Draw(t, "size")}
		all := ""
		for _, part := range rapid.SliceOf(rapid.StringMatching(`[a-c]{0,30}\n`)).Draw(t, "parts") {
			r.add(part)
			all += part
			if got := r.String(); !strings.HasSuffix(all, got) || len(got) > r.size || len(all) <= r.size && got != all || cap(r.text) > 20*(r.size+32) {
				t.Fatalf("of %q is kept %q", all, got)
			}
		}
	})
}
