// Package libretranslate speaks the API of LibreTranslate, which servers of NLLB and other open translation models speak
// too. One POST translates one text and is one attempt. Such a server bills nothing and counts nothing, so weir counts the
// characters that it sends.
package libretranslate

import (
	"context"
	"fmt"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

const publicURL = "https://libretranslate.com"

// Provider is a server with LibreTranslate's API.
type Provider struct {
	client *httpcall.Client
}

// New checks the configuration. Without a base URL it is the project's own server, which asks for a key.
func New(cfg providers.Config) (providers.Provider, error) {
	url, err := cfg.Endpoint(publicURL)
	if err != nil {
		return nil, fmt.Errorf("configure libretranslate: %w", err)
	}
	url.Path += "/translate"
	client, err := httpcall.New(cfg, httpcall.Wire{Format: format{}, URL: url, KeyField: "api_key"})
	if err != nil {
		return nil, fmt.Errorf("configure libretranslate: %w", err)
	}
	return &Provider{client: client}, nil
}

// Do sends a prepared request once. Every error is a *providers.CallError. The usage of an answer is what was sent, as the
// server does not say any; there is no usage of the provider's own.
func (p *Provider) Do(ctx context.Context, r providers.Request) (providers.Reply, error) {
	reply, err := p.client.Do(ctx, r)
	if err == nil {
		reply.Usage = httpcall.Metered(task.Usage{Characters: r.Characters})
	}
	return reply, err
}
