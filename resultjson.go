package myriad

import (
	"encoding/json"
	"slices"
	"strings"
)

// AppendJSON appends the result as it goes over the wire: the agent's own fields as they came, and ours beside them. Ours win over the
// agent's of the same name: task_id, status when it differs, succeeded, provenance, the error fields of a failure, and those of Extra.
func (r *Result) AppendJSON(b []byte) []byte {
	o := begin(b)
	o.key("task_id")
	o.b = r.TaskID.appendJSON(o.b)
	r.appendAnswer(&o)
	if r.ownStatus() {
		o.str("status", r.Status)
	}
	o.bool("succeeded", r.Succeeded)
	if !r.Succeeded {
		o.str("error_code", r.ErrorCode)
		o.str("error_message", r.ErrorMessage)
	}
	r.Extra.append(&o, &r.Answer)
	o.key("provenance")
	o.b = r.Provenance.appendJSON(o.b)
	return o.end()
}

// MarshalJSON is AppendJSON; whoever writes many results appends them.
func (r Result) MarshalJSON() ([]byte, error) { return r.AppendJSON(nil), nil }

func (id TaskID) appendJSON(b []byte) []byte {
	if len(id.Raw) == 0 {
		return AppendJSONString(b, id.Key)
	}
	return AppendJSONRaw(b, id.Raw)
}

// ownStatus says that the status on the wire is ours: there is no answer, or it has another one.
func (r *Result) ownStatus() bool {
	return r.Answer.Raw == nil || r.Answer.Status != r.Status || r.Status == ""
}

func (r *Result) appendAnswer(o *object) {
	for name, value := range Fields(r.Answer.Raw) {
		if !r.owns(string(name)) {
			o.anyKey(string(name))
			o.b = AppendJSONRaw(o.b, value)
		}
	}
}

// owns says that a field of ours goes under this name, so that the agent's does not.
func (r *Result) owns(name string) bool {
	x := &r.Extra
	switch name {
	case "task_id", "succeeded", "provenance":
		return true
	case "status":
		return r.ownStatus()
	case "error_code", "error_message":
		return !r.Succeeded
	case "agent_name":
		return x.AgentName != "" && r.Answer.AgentName == ""
	case "data":
		return x.Data != nil && r.Answer.Data == nil
	case "message":
		return x.Message != ""
	case "agent_url":
		return x.AgentURL != ""
	case "retry_after_ms":
		return x.RetryAfterMS != 0
	case "skipped_because":
		return x.SkippedBecause != ""
	case "neurogenesis_data":
		return x.NeurogenesisData != nil
	case "dynamic_agent_created", "new_agent_name", "new_agent_endpoint", "new_agent_capabilities":
		return x.NewAgent != nil
	case "queued":
		return x.Queued != nil
	}
	return false
}

func (x *Extra) append(o *object, a *Answer) {
	if x.AgentName != "" && a.AgentName == "" {
		o.str("agent_name", x.AgentName)
	}
	if x.Data != nil && a.Data == nil {
		o.raw("data", x.Data)
	}
	o.optStr("message", x.Message)
	o.optStr("agent_url", x.AgentURL)
	o.optInt("retry_after_ms", x.RetryAfterMS)
	o.optStr("skipped_because", x.SkippedBecause)
	if x.NeurogenesisData != nil {
		o.value("neurogenesis_data", x.NeurogenesisData)
	}
	if n := x.NewAgent; n != nil {
		o.bool("dynamic_agent_created", true)
		o.str("new_agent_name", n.Name)
		o.str("new_agent_endpoint", n.Endpoint)
		o.value("new_agent_capabilities", nonNil(n.Capabilities))
	}
	if x.Queued != nil {
		o.value("queued", x.Queued)
	}
}

func nonNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func (p *Provenance) appendJSON(b []byte) []byte {
	o := begin(b)
	o.str("source", p.Source)
	o.optInt("age_ms", p.AgeMS)
	o.optStr("agent", p.Agent)
	o.optStr("endpoint", p.Endpoint)
	appendList(&o, "attempts", p.Attempts, (*Attempt).appendJSON)
	appendList(&o, "rejections", p.Rejections, (*Rejection).appendJSON)
	o.optStr("fallback", p.Fallback)
	o.num("queued_ms", p.QueuedMS)
	o.optNum("cold_start_ms", p.ColdStartMS)
	o.num("start_ms", p.StartMS)
	o.num("duration_ms", p.DurationMS)
	appendList(&o, "ranking", p.Ranking, (*Ranked).appendJSON)
	o.optStr("graph", p.Graph)
	o.optInt("graph_age_ms", p.GraphAgeMS)
	return o.end()
}

func appendList[T any](o *object, name string, list []T, each func(*T, []byte) []byte) {
	if len(list) == 0 {
		return
	}
	o.key(name)
	o.b = append(o.b, '[')
	for i := range list {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = each(&list[i], o.b)
	}
	o.b = append(o.b, ']')
}

func (a *Attempt) appendJSON(b []byte) []byte {
	o := begin(b)
	o.str("agent", a.Agent)
	o.str("endpoint", a.Endpoint)
	o.str("outcome", string(a.Outcome))
	o.optInt("http_status", int64(a.HTTPStatus))
	o.num("start_ms", a.StartMS)
	o.num("duration_ms", a.DurationMS)
	o.optStr("error", a.Error)
	if a.Hedge {
		o.bool("hedge", true)
	}
	return o.end()
}

func (r *Rejection) appendJSON(b []byte) []byte {
	o := begin(b)
	o.str("agent", r.Agent)
	o.str("reason", r.Reason)
	o.optInt("retry_after_ms", r.RetryAfterMS)
	return o.end()
}

func (r *Ranked) appendJSON(b []byte) []byte {
	o := begin(b)
	o.str("agent", r.Agent)
	o.num("score", r.Score)
	o.optStr("tier", r.Tier)
	o.key("parts")
	parts := begin(o.b)
	parts.num("weight", r.Parts.Weight)
	parts.num("availability", r.Parts.Availability)
	parts.num("load", r.Parts.Load)
	parts.num("latency", r.Parts.Latency)
	o.b = parts.end()
	return o.end()
}

// UnmarshalJSON reads a result back from the wire. The fields that are ours are taken out, and the rest is the agent's answer; where a
// name may be either's, the status says whose it is.
func (r *Result) UnmarshalJSON(data []byte) error {
	if !json.Valid(data) {
		return Errorf(CodeInvalid, "a result must be JSON")
	}
	return r.read(data)
}

// read reads what is valid JSON.
func (r *Result) read(data []byte) error {
	if i := SkipSpace(data, 0); i >= len(data) || data[i] != '{' {
		return Errorf(CodeInvalid, "a result is a JSON object, got %.40s", data)
	}
	*r = Result{}
	present := make([]member, 0, 12)
	for name, value := range Fields(data) {
		present = append(present, member{string(name), value})
		switch string(name) {
		case "status":
			r.Status = stringOf(value)
		case "succeeded":
			r.Succeeded = value[0] == 't'
		case "provenance":
			r.Provenance = Provenance{} // of equal names the last one counts
			if err := json.Unmarshal(value, &r.Provenance); err != nil {
				return Errorf(CodeInvalid, "reading a result's provenance: %w", err)
			}
		}
	}
	theirs := present[:0]
	for _, m := range present {
		ours, err := r.take(m)
		if err != nil {
			return Errorf(CodeInvalid, "reading a result's %s: %w", m.name, err)
		}
		if !ours {
			theirs = append(theirs, m)
		}
	}
	r.answerOf(theirs)
	return nil
}

type member struct {
	name  string
	value json.RawMessage
}

// take stores the member when it is one of ours.
func (r *Result) take(m member) (ours bool, err error) {
	into := any(nil)
	switch m.name {
	case "task_id":
		r.TaskID, err = scalarID(m.value)
		return true, err
	case "succeeded", "provenance":
		return true, nil
	case "error_code":
		into = &r.ErrorCode
	case "error_message":
		into = &r.ErrorMessage
	}
	if into != nil {
		if r.Succeeded {
			return false, nil
		}
		return true, json.Unmarshal(m.value, into)
	}
	if into = r.extra(m.name); into == nil {
		return false, nil
	}
	if err := json.Unmarshal(m.value, into); err != nil {
		return false, nil // not of our making after all
	}
	return true, nil
}

