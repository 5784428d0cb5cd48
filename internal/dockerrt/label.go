package dockerrt

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/myriad-mind/myriad"
)

// The labels of our containers. Together with the owner's they are the claim that a container is ours.
const (
	labelAgent    = "myriad.agent" // "true" on every container of ours
	labelOwner    = "myriad.owner"
	labelInstance = "myriad.instance"
	labelName     = "myriad.agent.name"
	labelConcept  = "myriad.concept"
	labelKind     = "myriad.kind" // of the template
	labelRevision = "myriad.revision"
	labelCreated  = "myriad.created"
	labelPort     = "myriad.port" // inside the container
	labelCPU      = "myriad.limits.cpu"
	labelMemory   = "myriad.limits.memory_bytes"
	labelPIDs     = "myriad.limits.pids"
)

// label is what the labels of a container say.
type label struct {
	owner, instance, agent, concept, kind string
	revision                              int64
	created                               time.Time
	port                                  int
	limits                                myriad.Limits // what was asked for, in force or not
}

func labelOf(req myriad.StartRequest, now time.Time) label {
	a := req.Packet.Agent
	l := label{owner: req.OwnerID, instance: req.InstanceID, agent: a.Name, kind: a.Template.Kind, revision: req.Packet.Revision, created: now,
		limits: req.Limits, port: defaultPort}
	if a.Template.Port != 0 {
		l.port = a.Template.Port
	}
	if len(a.Concepts) > 0 {
		l.concept = a.Concepts[0]
	}
	return l
}

func (l label) toMap() map[string]string {
	return map[string]string{
		labelAgent: "true", labelOwner: l.owner, labelInstance: l.instance, labelName: l.agent, labelConcept: l.concept, labelKind: l.kind,
		labelRevision: strconv.FormatInt(l.revision, 10), labelCreated: l.created.UTC().Format(time.RFC3339Nano), labelPort: strconv.Itoa(l.port),
		labelCPU:    strconv.FormatFloat(l.limits.CPU, 'g', -1, 64),
		labelMemory: strconv.FormatInt(l.limits.MemoryBytes, 10), labelPIDs: strconv.FormatInt(l.limits.PIDs, 10),
	}
}

// readLabel is the reverse of toMap; false when the labels are not as we write them.
func readLabel(m map[string]string) (label, bool) {
	l := label{owner: m[labelOwner], instance: m[labelInstance], agent: m[labelName], concept: m[labelConcept], kind: m[labelKind]}
	ok := m[labelAgent] == "true" && l.owner != "" && l.instance != "" && l.agent != "" && l.kind != ""
	var errs [6]error
	l.revision, errs[0] = strconv.ParseInt(m[labelRevision], 10, 64)
	l.created, errs[1] = time.Parse(time.RFC3339Nano, m[labelCreated])
	l.port, errs[2] = strconv.Atoi(m[labelPort])
	l.limits.CPU, errs[3] = strconv.ParseFloat(m[labelCPU], 64)
	l.limits.MemoryBytes, errs[4] = strconv.ParseInt(m[labelMemory], 10, 64)
	l.limits.PIDs, errs[5] = strconv.ParseInt(m[labelPIDs], 10, 64)
	for _, err := range errs {
		ok = ok && err == nil
	}
	return l, ok
}

// isOurs says that a container with labels m belongs to owner.
func isOurs(m map[string]string, owner string) bool {
	return owner != "" && m[labelAgent] == "true" && m[labelOwner] == owner
}

// maxWord bounds the readable part of a container's name.
const maxWord = 40

// containerName is myriad_<concept>_<8 hex digits of the instance>, the agent's name where it has no concept that can be written so.
func (l label) containerName() string {
	word := nameWord(l.concept)
	if strings.Trim(word, "_") == "" {
		word = nameWord(l.agent)
	}
	return "myriad_" + word + "_" + shortID(l.instance)
}

// nameWord is s in the letters that Docker takes.
func nameWord(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, s)
	return s[:min(len(s), maxWord)]
}

// shortID is the end of an id, which is the random part of a UUID; of ids of another shape their hash.
func shortID(id string) string {
	tail := strings.ToLower(id[max(0, len(id)-8):])
	if _, err := hex.DecodeString(tail); err == nil && len(tail) == 8 {
		return tail
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:4])
}
