package inprocrt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/myriad-mind/myriad"
)

// lesson is the body of POST /update_knowledge.
type lesson struct {
	Type       *string         `json:"knowledge_type"`
	Content    json.RawMessage `json:"content"` // text; any other value is kept as its JSON
	Confidence *float64        `json:"confidence"`
}

// update answers POST /update_knowledge: the agent knows it from then on.
func (k *KnowledgeAgent) update(body []byte) (int, message) {
	kind, told, err := decodeLesson(body)
	if err != nil {
		return http.StatusBadRequest, k.failure(err.Error())
	}
	confidence, err := k.learn(kind, told)
	if err != nil {
		return myriad.ErrorCode(err).HTTPStatus(), k.failure(err.Error())
	}
	return http.StatusOK, message{
		"agent_name": k.name, "status": myriad.StatusSuccess, "message": fmt.Sprintf("learned %s about %s", kind, display(k.known.Load())),
		"new_confidence": confidence,
	}
}

func decodeLesson(body []byte) (kind string, told myriad.Learn, err error) {
	var l lesson
	if bytes.TrimSpace(body)[0] != '{' {
		return "", told, fmt.Errorf("the body must be an object with knowledge_type and content")
	}
	if err := json.Unmarshal(body, &l); err != nil {
		return "", told, fmt.Errorf("%s", unfit(err))
	}
	if l.Type == nil || *l.Type == "" || falsy(l.Content) {
		return "", told, fmt.Errorf("knowledge_type and content are required")
	}
	if kind, err = myriad.CanonicalIntent(*l.Type); err != nil {
		return "", told, fmt.Errorf("knowledge_type is a short name like an intent: %w", err)
	}
	if json.Unmarshal(l.Content, &told.Content) != nil {
		told.Content = string(l.Content)
	}
	if myriad.LegibleText(told.Content) != told.Content {
		return "", told, fmt.Errorf("content must not hold NUL or invalid UTF-8")
	}
	told.Confidence = 0.5
	if l.Confidence != nil {
		told.Confidence = *l.Confidence
	}
	if told.Confidence < 0 || told.Confidence > 1 {
		return "", told, fmt.Errorf("confidence is 0 to 1")
	}
	return kind, told, nil
}

// learn adds to what is known, once opts.Learned has it, and returns the confidence that comes of it.
func (k *KnowledgeAgent) learn(kind string, told myriad.Learn) (float64, error) {
	if len(told.Content) > myriad.MaxLearnedBytes {
		return 0, myriad.Errorf(myriad.CodeTooLarge, "content has at most %d bytes", myriad.MaxLearnedBytes)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	before := k.known.Load()
	after := before
	if l, ok := before.Learned[kind]; !ok || l != told {
		after = taught(before, kind, told)
	}
	if outgrows(after, before) {
		return 0, myriad.Errorf(myriad.CodeTooLarge, "an agent learns at most %d types of knowledge and %d bytes in all", myriad.MaxLearned, myriad.MaxLearnedTotal)
	}
	if k.opts.Learned != nil {
		if err := k.opts.Learned(k.name, *after); err != nil {
			return 0, err
		}
	}
	k.known.Store(after)
	return after.ConfidenceScore, nil
}

// taught is known with one more thing learned. What it is given stays as it is.
func taught(known *myriad.Knowledge, kind string, told myriad.Learn) *myriad.Knowledge {
	after := *known
	if len(known.Learned) == 0 {
		after.DefinitionConfidence = known.ConfidenceScore
	}
	after.Learned = maps.Clone(known.Learned)
	if after.Learned == nil {
		after.Learned = map[string]myriad.Learn{}
	}
	after.Learned[kind] = told
	sum := 0.0
	for _, name := range learnedTypes(&after) { // in order, so that the same knowledge always has the same mean
		sum += after.Learned[name].Confidence
	}
	after.ConfidenceScore = min(sum/float64(len(after.Learned)), 1)
	return &after
}

// learnedTypes are the types of what was learned, in order.
func learnedTypes(known *myriad.Knowledge) []string { return slices.Sorted(maps.Keys(known.Learned)) }

// outgrows says that after is over a bound, and further than before was: what an import brought may be more, but does not grow.
func outgrows(after, before *myriad.Knowledge) bool {
	types, size := len(after.Learned), learnedBytes(after)
	return types > myriad.MaxLearned && types > len(before.Learned) || size > myriad.MaxLearnedTotal && size > learnedBytes(before)
}

func learnedBytes(known *myriad.Knowledge) (n int) {
	for name, l := range known.Learned {
		n += len(name) + len(l.Content)
	}
	return n
}