// extra is where a field of Extra goes, nil when the result's status says that the name is the agent's.
func (r *Result) extra(name string) any {
	x := &r.Extra
	grown := strings.HasPrefix(r.Status, "neurogenesis_")
	switch name {
	case "message":
		if !r.Succeeded && (r.Status == StatusServiceUnavailable || r.Status == StatusSkipped) {
			return &x.Message
		}
	case "agent_url":
		if !r.Succeeded && r.Status == StatusTimeout {
			return &x.AgentURL
		}
	case "retry_after_ms":
		if !r.Succeeded {
			return &x.RetryAfterMS
		}
	case "skipped_because":
		if r.Status == StatusSkipped && !r.Succeeded {
			return &x.SkippedBecause
		}
	case "queued":
		if grown {
			return &x.Queued
		}
	case "neurogenesis_data":
		if grown {
			return &x.NeurogenesisData
		}
	case "new_agent_name", "new_agent_endpoint", "new_agent_capabilities", "dynamic_agent_created":
		if r.Status != StatusNeurogenesisAgent {
			return nil
		}
		if x.NewAgent == nil {
			x.NewAgent = &NewAgent{}
		}
		switch name {
		case "new_agent_name":
			return &x.NewAgent.Name
		case "new_agent_endpoint":
			return &x.NewAgent.Endpoint
		case "new_agent_capabilities":
			return &x.NewAgent.Capabilities
		}
		return new(bool)
	}
	return nil
}

// answerOf makes the agent's answer of the members that are not ours. Without an agent they are ours after all; a status alone is an answer
// only where one was given.
func (r *Result) answerOf(theirs []member) {
	answered := r.Provenance.Source == SourceLive || r.Provenance.Source == SourceCache
	statusOnly := !slices.ContainsFunc(theirs, func(m member) bool { return m.name != "status" })
	if !answered && statusOnly {
		return
	}
	if r.Provenance.Source == SourceDefault || !answered && r.Provenance.Agent == "" && onlyNameAndData(theirs) {
		for _, m := range theirs {
			switch m.name {
			case "agent_name":
				r.Extra.AgentName = stringOf(m.value)
			case "data":
				r.Extra.Data = slices.Clone(m.value)
			}
		}
		return
	}
	raw := []byte{'{'}
	for i, m := range theirs {
		if i > 0 {
			raw = append(raw, ',')
		}
		raw = append(AppendJSONString(raw, m.name), ':')
		raw = append(raw, m.value...)
	}
	r.Answer = ReadAnswer(append(raw, '}'))
}

func onlyNameAndData(members []member) bool {
	return !slices.ContainsFunc(members, func(m member) bool {
		return m.name != "status" && m.name != "data" && (m.name != "agent_name" || m.value[0] != '"')
	})
}

// ReadAnswer reads the fields that Myriad needs out of an agent's answer. raw must be valid JSON and is kept; of equal names the last counts.
func ReadAnswer(raw json.RawMessage) Answer {
	a := Answer{Raw: raw}
	for name, value := range Fields(raw) {
		switch string(name) {
		case "status":
			a.Status = stringOf(value)
		case "agent_name":
			a.AgentName = stringOf(value)
		case "data":
			a.Data = value
		case "fault":
			a.Fault = stringOf(value)
		}
	}
	return a
}

// scalarID is the id that a result echoes: besides strings and numbers the compatible routes take true, false and null.
func scalarID(raw json.RawMessage) (TaskID, error) {
	raw = slices.Clone(raw)
	switch raw[0] {
	case 't':
		return TaskID{Key: "True", Raw: raw}, nil
	case 'f':
		return TaskID{Key: "False", Raw: raw}, nil
	case 'n':
		return TaskID{Key: "None", Raw: raw}, nil
	}
	var id TaskID
	err := id.UnmarshalJSON(raw)
	return id, err
}
