package responses

import (
	"context"
	"encoding/json"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/providers/openai"
)

// countPath is below the method's own.
const countPath = "/input_tokens"

// PrepareCount asks about the call's prompt, byte for byte, without what the input_tokens method does not take: the limit
// of the answer, what is kept, the temperature and the tier. Every error wraps providers.ErrCall.
func (p *Provider) PrepareCount(call providers.Call) (providers.Request, error) {
	if err := call.Check(); err != nil {
		return providers.Request{}, err
	}
	body := append([]byte(nil), `{"model":`...)
	body = httpcall.AppendString(body, call.Model)
	body, err := appendStable(body, call)
	if err != nil {
		return providers.Request{}, err
	}
	body = append(appendReasoning(appendTurns(body, call), call), '}')
	return providers.Request{AttemptID: call.AttemptID, Model: call.Model, Path: countPath, Body: body}, nil
}

// Count asks once. Every error is a *providers.CallError.
func (p *Provider) Count(ctx context.Context, r providers.Request) (int64, error) {
	return p.counter.Count(ctx, r, decodeCount)
}

func decodeCount(a httpcall.Answer) (int64, *httpcall.Fault) {
	var body struct {
		Tokens json.RawMessage `json:"input_tokens"`
		Error  json.RawMessage `json:"error"`
	}
	if json.Unmarshal(a.Body, &body) == nil {
		if fault, ok := openai.FaultOf(body.Error, a); ok {
			return 0, &fault
		}
	}
	return httpcall.CountOf(a, body.Tokens)
}
