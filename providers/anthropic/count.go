package anthropic

import (
	"context"
	"encoding/json"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
)

// countPath is below the method's own.
const countPath = "/count_tokens"

// PrepareCount asks about the call's prompt, byte for byte, without what the count_tokens method does not take: the limit
// of the answer, the temperature and the tier. Every error wraps providers.ErrCall.
func (p *Provider) PrepareCount(call providers.Call) (providers.Request, error) {
	body, err := p.prompt(call)
	if err != nil {
		return providers.Request{}, err
	}
	body = append(appendThinking(body, call), '}')
	return providers.Request{AttemptID: call.AttemptID, Model: call.Model, Path: countPath, Body: body}, nil
}

// Count asks once. Every error is a *providers.CallError.
func (p *Provider) Count(ctx context.Context, r providers.Request) (int64, error) {
	return p.counter.Count(ctx, r, decodeCount)
}

func decodeCount(a httpcall.Answer) (int64, *httpcall.Fault) {
	var body struct {
		Tokens json.RawMessage `json:"input_tokens"`
		Error  *apiError       `json:"error"`
	}
	if json.Unmarshal(a.Body, &body) == nil && body.Error != nil {
		fault := body.Error.fault(a)
		return 0, &fault
	}
	return httpcall.CountOf(a, body.Tokens)
}
