package sqlitestore

import (
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/myriad-mind/myriad"
)

// storedRun is the head of a run record.
type storedRun struct {
	Summary plainSummary   `json:"summary"`
	Key     string         `json:"key,omitempty"`
	Hash    string         `json:"hash,omitempty"`
	Plan    span           `json:"plan,omitzero"`
	Kinds   []string       `json:"kinds,omitempty"` // of Log
	Log     [][3]int64     `json:"log,omitempty"`   // place in Kinds, task, Unix nanoseconds
	Results []storedResult `json:"results,omitempty"`
}

// storedResult is a Result with its raw parts set apart.
type storedResult struct {
	ID         string          `json:"id"`
	IDRaw      span            `json:"id_raw,omitzero"`
	Status     string          `json:"status,omitempty"`
	Succeeded  bool            `json:"ok,omitempty"`
	Answer     *storedAnswer   `json:"answer,omitempty"`
	Code       string          `json:"code,omitempty"`
	Message    string          `json:"message,omitempty"`
	Extra      *storedExtra    `json:"extra,omitempty"`
	Provenance plainProvenance `json:"prov"`
}

// plainProvenance is a Provenance without methods, so that none of them changes how it is kept.
type plainProvenance myriad.Provenance

// storedAnswer is an Answer with its raw parts set apart.
type storedAnswer struct {
	Raw    span   `json:"raw,omitzero"`
	Status string `json:"status,omitempty"`
	Agent  string `json:"agent,omitempty"`
	Data   span   `json:"data,omitzero"`
	Fault  string `json:"fault,omitempty"`
}

// storedExtra is an Extra with its raw part set apart.
type storedExtra struct {
	Agent    string                   `json:"agent,omitempty"`
	Data     span                     `json:"data,omitzero"`
	Message  string                   `json:"message,omitempty"`
	AgentURL string                   `json:"url,omitempty"`
	RetryMS  int64                    `json:"retry_ms,omitempty"`
	Because  string                   `json:"because,omitempty"`
	Growth   *myriad.NeurogenesisData `json:"growth,omitempty"`
	NewAgent *myriad.NewAgent         `json:"new_agent,omitempty"`
	Queued   *myriad.QueuePosition    `json:"queued,omitempty"`
}

// encodeRun writes a record; decodeRun gives it back, raw JSON byte for byte. Results are encoded one by one: together they may be long.
func encodeRun(rec *myriad.RunRecord) ([]byte, error) {
	d := newDraft()
	defer d.free()
	head := storedRun{
		Summary: plainSummary(rec.RunSummary), Key: rec.IdempotencyKey, Hash: rec.BodyHash, Plan: d.add(rec.Plan), Log: make([][3]int64, len(rec.Log)),
	}
	for i, step := range rec.Log {
		kind := slices.Index(head.Kinds, step.Kind)
		if kind < 0 {
			kind = len(head.Kinds)
			head.Kinds = append(head.Kinds, step.Kind)
		}
		head.Log[i] = [3]int64{int64(kind), int64(step.Task), nanos(step.At)}
	}
	if err := d.encode.Encode(&head); err != nil {
		return nil, err
	}
	if len(rec.Results) > 0 {
		d.head.Truncate(d.head.Len() - len("}\n")) // never an empty object: it has a summary
		d.head.WriteString(`,"results":[`)
	}
	for i := range rec.Results {
		if i > 0 {
			d.head.WriteByte(',')
		}
		if err := d.encode.Encode(storeResult(&rec.Results[i], &d.spans)); err != nil {
			return nil, err
		}
	}
	if len(rec.Results) > 0 {
		d.head.WriteString(`]}`)
	}
	return d.seal()
}

func storeResult(r *myriad.Result, raw *spans) *storedResult {
	s := &storedResult{
		ID: r.TaskID.Key, IDRaw: raw.add(r.TaskID.Raw), Status: r.Status, Succeeded: r.Succeeded, Answer: storeAnswer(&r.Answer, raw),
		Code: r.ErrorCode, Message: r.ErrorMessage, Provenance: plainProvenance(r.Provenance),
	}
	if x := &r.Extra; !reflect.ValueOf(x).Elem().IsZero() {
		s.Extra = &storedExtra{
			Agent: x.AgentName, Data: raw.add(x.Data), Message: x.Message, AgentURL: x.AgentURL, RetryMS: x.RetryAfterMS,
			Because: x.SkippedBecause, Growth: x.NeurogenesisData, NewAgent: x.NewAgent, Queued: x.Queued,
		}
	}
	return s
}

func storeAnswer(a *myriad.Answer, raw *spans) *storedAnswer {
	if a.Raw == nil && a.Data == nil && a.Status == "" && a.AgentName == "" && a.Fault == "" {
		return nil
	}
	s := &storedAnswer{Raw: raw.add(a.Raw), Status: a.Status, Agent: a.AgentName, Fault: a.Fault}
	s.Data = raw.within(s.Raw, a.Data)
	return s
}

func decodeRun(sealed []byte) (*myriad.RunRecord, error) {
	var head storedRun
	raw, err := open(sealed, &head)
	if err != nil {
		return nil, err
	}
	rec := &myriad.RunRecord{RunSummary: myriad.RunSummary(head.Summary), IdempotencyKey: head.Key, BodyHash: head.Hash}
	if rec.Plan, err = raw.get(head.Plan); err != nil {
		return nil, err
	}
	for _, step := range head.Log {
		if step[0] < 0 || step[0] >= int64(len(head.Kinds)) {
			return nil, damaged("a step has no kind")
		}
		rec.Log = append(rec.Log, myriad.RunStep{Kind: head.Kinds[step[0]], Task: int(step[1]), At: timeOf(step[2])})
	}
	if len(head.Results) > 0 {
		rec.Results = make([]myriad.Result, len(head.Results))
	}
	for i := range head.Results {
		if err := head.Results[i].restore(&rec.Results[i], raw); err != nil {
			return nil, err
		}
	}
	return rec, nil
}

func (s *storedResult) restore(r *myriad.Result, raw *spans) (err error) {
	*r = myriad.Result{
		TaskID: myriad.TaskID{Key: s.ID}, Status: s.Status, Succeeded: s.Succeeded, ErrorCode: s.Code, ErrorMessage: s.Message,
		Provenance: myriad.Provenance(s.Provenance),
	}
	if r.TaskID.Raw, err = raw.get(s.IDRaw); err != nil {
		return err
	}
	if r.Answer, err = s.Answer.restore(raw); err != nil {
		return err
	}
	if x := s.Extra; x != nil {
		r.Extra = myriad.Extra{
			AgentName: x.Agent, Message: x.Message, AgentURL: x.AgentURL, RetryAfterMS: x.RetryMS, SkippedBecause: x.Because,
			NeurogenesisData: x.Growth, NewAgent: x.NewAgent, Queued: x.Queued,
		}
		r.Extra.Data, err = raw.get(x.Data)
	}
	return err
}

func (s *storedAnswer) restore(raw *spans) (a myriad.Answer, err error) {
	if s == nil {
		return a, nil
	}
	a = myriad.Answer{Status: s.Status, AgentName: s.Agent, Fault: s.Fault}
	if a.Raw, err = raw.get(s.Raw); err != nil {
		return a, err
	}
	a.Data, err = raw.get(s.Data)
	return a, err
}

// noTime is the zero time in nanoseconds, which has no Unix form.
const noTime = math.MinInt64

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return noTime
	}
	return t.UnixNano()
}

func timeOf(n int64) time.Time {
	if n == noTime {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
