// Package gemini speaks the generateContent method of Google's Gemini Developer API, which names the model in the URL.
// One POST is one attempt, without streaming, sampling parameters, explicit caches or forced tools.
package gemini

import (
	"context"
	"fmt"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
)

const (
	publicURL = "https://generativelanguage.googleapis.com"
	version   = "/v1beta"
)

// Provider is an account at the Gemini Developer API.
type Provider struct {
	client  *httpcall.Client
	counter *httpcall.Client
	// heads and tails are the encoded stable parts before and after the conversation.
	heads, tails httpcall.Prefixes
}

// New checks the configuration. The API's version and the model's path are added to the base URL.
func New(cfg providers.Config) (providers.Provider, error) {
	client, err := NewClient(cfg)
	if err != nil {
		return nil, err
	}
	wire, err := wireOf(cfg)
	if err != nil {
		return nil, err
	}
	counter, err := httpcall.NewCounter(cfg, wire)
	if err != nil {
		return nil, fmt.Errorf("configure gemini: %w", err)
	}
	return &Provider{client: client, counter: counter}, nil
}

// NewClient makes the client of the API, whose requests name their method in the path. Answers are read as those of
// generateContent unless a call says otherwise.
func NewClient(cfg providers.Config) (*httpcall.Client, error) {
	wire, err := wireOf(cfg)
	if err != nil {
		return nil, err
	}
	client, err := httpcall.New(cfg, wire)
	if err != nil {
		return nil, fmt.Errorf("configure gemini: %w", err)
	}
	return client, nil
}

func wireOf(cfg providers.Config) (httpcall.Wire, error) {
	url, err := cfg.Endpoint(publicURL)
	if err != nil {
		return httpcall.Wire{}, fmt.Errorf("configure gemini: %w", err)
	}
	url.Path += version
	return httpcall.Wire{
		Format:    format{},
		URL:       url,
		KeyHeader: "X-Goog-Api-Key", // never the query's key=, which ends up in the logs of proxies
	}, nil
}

// Do sends a prepared request once. Every error is a *providers.CallError.
func (p *Provider) Do(ctx context.Context, r providers.Request) (providers.Reply, error) {
	return p.client.Do(ctx, r)
}
