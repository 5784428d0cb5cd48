package dockerrt

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/myriad-mind/myriad"
)

// maxLearned bounds what an agent host says it has learned; a packet that it came from is not larger.
const maxLearned = 32 << 20 // bytes

// hear retires the agent of a knowledge packet: it learns nothing from then on, and what it was told is passed on. It is false when there was something
// to hear and it is not passed on: then it is lost with the container, unless hear is called again.
func (i *instance) hear(ctx context.Context) bool {
	if i.r.cfg.Learned == nil || i.label.kind != myriad.TemplateKnowledge || i.address == "" || i.gone() || ctx.Err() != nil {
		return true
	}
	k, err := i.retire(ctx)
	if err == nil && k != nil {
		err = i.pass(ctx, *k)
	}
	if err != nil {
		i.log.Warn("what an agent in a container has learned is lost with it", slog.Any("error", err))
	}
	return err == nil
}

// pass passes on what was learned, again and again while it is refused for the moment.
func (i *instance) pass(ctx context.Context, k myriad.Knowledge) error {
	for {
		err := i.r.cfg.Learned(i.label.instance, i.label.agent, k)
		e, ok := errors.AsType[*myriad.Error](err)
		if !ok || e.RetryAfter <= 0 {
			return err
		}
		timer := time.NewTimer(e.RetryAfter)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// retire gives what the agent knows when it was told something; else nil.
func (i *instance) retire(ctx context.Context) (*myriad.Knowledge, error) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+i.address+"/retire", nil)
	if err != nil {
		return nil, err
	}
	resp, err := healthClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent { // it was told nothing
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
