package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
)

func TestNewSetup_Starter(t *testing.T) {
	t.Parallel()
	s, err := newSetup(catalog.Default())
	require.NoError(t, err)
	require.NotEmpty(t, s.catalog.Features)
	require.Len(t, s.validators, len(s.catalog.Features))

	_, err = s.buildProviders(func(string) string { return "" })
	require.ErrorContains(t, err, "ANTHROPIC_API_KEY is not set")
	require.ErrorContains(t, err, "OPENAI_API_KEY is not set", "every mistake at once")

	clients, err := s.buildProviders(func(string) string { return "key" })
	require.NoError(t, err)
	require.Len(t, clients, 2)
}

func TestNewSetup_Refuses(t *testing.T) {
	t.Parallel()
	const template = `
providers:
  p: {api: openai, base_url: "http://127.0.0.1:1", allow_private: true}
models:
  cheap: {provider: p, id: %s, tier: mini}
cascades:
  L1: [%s]
features:
  f: {class: L1, validators: [%s]}
`
	tests := []struct {
		name, model, cascade, validator string
		want                            []string
	}{
		{"UnknownModel", "gpt-6-luna", "cheep", "{type: json}", []string{`names model "cheep"`, `did you mean "cheap"`}},
		{"ModelWithoutPrice", "gpt-99", "cheap", "{type: json}", []string{"models.cheap", "openai/gpt-99 has no price in force"}},
		{"ValidatorThatDoesNotCompile", "gpt-6-luna", "cheap", `{type: regex, pattern: "("}`, []string{"features.f", "regex"}},
		{"UnknownValidator", "gpt-6-luna", "cheap", "{type: enumm}", []string{"features.f", "enumm"}},
		{
			"AllAtOnce", "gpt-99", "cheap", "{type: enumm}",
			[]string{"has no price in force", "enumm"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := newSetup(fmt.Appendf(nil, template, tt.model, tt.cascade, tt.validator))
			require.Error(t, err)
			for _, want := range tt.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

func TestLoadConfig(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"WEIR_LOG_LEVEL": "loud", "WEIR_LOG_FORMAT": "xml", "WEIR_POOL_CONNS": "1", "WEIR_BEAT": "soon", "WEIR_LEASE": "1s",
	}
	_, err := loadConfig(func(name string) string { return env[name] })
	for name := range env {
		require.ErrorContains(t, err, name, "every mistake at once")
	}
	c, err := loadConfig(func(string) string { return "" })
	require.NoError(t, err)
	require.Equal(t, defaultLease, c.Lease)
	require.Equal(t, "weir.yaml", c.ConfigFile)
}
