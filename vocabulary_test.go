package myriad_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"testing"

	"github.com/myriad-mind/myriad"
)

func TestTaskIDKeepsItsJSON(t *testing.T) {
	for in, key := range map[string]string{`1`: "1", `"1"`: "1", `12345678901234567890123`: "12345678901234567890123", `"a b"`: "a b", `1.0`: "1.0"} {
		var id myriad.TaskID
		if err := json.Unmarshal([]byte(in), &id); err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		out, err := json.Marshal(id)
		if err != nil || string(out) != in || id.Key != key {
			t.Errorf("%s -> key %q, JSON %s, %v", in, id.Key, out, err)
		}
	}
	for _, bad := range []string{`true`, `null`, `{}`, `[1]`} {
		var id myriad.TaskID
		if err := id.UnmarshalJSON([]byte(bad)); bad != "null" && err == nil {
			t.Errorf("%s was taken as an id", bad)
		}
	}
}

func TestErrors(t *testing.T) {
	cause := errors.New("cause")
	err := fmt.Errorf("open: %w", myriad.Errorf(myriad.CodeUnavailable, "graph: %w", cause))
	if myriad.ErrorCode(err) != myriad.CodeUnavailable || !errors.Is(err, cause) {
		t.Errorf("code or cause lost: %v", err)
	}
	if myriad.ErrorCode(cause) != myriad.CodeInternal || myriad.ErrorCode(nil) != "" {
		t.Error("an error without a code is internal, none has none")
	}
	if myriad.Invalid(nil) != nil {
		t.Error("no mistakes are no error")
	}
	many := make([]myriad.Mistake, 5)
	for i := range many {
		many[i] = myriad.Mistake{Path: fmt.Sprintf("tasks[%d]", i), Rule: "is wrong"}
	}
	if got := myriad.Invalid(many).Error(); got != "tasks[0]: is wrong; tasks[1]: is wrong; tasks[2]: is wrong; and 2 more" {
		t.Errorf("summary: %s", got)
	}
}

func TestCodesAndStatusesAgree(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 429, 499, 500, 503, 504} {
		if got := myriad.CodeOfStatus(status).HTTPStatus(); got != status {
			t.Errorf("status %d -> %s -> %d", status, myriad.CodeOfStatus(status), got)
		}
	}
	if myriad.CodeOfStatus(503) != myriad.CodeUnavailable {
		t.Error("503 without a code is unavailable")
	}
}

func TestTraceParent(t *testing.T) {
	const header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	tp, ok := myriad.ParseTraceParent(header)
	if !ok || tp.String() != header {
		t.Fatalf("%v %v", tp, ok)
	}
	for _, bad := range []string{"", header + "-x", "01" + header[2:], "00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", "00-zz" + header[5:]} {
		if _, ok := myriad.ParseTraceParent(bad); ok {
			t.Errorf("%q was taken", bad)
		}
	}
	run := myriad.RunSpan("01890a5d-ac96-774b-bcce-b302099a8057", "")
	if fmt.Sprintf("%x", run.TraceID) != "01890a5dac96774bbcceb302099a8057" {
		t.Errorf("the trace of a run without a client's is not its own id: %x", run.TraceID)
	}
	if odd := myriad.RunSpan("r", "").TraceID; odd == [16]byte{} || odd != myriad.RunSpan("r", "nonsense").TraceID || odd == myriad.RunSpan("s", "").TraceID {
		t.Errorf("the trace of a run whose id is no UUID is %x", odd)
	}
	sum := fnv.New64a()
	sum.Write([]byte("r\x00t\x0012"))
	if got := run.AttemptSpan("r", "t", 12).SpanID; binary.BigEndian.Uint64(got[:]) != sum.Sum64()|1 {
		t.Errorf("the span's id is %x, want %x", got, sum.Sum64()|1)
	}
	a, b := run.AttemptSpan("r", "t", 1), run.AttemptSpan("r", "t", 2)
	if a == b || a == run.TaskSpan("r", "t") || a != run.AttemptSpan("r", "t", 1) {
		t.Error("span ids must differ by what they name, and only by that")
	}
}

func TestSlotKey(t *testing.T) {
	external := &myriad.Agent{Name: "A", Endpoint: "http://h/query"}
	hosted := &myriad.Agent{Name: "B", Endpoint: "http://h/query", Template: &myriad.Template{Kind: myriad.TemplateKnowledge}}
	if external.SlotKey() != "http://h/query" || hosted.SlotKey() != "B" {
		t.Errorf("%q %q", external.SlotKey(), hosted.SlotKey())
	}
}

func TestEveryOutcomeHasItsClass(t *testing.T) {
	for outcome, class := range map[myriad.Outcome]myriad.Class{
		myriad.OutcomeSuccess: myriad.ClassSuccess, myriad.OutcomeAgentError: myriad.ClassAgent, myriad.OutcomeServerError: myriad.ClassAgent,
		myriad.OutcomeEndpoint: myriad.ClassAgent, myriad.OutcomeTimeout: myriad.ClassAgent, myriad.OutcomeRefused: myriad.ClassAgent,
		myriad.OutcomeReset: myriad.ClassAgent, myriad.OutcomeDNS: myriad.ClassAgent, myriad.OutcomeTLS: myriad.ClassAgent,
		myriad.OutcomeGarbage: myriad.ClassAgent, myriad.OutcomeTooLarge: myriad.ClassAgent, myriad.OutcomeCallerFault: myriad.ClassCaller,
		myriad.OutcomeToldToWait: myriad.ClassWait, myriad.OutcomeCancelled: myriad.ClassNobody, myriad.OutcomeLostHedge: myriad.ClassNobody,
		myriad.OutcomeLocal: myriad.ClassNobody, myriad.OutcomeCircuitOpen: myriad.ClassNobody, myriad.OutcomeTaskDeadline: myriad.ClassNobody,
		myriad.OutcomePanic: myriad.ClassNobody, "invented": myriad.ClassNobody,
	} {
		if outcome.Class() != class {
			t.Errorf("%s is of class %d, want %d", outcome, outcome.Class(), class)
		}
	}
}
