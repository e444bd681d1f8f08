// Package openai speaks OpenAI's Chat Completions API and what others made of it: OpenRouter, LiteLLM, vLLM, Ollama and
// many more take the same requests at another base URL. One POST is one attempt, without streaming or forced
// tools.
package openai

import (
	"context"
	"fmt"
	"strings"

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

// dialect is where requests to servers of this API differ.
type dialect struct {
	// outputLimit names the parameter of the output limit.
	outputLimit string
	// ownCache says that the server bills what it writes to its cache unasked, and takes a word against it.
	ownCache bool
	// routing is appended to every request; it is empty or begins with a comma.
	routing string
}

// New checks the configuration. A base URL without a path gets /v1.
func New(cfg providers.Config) (providers.Provider, error) {
	client, host, err := NewClient(cfg, path, format{})
	if err != nil {
		return nil, fmt.Errorf("configure openai: %w", err)
	}
	return &Provider{client: client, dialect: dialectOf(host)}, nil
}

// NewClient makes the client of one of OpenAI's formats, whose method is at path, and names the host that it calls. A
// base URL without a path gets /v1.
func NewClient(cfg providers.Config, path string, f httpcall.Format) (client *httpcall.Client, host string, err error) {
	url, err := cfg.Endpoint(publicURL)
	if err != nil {
		return nil, "", err
	}
	if url.Path == "" {
		url.Path = "/v1"
	}
	url.Path += path
	client, err = httpcall.New(cfg, httpcall.Wire{
		Format:          f,
		URL:             url,
		KeyHeader:       "Authorization",
		KeyPrefix:       "Bearer ",
		RequestIDHeader: "X-Request-Id",
	})
	return client, url.Hostname(), err
}

// dialectOf knows the servers by name. OpenAI's reasoning models refuse max_tokens, while older compatible servers ignore
// max_completion_tokens and would answer without a limit.
func dialectOf(host string) dialect {
	switch {
	case within(host, "openai.com"):
		return dialect{outputLimit: "max_completion_tokens", ownCache: true}
	case within(host, "openai.azure.com"):
		return dialect{outputLimit: "max_completion_tokens"}
	case within(host, "openrouter.ai"):
		// One attempt is one generation: without this a failed one is tried, and maybe billed, at another host first.
		return dialect{outputLimit: "max_tokens", routing: `,"provider":{"allow_fallbacks":false}`}
	}
	return dialect{outputLimit: "max_tokens"}
}

func within(host, domain string) bool {
	return host == domain || strings.HasSuffix(host, "."+domain)
}

// Do sends a prepared request once. Every error is a *providers.CallError.
func (p *Provider) Do(ctx context.Context, r providers.Request) (providers.Reply, error) {
	return p.client.Do(ctx, r)
}
