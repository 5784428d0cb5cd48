package httpapi

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// The parts of an OpenAPI 3.1 document that ours has.
type (
	oaDocument struct {
		OpenAPI    string                             `json:"openapi"`
		Info       oaInfo                             `json:"info"`
		Security   []map[string][]string              `json:"security"`
		Tags       []oaTag                            `json:"tags"`
		Paths      map[string]map[string]*oaOperation `json:"paths"`
		Components oaComponents                       `json:"components"`
	}
	oaInfo struct {
		Title       string `json:"title"`
		Description string `json:"description"`
		Version     string `json:"version"`
	}
	oaTag struct {
		Name        string `json:"name"`
		Description string `json:"description"`
	}
	oaOperation struct {
		OperationID string                 `json:"operationId"`
		Summary     string                 `json:"summary"`
		Tags        []string               `json:"tags"`
		Parameters  []oaParameter          `json:"parameters,omitempty"`
		RequestBody *oaRequestBody         `json:"requestBody,omitempty"`
		Responses   map[string]*oaResponse `json:"responses"`
		Security    *[]map[string][]string `json:"security,omitempty"` // set and empty: none needed
	}
	oaParameter struct {
		Name        string             `json:"name"`
		In          string             `json:"in"`
		Description string             `json:"description"`
		Required    bool               `json:"required,omitempty"`
		Schema      *jsonschema.Schema `json:"schema"`
	}
	oaRequestBody struct {
		Required bool                   `json:"required"`
		Content  map[string]oaMediaType `json:"content"`
	}
	oaResponse struct {
		Description string                 `json:"description"`
		Headers     map[string]oaHeader    `json:"headers,omitempty"`
		Content     map[string]oaMediaType `json:"content,omitempty"`
	}
	oaHeader struct {
		Description string             `json:"description"`
		Schema      *jsonschema.Schema `json:"schema"`
	}
	oaMediaType struct {
		Schema *jsonschema.Schema `json:"schema,omitempty"`
	}
	oaComponents struct {
		Schemas         map[string]*jsonschema.Schema `json:"schemas"`
		SecuritySchemes map[string]oaSecurityScheme   `json:"securitySchemes"`
	}
	oaSecurityScheme struct {
		Type        string `json:"type"`
		Scheme      string `json:"scheme"`
		Description string `json:"description"`
	}
)

const about = "Myriad routes work to a fleet of specialist agents: post a graph of tasks stated by capability, get the answers. " +
	"Failed native requests are RFC 9457 problems with a stable code and every mistake of the request."

var tags = []oaTag{
	{"runs", "Graphs of tasks, carried out"},
	{"agents", "Who may answer"},
	{"fleet", "Which agents are alive, within which limits"},
	{"graph", "What is known, and who would be asked"},
	{"events", "What happens on the server"},
	{"probes", "For supervisors and load balancers"},
	{"compatible", "The routes of the Python system, for its clients"},
}

var headerTexts = map[string]string{
	"Location":           "where the new resource is",
	"ETag":               "the revision, for If-Match",
	"Retry-After":        "seconds until trying again may help",
	"WWW-Authenticate":   "the scheme that is asked for",
	"Preference-Applied": "respond-async",
	"Accept-Encoding":    "identity, when the request's body is in another content coding",
}

// document makes the OpenAPI document of the table.
func document(table []*route, version string) ([]byte, error) {
	s := newSchemas()
	doc := oaDocument{
		OpenAPI:  "3.1.0",
		Info:     oaInfo{Title: "Myriad", Description: about, Version: version},
		Security: []map[string][]string{{"token": {}}, {}},
		Tags:     tags,
		Paths:    map[string]map[string]*oaOperation{},
	}
	if doc.Info.Version == "" {
		doc.Info.Version = "0.0.0"
	}
	for _, rt := range table {
		op, err := s.operation(rt)
		if err != nil {
			return nil, fmt.Errorf("openapi: %s %s: %w", rt.method, rt.path, err)
		}
		if doc.Paths[rt.path] == nil {
			doc.Paths[rt.path] = map[string]*oaOperation{}
		}
		doc.Paths[rt.path][strings.ToLower(rt.method)] = op
	}
	for _, t := range streamed {
		if _, err := s.use(t); err != nil {
			return nil, fmt.Errorf("openapi: %w", err)
		}
	}
	doc.Components = oaComponents{Schemas: s.made, SecuritySchemes: map[string]oaSecurityScheme{"token": {Type: "http", Scheme: "bearer",
		Description: "off loopback for all but probes; on loopback for what makes the server run programs or use credentials"}}}
	b, err := json.Marshal(doc)
	return append(b, '\n'), err
}

func (s *schemas) operation(rt *route) (*oaOperation, error) {
	op := &oaOperation{OperationID: rt.id, Summary: rt.summary, Tags: []string{rt.tag}, Responses: map[string]*oaResponse{}}
	for _, p := range rt.params {
		kind := p.kind
		if kind == "" {
			kind = "string"
		}
		op.Parameters = append(op.Parameters, oaParameter{Name: p.name, In: p.in, Description: p.about, Required: p.in == "path",
			Schema: &jsonschema.Schema{Type: kind}})
	}
	if rt.probe {
		op.Security = &[]map[string][]string{}
	}
	if rt.body != nil {
		schema, err := s.use(rt.body.of)
		if err != nil {
			return nil, err
		}
		op.RequestBody = &oaRequestBody{Required: true, Content: map[string]oaMediaType{typeJSON: {schema}}}
	}
	for _, rep := range rt.all() {
		if err := s.response(op, rep); err != nil {
			return nil, err
		}
	}
	return op, nil
}

func (s *schemas) response(op *oaOperation, rep reply) error {
	key := strconv.Itoa(rep.status)
	res := op.Responses[key]
	if res == nil {
		res = &oaResponse{Description: rep.about}
		op.Responses[key] = res
	}
	for _, h := range rep.headers {
		if res.Headers == nil {
			res.Headers = map[string]oaHeader{}
		}
		res.Headers[h] = oaHeader{Description: headerTexts[h], Schema: &jsonschema.Schema{Type: "string"}}
	}
	media := rep.mediaType()
	if media == "" {
		return nil
	}
	if res.Content == nil {
		res.Content = map[string]oaMediaType{}
	}
	content := oaMediaType{Schema: &jsonschema.Schema{Type: "string"}}
	if rep.of != nil {
		schema, err := s.use(rep.of)
		if err != nil {
			return err
		}
		content.Schema = schema
	}
	res.Content[media] = content
	return nil
}
