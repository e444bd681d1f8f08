// Package openai speaks OpenAI's Chat Completions API and what others made of it: OpenRouter, LiteLLM, vLLM, Ollama and
// many more take the same requests at another base URL, in a dialect each. One POST is one attempt, without streaming or
// forced tools.
package openai

import (
	"context"
	"errors"
	"fmt"
	neturl "net/url"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
)

const (
	publicURL = "https://api.openai.com/v1"
	path      = "/chat/completions"
)

// Provider is an account at OpenAI or at an endpoint that speaks its Chat Completions API.
type Provider struct {
	client   *httpcall.Client
	dialect  dialect
	prefixes httpcall.Prefixes
}

// New checks the configuration. A base URL without a path gets the dialect's, which is /v1 for most.
func New(cfg providers.Config) (providers.Provider, error) {
	d, err := dialectOf(cfg)
	if err != nil {
		return nil, fmt.Errorf("configure openai: %w", err)
	}
	method := path
	if d.deployments {
		method = "" // each request names its deployment first
	}
	client, err := newClient(cfg, d, method, format{d})
	if err != nil {
		return nil, fmt.Errorf("configure openai: %w", err)
	}
	return &Provider{client: client, dialect: d}, nil
}

// NewClient makes the client of another one of OpenAI's formats, whose method is at path. A base URL without a path gets
// /v1.
func NewClient(cfg providers.Config, path string, f httpcall.Format) (*httpcall.Client, error) {
	if cfg.Dialect != "" {
		return nil, errors.New("only Chat Completions has dialects")
	}
	d, err := dialectOf(providers.Config{Dialect: dialectOpenAI})
	if err != nil {
		return nil, err
	}
	return newClient(cfg, d, path, f)
}

func newClient(cfg providers.Config, d dialect, path string, f httpcall.Format) (*httpcall.Client, error) {
	url, err := cfg.Endpoint(d.public)
	if err != nil {
		return nil, err
	}
	if url.Path == "" && cfg.BaseURL != "" {
		url.Path = d.path
	}
	url.Path += path
	if d.deployments {
		url.RawQuery = neturl.Values{"api-version": {cfg.APIVersion}}.Encode()
	}
	prefix := ""
	if d.keyHeader == authorization {
		prefix = bearer
	}
	return httpcall.New(cfg, httpcall.Wire{
		Format:          f,
		URL:             url,
		KeyHeader:       d.keyHeader,
		KeyPrefix:       prefix,
		Header:          d.header,
		RequestIDHeader: d.requestID,
	})
}

// Do sends a prepared request once. Every error is a *providers.CallError.
func (p *Provider) Do(ctx context.Context, r providers.Request) (providers.Reply, error) {
	return p.client.Do(ctx, r)
}
