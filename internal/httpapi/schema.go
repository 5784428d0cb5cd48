package httpapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/myriad-mind/myriad"
)

const componentPrefix = "#/components/schemas/"

// schemas makes JSON Schemas of Go types. Every named struct becomes a component that others refer to.
type schemas struct {
	refs map[reflect.Type]*jsonschema.Schema // how a type is written where it is used
	made map[string]*jsonschema.Schema       // components by name
	from map[string]reflect.Type             // the type of each component, to tell two of one name
}

func newSchemas() *schemas {
	s := &schemas{refs: map[reflect.Type]*jsonschema.Schema{}, made: map[string]*jsonschema.Schema{}, from: map[string]reflect.Type{}}
	s.refs[typeOf[json.RawMessage]()] = &jsonschema.Schema{}
	s.refs[typeOf[time.Time]()] = &jsonschema.Schema{Type: "string", Format: "date-time"}
	s.refs[typeOf[myriad.RunStatus]()] = words(myriad.RunRunning, myriad.RunSuccess, myriad.RunPartial, myriad.RunFailed, myriad.RunTimeout,
		myriad.RunCancelled, myriad.RunInterrupted)
	return s
}

// custom are the types whose JSON is not told by their fields, with the types that their schemas name.
var custom = map[reflect.Type]struct {
	schema func(*schemas) *jsonschema.Schema
	uses   []reflect.Type
}{
	typeOf[myriad.TaskID]():    {taskIDSchema, nil},
	typeOf[myriad.Result]():    {resultSchema, []reflect.Type{typeOf[myriad.TaskID](), typeOf[myriad.Provenance](), typeOf[myriad.NeurogenesisData](), typeOf[myriad.QueuePosition]()}},
	typeOf[myriad.RunRecord](): {recordSchema, []reflect.Type{typeOf[myriad.RunSummary](), typeOf[myriad.Result]()}},
	typeOf[ProcessRequest]():   {processSchema, nil},
	typeOf[processAnswer]():    {answerSchema, []reflect.Type{typeOf[ProcessReply](), typeOf[QueryReply]()}},
}

// use is the schema by which t is referred to; its component, and those that it needs, are made on the way.
func (s *schemas) use(t reflect.Type) (*jsonschema.Schema, error) {
	if err := s.collect(t); err != nil {
		return nil, err
	}
	schema, err := jsonschema.ForType(t, &jsonschema.ForOptions{TypeSchemas: s.refs})
	if err != nil {
		return nil, err
	}
	tidy(schema)
	return schema, nil
}

// collect makes the components of t and of what t holds, the inner ones first.
func (s *schemas) collect(t reflect.Type) error {
	switch {
	case s.refs[t] != nil:
		return nil
	case t.Kind() == reflect.Pointer, t.Kind() == reflect.Slice, t.Kind() == reflect.Map:
		return s.collect(t.Elem())
	case t.Kind() != reflect.Struct:
		return nil
	}
	own, isCustom := custom[t]
	inner := own.uses
	if !isCustom {
		for _, f := range reflect.VisibleFields(t) {
			if f.IsExported() && f.Tag.Get("json") != "-" {
				inner = append(inner, f.Type)
			}
		}
	}
	for _, it := range inner {
		if err := s.collect(it); err != nil {
			return err
		}
	}
	return s.make(t, own.schema)
}

func (s *schemas) make(t reflect.Type, own func(*schemas) *jsonschema.Schema) error {
	name := t.Name()
	if other, taken := s.from[name]; taken {
		return fmt.Errorf("openapi: %s and %s have one name", other, t)
	}
	schema, err := (*jsonschema.Schema)(nil), error(nil)
	if own != nil {
		schema = own(s)
	} else if schema, err = jsonschema.ForType(t, &jsonschema.ForOptions{TypeSchemas: s.refs}); err != nil {
		return fmt.Errorf("openapi: schema of %s: %w", t, err)
	}
	tidy(schema)
	refine(name, schema)
	s.made[name], s.from[name] = schema, t
	s.refs[t] = refTo(name)
	return nil
}

