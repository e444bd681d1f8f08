package sim_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers/sim"
	"github.com/weirhq/weir/task"
)

func dialectConfig(d sim.Dialect) sim.Config {
	config := fast(3)
	config.Dialect, config.Key = d, "hush"
	config.Models = map[string]sim.ModelProfile{"m": perfect()}
	config.Bill = func(model string, u task.Usage, _ time.Time) (task.Pico, bool) {
		return task.Pico(1_000_000 * u.Output), model == "m"
	}
	return config
}

func TestDialect_OpenRouterTellsItsCost(t *testing.T) {
	t.Parallel()
	s := start(t, dialectConfig(sim.DialectOpenRouter))
	g := post(t, s.URL()+"/api"+pathCompletions, completionsBody(t, "m", "Sort.\n- red", "x"), map[string]string{"Authorization": "Bearer hush"})
	require.Equal(t, http.StatusOK, g.status)
	usage := usageOf(t, g)
	require.InDelta(t, 47e-6, usage["cost"], 1e-15, "47 bytes of output")
	require.Equal(t, false, usage["is_byok"])
	require.Empty(t, g.header.Get("X-Litellm-Response-Cost"))
}

func TestDialect_LiteLLMTellsItsCostInAHeader(t *testing.T) {
	t.Parallel()
	s := start(t, dialectConfig(sim.DialectLiteLLM))
	g := post(t, s.URL()+pathCompletions, completionsBody(t, "m", "Sort.\n- red", "x"), map[string]string{
		"Authorization": "Bearer hush", "X-Litellm-Spend-Logs-Metadata": `{"feature":"triage"}`,
	})
	require.Equal(t, http.StatusOK, g.status)
	require.Equal(t, "4.7e-05", g.header.Get("X-Litellm-Response-Cost"), "47 bytes of output")
	require.NotEmpty(t, g.header.Get("X-Litellm-Call-Id"))
	require.NotContains(t, usageOf(t, g), "cost")
	require.Equal(t, map[string]string{"feature": "triage"}, s.Ledger()[0].Labels)
}

func TestDialect_AzureTakesTheModelInThePath(t *testing.T) {
	t.Parallel()
	s := start(t, dialectConfig(sim.DialectAzure))
	key := map[string]string{"Api-Key": "hush"}
	body := completionsBody(t, "another", "Sort.\n- red", "x")
	const path = "/openai/deployments/m/chat/completions"
	g := post(t, s.URL()+path+"?api-version=2026-10-01", body, key)
	require.Equal(t, http.StatusOK, g.status, string(g.body))
	require.Equal(t, "m", s.Ledger()[0].Model)
	require.NotContains(t, usageOf(t, g), "cost")
	for _, wrong := range []string{
		path, path + "?api-version=", "/openai/deployments//chat/completions?api-version=1",
		"/v1/chat/completions?api-version=1", "/openai/deployments/a/b/chat/completions?api-version=1",
	} {
		require.Equal(t, http.StatusNotFound, post(t, s.URL()+wrong, body, key).status, wrong)
	}
	require.Equal(t, http.StatusUnauthorized, post(t, s.URL()+path+"?api-version=1", body, nil).status)
	g = post(t, s.URL()+"/openai/deployments/none/chat/completions?api-version=1", body, key)
	require.Equal(t, http.StatusNotFound, g.status)
}

func TestDialect_Unknown(t *testing.T) {
	t.Parallel()
	_, err := sim.New(sim.Config{Dialect: "cohere"})
	require.ErrorContains(t, err, `dialect "cohere" is unknown`)
}
