package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/store"
)

func TestProviders_StatusAndReset(t *testing.T) {
	t.Parallel()
	b := newTestBundle(t)
	require.Equal(t, "nothing is limited or left alone\n", b.mustRun("providers", "status", "--config", "none.yaml").stdout)
	_, err := store.OpenGate(t.Context(), b.pool, store.GateKey{Scope: store.ScopeProvider, Name: "openai"}, store.Opening{
		Failure: "auth", Reason: "no such key", First: time.Second, Most: time.Second, Hard: time.Hour,
	})
	require.NoError(t, err)
	shown := b.mustRun("providers", "status", "--config", "none.yaml").stdout
	require.Len(t, strings.Split(strings.TrimSpace(shown), "\n"), 2)
	for _, part := range []string{"provider", "openai", "open, hard", "59m", "auth: no such key"} {
		require.Contains(t, strings.ReplaceAll(shown, "1h0m0s", "59m"), part)
	}
	require.Contains(t, b.mustRun("providers", "status", "--config", "none.yaml", "--json").stdout, `"state":"open","hard":true`)

	_, err = b.run(nil, "providers", "reset", "opnai")
	require.ErrorContains(t, err, "weir providers status")
	require.Equal(t, "provider openai is called again\n", b.mustRun("providers", "reset", "openai").stdout)
	require.Equal(t, "nothing is limited or left alone\n", b.mustRun("providers", "status", "--config", "none.yaml").stdout)
}

func TestProviders_StatusListsWhatIsWell(t *testing.T) {
	t.Parallel()
	b := newTestBundle(t)
	shown := b.mustRun("providers", "status", "--config", "../../catalog/weir.example.yaml").stdout
	require.Regexp(t, `(?m)^model +haiku +ok$`, shown)
	require.Regexp(t, `(?m)^provider +anthropic +ok$`, shown)
}
