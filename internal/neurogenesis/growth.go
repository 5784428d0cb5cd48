package neurogenesis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/myriad-mind/myriad"
)

// The words of neurogenesis_data.expansion_method (wire facts 1.4).
const (
	methodNode     = "neurogenesis_phase1"
	methodAgent    = "neurogenesis_phase2"
	methodResearch = "research_only"
)

// base is what the askers get who cannot have an agent: the research is theirs, and the status says whether the graph has it.
func (f *flight) base(k myriad.Knowledge, nodeErr error, answered bool) myriad.Growth {
	growth := myriad.Growth{Status: myriad.StatusNeurogenesisSuccess, Definition: k.PrimaryDefinition, Data: dataOf(&k)}
	switch {
	case nodeErr == nil:
		return growth
	case answered:
		growth.Status = myriad.StatusNeurogenesisPartial
	default:
		growth.Status = myriad.StatusNeurogenesisFailed
	}
	growth.Data.ExpansionMethod = methodResearch
	return growth
}

// growthOf is base for a grown packet that was there already.
func (f *flight) growthOf(a *myriad.Agent) myriad.Growth {
	k := a.Template.Knowledge
	if k == nil {
		return f.failed("", "")
	}
	return myriad.Growth{Status: myriad.StatusNeurogenesisSuccess, Definition: k.PrimaryDefinition, Data: dataOf(k)}
}

func dataOf(k *myriad.Knowledge) myriad.NeurogenesisData {
	sources := k.ResearchSources
	if sources == nil {
		sources = []string{}
	}
	return myriad.NeurogenesisData{
		Concept: k.DisplayName, ExpansionMethod: methodNode, ResearchSummary: k.PrimaryDefinition, Confidence: k.ConfidenceScore, Sources: sources,
	}
}

func (f *flight) failed(code, message string) myriad.Growth {
	return failedGrowth(myriad.GrowRequest{Display: f.question.Display}, code, message)
}

// insufficient says why no agent is made from k.
func (f *flight) insufficient(k myriad.Knowledge) string {
	if len(k.ResearchSources) == 0 {
		return fmt.Sprintf("no agent was made for concept %q: nobody who could be asked knows it", f.question.Display)
	}
	return fmt.Sprintf("no agent was made for concept %q: the confidence of what was found is %.3g, and must be more than %g", f.question.Display,
		k.ConfidenceScore, enough)
}

// unasked says why no agent is made when those who could tell were not asked.
func (f *flight) unasked(why error) string {
	if myriad.ErrorCode(why) == myriad.TaskErrFleetFull {
		return fmt.Sprintf("no agent was made for concept %q: agents that may know it are asleep, and there was no room to wake them: %v", f.question.Display, why)
	}
	return fmt.Sprintf("no agent was made for concept %q: nobody who may know it could be asked: %v", f.question.Display, why)
}

func failedGrowth(req myriad.GrowRequest, code, message string) myriad.Growth {
	return myriad.Growth{
		Status: myriad.StatusNeurogenesisFailed, ErrorCode: code, Message: message,
		Data: myriad.NeurogenesisData{Concept: req.Display, ExpansionMethod: methodResearch, Sources: []string{}},
	}
}

func refusedGrowth(req myriad.GrowRequest, why string, retryAfter time.Duration) myriad.Growth {
	growth := failedGrowth(req, myriad.TaskErrGrowthRefused, fmt.Sprintf("no agent is made for concept %q now: %s", req.Display, why))
	growth.RetryAfter = retryAfter
	return growth
}

func closedGrowth(req myriad.GrowRequest) myriad.Growth {
	return failedGrowth(req, myriad.TaskErrCancelled, "the server is shutting down")
}

// leftGrowth is for an asker whose context has ended.
func leftGrowth(req myriad.GrowRequest, err error) myriad.Growth {
	code := myriad.TaskErrCancelled
	if errors.Is(err, context.DeadlineExceeded) {
		code = myriad.TaskErrRunDeadline
	}
	return failedGrowth(req, code, fmt.Sprintf("the wait for an agent for concept %q is over: %v", req.Display, err))
}

// cooled is the last outcome of a concept that is not tried again yet.
func cooled(growth myriad.Growth, req myriad.GrowRequest, left time.Duration) myriad.Growth {
	growth.Data.Concept, growth.RetryAfter = req.Display, left
	growth.ErrorCode = myriad.TaskErrCoolingDown
	return growth
}
