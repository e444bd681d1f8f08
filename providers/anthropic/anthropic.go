// Package anthropic speaks Anthropic's Messages API: one POST per attempt, without streaming. It sets no sampling
// parameters and forces no tool, because current models refuse both.
package anthropic

import (
	"context"
	"fmt"
	"strings"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
)

const (
	publicURL = "https://api.anthropic.com"
	path      = "/v1/messages"
	version   = "2023-06-01"
)

// Provider is an account at Anthropic or at an endpoint that speaks its Messages API.
type Provider struct {
	client   *httpcall.Client
	counter  *httpcall.Client
	prefixes httpcall.Prefixes
}

// New checks the configuration. A base URL may end with /v1 or not.
func New(cfg providers.Config) (providers.Provider, error) {
	url, err := cfg.Endpoint(publicURL)
	if err != nil {
		return nil, fmt.Errorf("configure anthropic: %w", err)
	}
	url.Path = strings.TrimSuffix(url.Path, "/v1") + path
	wire := httpcall.Wire{
		Format:          format{},
		URL:             url,
		KeyHeader:       "X-Api-Key",
		Header:          map[string]string{"Anthropic-Version": version},
		RequestIDHeader: "Request-Id",
	}
	client, err := httpcall.New(cfg, wire)
	if err != nil {
		return nil, fmt.Errorf("configure anthropic: %w", err)
	}
	counter, err := httpcall.NewCounter(cfg, wire)
	if err != nil {
		return nil, fmt.Errorf("configure anthropic: %w", err)
	}
	return &Provider{client: client, counter: counter}, nil
}

// Do sends a prepared request once. Every error is a *providers.CallError.
func (p *Provider) Do(ctx context.Context, r providers.Request) (providers.Reply, error) {
	return p.client.Do(ctx, r)
}
