package gemini

import (
	"context"
	"encoding/json"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
)

// PrepareCount asks about the whole body of Prepare, which the countTokens method takes as a field; asked about contents
// alone it would leave out the system prompt and the tools. Every error wraps providers.ErrCall.
func (p *Provider) PrepareCount(call providers.Call) (providers.Request, error) {
	r, err := p.Prepare(call)
	if err != nil {
		return providers.Request{}, err
	}
	path, err := PathOf(call.Model, "countTokens")
	if err != nil {
		return providers.Request{}, err
	}
	body := make([]byte, 0, len(r.Body)+len(call.Model)+64)
	body = append(body, `{"generateContentRequest":{"model":`...)
	body = append(httpcall.AppendString(body, "models/"+call.Model), ',')
	body = append(append(body, r.Body[1:]...), '}') // Prepare's is an object that is never empty
	return providers.Request{AttemptID: call.AttemptID, Model: call.Model, Path: path, Body: body}, nil
}

// Count asks once. Every error is a *providers.CallError.
func (p *Provider) Count(ctx context.Context, r providers.Request) (int64, error) {
	return p.counter.Count(ctx, r, decodeCount)
}

func decodeCount(a httpcall.Answer) (int64, *httpcall.Fault) {
	var body struct {
		Tokens json.RawMessage `json:"totalTokens"`
		Error  *apiError       `json:"error"`
	}
	if json.Unmarshal(a.Body, &body) == nil && body.Error != nil {
		fault := body.Error.fault(a)
		return 0, &fault
	}
	return httpcall.CountOf(a, body.Tokens)
}
