package dockerrt

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"

	"github.com/myriad-mind/myriad"
)

// maxLearned bounds what an agent host says it has learned; a packet that it came from is not larger.
const maxLearned = 32 << 20 // bytes

// hear asks the agent host of a knowledge packet what its agent was told, and passes it on. What cannot be heard is lost with the container.
func (i *instance) hear(ctx context.Context) {
	if i.r.cfg.Learned == nil || i.label.kind != myriad.TemplateKnowledge || i.address == "" || i.gone() || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	k, err := i.learned(ctx)
	if err != nil {
		i.log.Warn("what an agent in a container has learned cannot be asked for, and is lost", slog.Any("error", err))
		return
	}
	if k != nil {
		i.r.cfg.Learned(i.label.instance, i.label.agent, *k)
	}
}

// learned is what the agent knows when it was told something; else nil.
func (i *instance) learned(ctx context.Context) (*myriad.Knowledge, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+i.address+"/learned", nil)
	if err != nil {
		return nil, err
	}
	resp, err := healthClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotFound { // nothing, or a host that cannot tell
		return nil, nil
	}
	var said struct {
		Nonce     string            `json:"nonce"`
		Knowledge *myriad.Knowledge `json:"knowledge"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxLearned)).Decode(&said); err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK || said.Knowledge == nil || said.Nonce != i.nonce {
		return nil, myriad.Errorf(myriad.CodeUnavailable, "HTTP %d, from another instance or with no knowledge", resp.StatusCode)
	}
	return said.Knowledge, nil
}
