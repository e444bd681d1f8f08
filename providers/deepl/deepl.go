// Package deepl speaks the translation of texts by DeepL's API, which bills the characters of the source text. One POST
// translates one text and is one attempt; documents, rephrasing and markup are not asked for.
package deepl

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
)

const (
	publicURL = "https://api.deepl.com"
	freeURL   = "https://api-free.deepl.com"
	freeKey   = ":fx" // how keys of the free plan end
)

// IsFree says that a key is one of the free plan, which has an endpoint of its own and bills nothing.
func IsFree(key providers.Secret) bool { return strings.HasSuffix(key.Reveal(), freeKey) }

// Provider is an account at DeepL.
type Provider struct {
	client *httpcall.Client
}

// New checks the configuration. Without a base URL the key decides between the endpoints of the two plans.
func New(cfg providers.Config) (providers.Provider, error) {
	target, err := endpoint(cfg)
	if err != nil {
		return nil, fmt.Errorf("configure deepl: %w", err)
	}
	client, err := httpcall.New(cfg, httpcall.Wire{
		Format:          format{},
		URL:             target,
		KeyHeader:       "Authorization",
		KeyPrefix:       "DeepL-Auth-Key ",
		RequestIDHeader: "X-Trace-Id",
	})
	if err != nil {
		return nil, fmt.Errorf("configure deepl: %w", err)
	}
	return &Provider{client: client}, nil
}

func endpoint(cfg providers.Config) (*url.URL, error) {
	public := publicURL
	if IsFree(cfg.Key) {
		public = freeURL
	}
	target, err := cfg.Endpoint(public)
	if err != nil {
		return nil, err
	}
	target.Path += "/v2/translate"
	return target, nil
}

// Do sends a prepared request once. Every error is a *providers.CallError.
func (p *Provider) Do(ctx context.Context, r providers.Request) (providers.Reply, error) {
	return p.client.Do(ctx, r)
}