// tidy takes null out of the types: our replies leave out what is not there, and the few that are null say so by refine.
func tidy(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	if slices.Contains(s.Types, "null") {
		s.Types = slices.DeleteFunc(s.Types, func(t string) bool { return t == "null" || t == "" })
		if len(s.Types) == 1 {
			s.Type, s.Types = s.Types[0], nil
		}
		if len(s.Types) == 0 {
			s.Types = nil
		}
	}
	tidy(s.Items)
	tidy(s.AdditionalProperties)
	for _, p := range s.Properties {
		tidy(p)
	}
}

// refine adds what Go types cannot say.
func refine(name string, s *jsonschema.Schema) {
	for path, schema := range refinements {
		if typ, field, _ := cut(path); typ == name {
			if p := s.Properties[field]; p != nil && schema.Description == "" {
				schema.Description = p.Description
			}
			s.Properties[field] = &schema
		}
	}
}

func cut(path string) (typ, field string, ok bool) {
	for i, c := range path {
		if c == '.' {
			return path[:i], path[i+1:], true
		}
	}
	return path, "", false
}

var refinements = map[string]jsonschema.Schema{
	"Task.args":                  {Type: "object", Description: "handed on to the agent; strings in it may refer to results: ${tasks.ID.data.path}"},
	"Task.priority":              {Type: "integer", Minimum: jsonschema.Ptr(0.0), Maximum: jsonschema.Ptr(9.0)},
	"Task.timeout_ms":            {Type: "integer", Minimum: jsonschema.Ptr(0.0)},
	"Task.max_age_ms":            {Type: "integer", Minimum: jsonschema.Ptr(0.0)},
	"Task.on_dependency_failure": *words(myriad.OnFailureSkip, myriad.OnFailureContinue),
	"Task.fallback":              {OneOf: []*jsonschema.Schema{words("none"), {Type: "object", Required: []string{"value"}, Properties: map[string]*jsonschema.Schema{"value": {}}}}},
	"BreakerAction.action":       *words("open", "close", "auto"),
	"BreakerState.state":         *words("closed", "open", "half_open"),
	"BreakerState.mode":          *words("auto", "forced_open", "forced_closed"),
	"Discovery.graph":            *words(myriad.GraphFresh, myriad.GraphStale),
	"Provenance.source":          *words(myriad.SourceLive, myriad.SourceCache, myriad.SourceDefault, myriad.SourceNone),
	"InstanceStatus.state": *words(myriad.InstanceQueued, myriad.InstanceStarting, myriad.InstanceReady, myriad.InstanceDraining,
		myriad.InstanceStopped, myriad.InstanceFailed),
	"QueueEntry.kind": *words(myriad.QueueGrow, myriad.QueueWake),
	"Knowledge.primary_definition": {Type: "string", MaxLength: jsonschema.Ptr(myriad.MaxKnowledgeBytes),
		Description: fmt.Sprintf("%d bytes at most, together with all other texts of the knowledge but what was learned", myriad.MaxKnowledgeBytes)},
	"Knowledge.applications":     entries,
	"Knowledge.related_concepts": entries,
	"Knowledge.key_attributes":   entries,
	"Knowledge.research_sources": entries,
	"Knowledge.learned_knowledge": {Type: "object", MaxProperties: jsonschema.Ptr(myriad.MaxLearned), AdditionalProperties: refTo("Learn"),
		Description: fmt.Sprintf("by type; %d bytes at most in all types and contents together", myriad.MaxLearnedTotal)},
	"Learn.content":             {Type: "string", MaxLength: jsonschema.Ptr(myriad.MaxLearnedBytes), Description: fmt.Sprintf("%d bytes at most", myriad.MaxLearnedBytes)},
	"Limits.cpu":                {Type: "number", Description: "cores, 0.001 at least; 0 or absent in a template is the server's default"},
	"Limits.memory_bytes":       {Type: "integer", Description: "swap included, 6291456 (6 MiB) at least; 0 or absent in a template is the server's default"},
	"Limits.pids":               {Type: "integer", Description: "processes and threads; 0 or absent in a template is the server's default"},
	"Template.dir":              {Type: "string", Description: "working directory of a command: a whole path on the server's machine; absent is the server's own"},
	"Template.kind":             *words(myriad.TemplateKnowledge, myriad.TemplateCommand, myriad.TemplateImage, myriad.TemplateHandler),
	"Template.mode":             *words(myriad.ModeStdio, myriad.ModeHTTP, myriad.ModeExec),
	"Template.pull":             *words("never", "missing", "always"),
	"CompatAgent.endpoint":      {Types: []string{"string", "null"}},
	"CompatAgent.type":          {Types: []string{"string", "null"}},
	"CompatDiscovery.agent_url": {Types: []string{"string", "null"}},
}

