// Package responses speaks OpenAI's Responses API: one POST per attempt, without streaming, without state at the provider
// and without forced tools.
package responses

import (
	"context"
	"fmt"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/providers/openai"
)

// Provider is an account at OpenAI or at an endpoint that speaks its Responses API.
type Provider struct {
	client   *httpcall.Client
	prefixes httpcall.Prefixes
}

// New checks the configuration. A base URL without a path gets /v1.
func New(cfg providers.Config) (providers.Provider, error) {
	client, err := openai.NewClient(cfg, "/responses", format{})
	if err != nil {
		return nil, fmt.Errorf("configure responses: %w", err)
	}
	return &Provider{client: client}, nil
}

// Do sends a prepared request once. Every error is a *providers.CallError.
func (p *Provider) Do(ctx context.Context, r providers.Request) (providers.Reply, error) {
	return p.client.Do(ctx, r)
}

type format struct{}

// Fault reads an error answer: its object is that of the Chat Completions API.
func (format) Fault(a httpcall.Answer) httpcall.Fault { return openai.FaultOfBody(a) }
