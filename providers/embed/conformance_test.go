package embed

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/providertest"
	"github.com/weirhq/weir/task"
)

// asProvider lets the suite of providers send a client's requests: each embeds the last message of a call.
type asProvider struct{ *Client }

func (p asProvider) Prepare(call providers.Call) (providers.Request, error) {
	prepared, err := p.Client.Prepare(Request{
		CallID: call.AttemptID, Model: call.Model, Texts: []string{call.Messages[len(call.Messages)-1].Content}, Timeout: call.Timeout,
	})
	return prepared.Request, err
}

func (p asProvider) Do(ctx context.Context, r providers.Request) (providers.Reply, error) {
	reply, err := p.Client.Do(ctx, Prepared{Request: r, inputs: 1})
	if err == nil {
		reply.Output = fmt.Sprint(reply.Vectors)
	}
	return reply.Reply, err
}

func TestConformance(t *testing.T) {
	t.Parallel()
	detail := `{"detail":"words"}`
	for api, suite := range map[string]providertest.Suite{
		catalog.APIOpenAI: {
			KeyHeader: "Authorization", KeyPrefix: "Bearer ",
			Good: `{"object":"list","data":[{"index":0,"embedding":[0.5,-2]}],"model":"m","usage":{"prompt_tokens":3,"total_tokens":3}}`,
		},
		catalog.APIVoyage: {
			KeyHeader: "Authorization", KeyPrefix: "Bearer ",
			Good: `{"object":"list","data":[{"embedding":"AAAAPwAAAMA=","index":0}],"model":"m","usage":{"total_tokens":3}}`,
			Refusals: []providertest.Refusal{
				{Name: "Words", Status: http.StatusBadRequest, Body: detail, Class: task.FailBadRequest, Message: "words"},
			},
		},
		catalog.APIGemini: {
			KeyHeader: "X-Goog-Api-Key",
			Good:      `{"embeddings":[{"values":[0.5,-2]}],"usageMetadata":{"promptTokenCount":3}}`,
		},
	} {
		t.Run(api, func(t *testing.T) {
			t.Parallel()
			suite.New = func(cfg providers.Config) (providers.Provider, error) {
				c, err := New(api, cfg)
				if err != nil {
					return nil, err
				}
				return asProvider{c}, nil
			}
			suite.Output, suite.Usage = "[[0.5 -2]]", task.Usage{Input: 3}
			providertest.RunClient(t, suite)
		})
	}
}
