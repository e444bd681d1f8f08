package feed_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/pricing/feed"
	"github.com/weirhq/weir/task"
)

const litellm = `{
  "sample_spec": {"litellm_provider": "one of them", "input_cost_per_token": 0},
  "claude-opus-5": {"litellm_provider": "anthropic", "mode": "chat", "input_cost_per_token": 4e-06, "output_cost_per_token": 2.5e-05,
    "cache_read_input_token_cost": 5e-07, "cache_creation_input_token_cost": 6.25e-06,
    "cache_creation_input_token_cost_above_1hr": 0.00001, "deprecation_date": "2027-07-24"},
  "gemini/gemini-2.5-pro": {"litellm_provider": "gemini", "input_cost_per_token": 1.25e-06, "output_cost_per_token": 1e-05,
    "input_cost_per_token_above_200k_tokens": 3e-06, "output_cost_per_token_above_200k_tokens": 1.5e-05,
    "cache_read_input_token_cost": 1.25e-07},
  "gpt-5-mini": {"litellm_provider": "openai", "input_cost_per_token": 2.5e-07, "output_cost_per_token": 3e-06,
    "cache_read_input_token_cost": 2.5000000000000003e-08, "input_cost_per_token_batches": 1.25e-07, "output_cost_per_token_batches": 1.5e-06},
  "gpt-4o-mini": {"litellm_provider": "openai", "input_cost_per_token": 0, "output_cost_per_token": 6e-07},
  "vertex_ai/claude-opus-5": {"litellm_provider": "vertex_ai", "input_cost_per_token": 1}
}`

const genai = `[{"id": "anthropic", "models": [{"id": "claude-opus-5", "prices": [
    {"prices": {"input_mtok": 9}}, {"constraint": {"start_date": "2026-08-01"}, "prices": {"input_mtok": 4, "output_mtok": 25}},
    {"constraint": {"start_date": "2027-01-01"}, "prices": {"input_mtok": 1}}]}]},
  {"id": "openai", "models": [{"id": "gpt-5-mini", "prices": {"input_mtok": 0.25, "output_mtok": {"base": 2, "tiers": []}}}]}]`

func day() time.Time { return time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC) }

func compare(t *testing.T) (*pricing.Book, *feed.Proposal) {
	t.Helper()
	book, err := pricing.Embedded()
	require.NoError(t, err)
	first, err := feed.ReadLiteLLM([]byte(litellm))
	require.NoError(t, err)
	second, err := feed.ReadGenAI([]byte(genai), day())
	require.NoError(t, err)
	return book, feed.Compare(book, day(), first, second)
}

func modelOf(t *testing.T, p *feed.Proposal, id string) feed.Model {
	t.Helper()
	for _, m := range p.Models {
		if m.ID == id {
			return m
		}
	}
	require.FailNow(t, "no model "+id)
	return feed.Model{}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	_, p := compare(t)
	require.Equal(t, 4, p.Compared)
	require.Equal(t, []string{"LiteLLM: /vertex_ai/claude-opus-5"}, p.Unknown)

	opus := modelOf(t, p, "claude-opus-5")
	require.Equal(t, []feed.Change{{Kind: "input", Old: 5 * task.USD, New: 4 * task.USD, Percent: "-20.0"}}, opus.Changes, "20 % are not more than 20 %")
	require.True(t, opus.Proposed())
	require.Contains(t, opus.Lacks, "LiteLLM: batch")
	require.Contains(t, opus.Lacks, "genai-prices: cache_write_1h")
	require.Equal(t, "2027-07-24", opus.Retires.Format(time.DateOnly))

	pro := modelOf(t, p, "gemini-2.5-pro")
	require.Len(t, pro.Changes, 1)
	require.EqualValues(t, 200_000, pro.Changes[0].Above)
	require.Contains(t, pro.Lacks, "LiteLLM: cache_read above 200000")
	require.Equal(t, "batch has rates of its own", pro.NotProposed)

	mini := modelOf(t, p, "gpt-5-mini")
	require.Empty(t, mini.Changes)
	require.Equal(t, []string{"output, LiteLLM 3, genai-prices 2"}, mini.Disagreements)
	require.Contains(t, mini.Doubts, "LiteLLM: cache_read_input_token_cost is no whole number of pico-USD for one token")
	require.NotContains(t, mini.Lacks, "LiteLLM: batch")

	free := modelOf(t, p, "gpt-4o-mini")
	require.Empty(t, free.Changes, "0 is what is not known")
	require.Contains(t, free.Lacks, "LiteLLM: input")
}

// TestFiles: what is proposed lies over the book as it is, and prices calls from its day on.
func TestFiles(t *testing.T) {
	t.Parallel()
	_, p := compare(t)
	files := p.Files(day())
	require.Len(t, files, 1)
	book, err := pricing.Compose(pricing.Override{Name: "proposed.yaml", File: files["anthropic"]})
	require.NoError(t, err, string(files["anthropic"]))
	for at, want := range map[time.Time]task.Pico{day().Add(-time.Hour): 5_000_000, day(): 4_000_000} {
		price, err := book.Price(pricing.Query{Provider: "anthropic", Model: "claude-opus-5", At: at})
		require.NoError(t, err)
		cost, err := price.Cost(task.Usage{Input: 1})
		require.NoError(t, err)
		require.Equal(t, want, cost.Total)
	}
	for _, q := range []pricing.Query{{Mode: pricing.ModeBatch}, {Geo: "us"}, {Speed: "fast"}} {
		q.Provider, q.Model, q.At = "anthropic", "claude-opus-5", day()
		price, err := book.Price(q)
		require.NoError(t, err, "modes and regions stay")
		_, err = price.Cost(task.Usage{CacheRead: 1, CacheWrite1h: 1, WebSearches: 1})
		require.NoError(t, err)
	}
	require.NotNil(t, book.Retires("anthropic", "claude-opus-5"))
	require.Contains(t, string(files["anthropic"]), "# input: 5 -> 4\n")
}

func TestRead_Refuses(t *testing.T) {
	t.Parallel()
	_, err := feed.ReadLiteLLM([]byte(`[]`))
	require.ErrorContains(t, err, "this is not LiteLLM's price file")
	_, err = feed.ReadGenAI([]byte(`[1]`), day())
	require.ErrorContains(t, err, "this is not the price file of genai-prices")
	for literal, doubt := range map[string]string{
		"1e-999999999": "is out of all bounds", "-1e-6": "is not from 0 to 1 USD", "2": "is not from 0 to 1 USD", `"1e-6"`: "is no number",
		"true": "is no number", "1e-13": "is no whole number of pico-USD", "0." + strings.Repeat("0", 50) + "1": "is no number",
	} {
		f, err := feed.ReadLiteLLM([]byte(`{"a": {"litellm_provider": "openai", "input_cost_per_token": ` + literal + `}}`))
		require.NoError(t, err)
		require.Len(t, f.Models[0].Doubts, 1, literal)
		require.Contains(t, f.Models[0].Doubts[0], doubt)
	}
}

// FuzzRead feeds the readers anything: what they take is compared, and what is proposed composes.
func FuzzRead(f *testing.F) {
	f.Add([]byte(litellm))
	f.Add([]byte(genai))
	book, err := pricing.Embedded()
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := feed.ReadLiteLLM(data)
		if err != nil {
			if first, err = feed.ReadGenAI(data, day()); err != nil {
				return
			}
		}
		for _, file := range feed.Compare(book, day(), first).Files(day()) {
			_, err := pricing.Compose(pricing.Override{Name: "proposed.yaml", File: file})
			require.NoError(t, err, string(file))
		}
	})
}