// entries are a list of what an agent knows.
var entries = jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{Type: "string"}, MaxItems: jsonschema.Ptr(myriad.MaxKnowledgeEntries)}

func words[T ~string](list ...T) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, w := range list {
		s.Enum = append(s.Enum, string(w))
	}
	return s
}

func refTo(name string) *jsonschema.Schema { return &jsonschema.Schema{Ref: componentPrefix + name} }

func taskIDSchema(*schemas) *jsonschema.Schema {
	return &jsonschema.Schema{Types: []string{"string", "number"}, Description: "1 and \"1\" are the same id; replies keep the form that was sent"}
}

// resultSchema: the agent's own fields as they came, and ours beside them.
func resultSchema(*schemas) *jsonschema.Schema {
	text := func(about string) *jsonschema.Schema { return &jsonschema.Schema{Type: "string", Description: about} }
	return &jsonschema.Schema{
		Type:        "object",
		Description: "the agent's own fields as they came, and these beside them",
		Required:    []string{"task_id", "status", "succeeded", "provenance"},
		Properties: map[string]*jsonschema.Schema{
			"task_id":                {Types: []string{"string", "number", "boolean", "null"}, Description: "as it was sent"},
			"status":                 text("ours, or the agent's own word"),
			"succeeded":              {Type: "boolean", Description: "decided from the outcome, never from an agent's word"},
			"error_code":             text("stable word; on failure"),
			"error_message":          text("for people; on failure"),
			"data":                   {},
			"agent_url":              text("with timeout"),
			"retry_after_ms":         {Type: "integer", Description: "when trying again may help"},
			"skipped_because":        text("key of the dependency that is the culprit"),
			"neurogenesis_data":      refTo("NeurogenesisData"),
			"dynamic_agent_created":  {Type: "boolean"},
			"new_agent_name":         text(""),
			"new_agent_endpoint":     text(""),
			"new_agent_capabilities": {Type: "array", Items: &jsonschema.Schema{Type: "string"}},
			"queued":                 refTo("QueuePosition"),
			"provenance":             refTo("Provenance"),
		},
	}
}

// recordSchema: a run's summary, and its results beside.
func recordSchema(s *schemas) *jsonschema.Schema {
	record := s.made["RunSummary"].CloneSchemas()
	record.Properties = maps.Clone(record.Properties)
	record.Properties["results"] = &jsonschema.Schema{Type: "object", AdditionalProperties: refTo("Result"),
		Description: "by task id; while the run is running, those there are"}
	record.Required = append(slices.Clone(record.Required), "results")
	return record
}

func answerSchema(*schemas) *jsonschema.Schema {
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{refTo("ProcessReply"), refTo("QueryReply")}}
}

func processSchema(*schemas) *jsonschema.Schema {
	return &jsonschema.Schema{
		Type:        "object",
		Description: "tasks, or a query that becomes one task with the intent define; tasks win",
		AnyOf:       []*jsonschema.Schema{{Required: []string{"tasks"}}, {Required: []string{"query"}}},
		Properties: map[string]*jsonschema.Schema{
			"tasks": {Type: "array", Items: &jsonschema.Schema{Type: "object", Required: []string{"task_id", "concept", "intent"},
				Properties: map[string]*jsonschema.Schema{
					"task_id": {Types: []string{"string", "number", "boolean", "null"}}, "concept": {Type: "string"}, "intent": {Type: "string"},
					"args": {Type: "object"}, "dependencies": {Type: "array"},
				}}},
			"query":   {Type: "string"},
			"user_id": {},
		},
	}
}
