package inprocrt

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/myriad-mind/myriad"
)

// KnowledgeOptions are the settings of a KnowledgeAgent. The zero value is usable.
type KnowledgeOptions struct {
	Nonce string // echoed on /health as the proof of being this instance; "" is none
	// Learned takes what the agent is told, with all that it will know then, into safe keeping. It is called by the request that teaches the
	// agent, one call at a time, and must be quick. k is shared and must not be changed. After an error the agent has learned nothing, and the
	// request is answered with it. Nil is nobody.
	Learned func(agent string, k myriad.Knowledge) error
}

// KnowledgeAgent answers from the knowledge of a packet (wire facts 2.3 and 2.4, "Dynamic agents"). It is an http.Handler, safe for concurrent
// use, with the routes of its template: jobs in both dialects at /query, /collaborate, /health, /update_knowledge and what else the template
// lists. What it is told it answers with from then on.
type KnowledgeAgent struct {
	name         string
	form         myriad.KnowledgeTemplateSpec
	capabilities []string
	concepts     []string // canonical; what it may be asked about
	opts         KnowledgeOptions
	began        time.Time

	known atomic.Pointer[myriad.Knowledge] // what it points at, maps and lists included, never changes

	mu sync.Mutex // held from a lesson's judgement until it is known
}

// NewKnowledge makes the agent of a packet of knowledge; any other packet is CodeInvalid. A template id that is unknown is as
// TemplateFactbaseBasic.
func NewKnowledge(p myriad.Packet, opts KnowledgeOptions) (*KnowledgeAgent, error) {
	t := p.Agent.Template
	if t == nil || t.Kind != myriad.TemplateKnowledge || t.Knowledge == nil {
		return nil, myriad.Errorf(myriad.CodeInvalid, "agent %s has no knowledge to answer from", p.Agent.Name)
	}
	form, ok := myriad.KnowledgeTemplate(t.ID)
	if !ok {
		form, _ = myriad.KnowledgeTemplate("")
	}
	k := &KnowledgeAgent{name: p.Agent.Name, form: form, capabilities: p.Agent.Capabilities, opts: opts, began: time.Now()}
	if len(k.capabilities) == 0 {
		k.capabilities = form.Capabilities
	}
	concept, err := myriad.CanonicalConcept(t.Knowledge.Concept)
	if err != nil {
		return nil, fmt.Errorf("the knowledge of agent %s: %w", p.Agent.Name, err)
	}
	k.concepts = p.Agent.ConceptKeys()
	if !slices.Contains(k.concepts, concept) {
		k.concepts = append(k.concepts, concept)
	}
	k.known.Store(t.Knowledge)
	return k, nil
}

// Name is the agent's name.
func (k *KnowledgeAgent) Name() string { return k.name }

// Knowledge is what the agent knows now. It is shared and must not be changed.
func (k *KnowledgeAgent) Knowledge() myriad.Knowledge { return *k.known.Load() }

// ServeHTTP answers at the routes of the agent's template.
func (k *KnowledgeAgent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if !slices.Contains(k.form.Routes, path) {
		send(w, http.StatusNotFound, k.failure("no such path: "+path))
		return
	}
	switch path {
	case "/health":
		k.health(w, r)
	case "/query":
		k.post(w, r, k.query)
	case "/collaborate":
		k.post(w, r, k.collaborate)
	case "/update_knowledge":
		k.post(w, r, k.update)
	default:
		k.post(w, r, func(body []byte) (int, message) { return k.function(strings.TrimPrefix(path, "/"), body) })
	}
}

func (k *KnowledgeAgent) health(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		send(w, http.StatusMethodNotAllowed, k.failure("only GET is answered here"))
		return
	}
	known := k.known.Load()
	out := message{
		"status": "healthy", "agent": k.name, "concept": known.Concept, "capabilities": k.capabilities,
		"knowledge_confidence": known.ConfidenceScore, "uptime": math.Round(time.Since(k.began).Seconds()*1000) / 1000, // in seconds
	}
	if k.opts.Nonce != "" {
		out["nonce"] = k.opts.Nonce
	}
	send(w, http.StatusOK, out)
}

// mine says whether the agent may be asked about a concept as somebody wrote it.
func (k *KnowledgeAgent) mine(concept string) bool {
	if slices.Contains(k.concepts, myriad.AnyConcept) {
		return true
	}
	key, err := myriad.CanonicalConcept(concept)
	return err == nil && slices.Contains(k.concepts, key)
}

// display is the agent's concept as people wrote it.
func display(known *myriad.Knowledge) string { return cmp.Or(known.DisplayName, known.Concept) }
