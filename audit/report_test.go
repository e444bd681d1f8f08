package audit_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/audit"
	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/classifier"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

var update = flag.Bool("update", false, "write the golden files anew")

// acme sells three models, at 1, 10 and 100 USD per million tokens of input, twice that of output; the strongest keeps
// prompts' beginnings of 1,000 tokens.
const acme = `
schema: 1
currency: USD
provider: acme
usage: {input_includes_cached: true, output_includes_reasoning: true}
models:
`

func acmeBook(tb testing.TB) *pricing.Book {
	tb.Helper()
	var b strings.Builder
	b.WriteString(acme)
	for _, m := range []struct {
		id                   string
		input, output, cache string
	}{{"small", "1", "2", ""}, {"medium", "10", "20", ""}, {"large", "100", "200", ", cache_read: \"10\", cache_write_5m: \"125\""}} {
		fmt.Fprintf(&b, `  - id: %s
    tokenizer: {o200k_factor: "1"}
    limits: {window: 200000, max_output: 8000, min_cacheable: 1000}
    prices:
      - from: 2026-01-01
        status: in_force
        source: made up
        checked: 2026-11-01
        modes: {batch: "1/2"}
        bands: [{input: "%s", output: "%s"%s}]
`, m.id, m.input, m.output, m.cache)
	}
	book, err := pricing.Load(fstest.MapFS{"acme.yaml": {Data: []byte(b.String())}})
	require.NoError(tb, err)
	return book
}

func acmeConfig(tb testing.TB) audit.Config {
	tb.Helper()
	starter, err := catalog.Parse(catalog.Default())
	require.NoError(tb, err)
	chain, err := classifier.New(starter.Classifier)
	require.NoError(tb, err)
	return audit.Config{
		Classifier: chain, Top: 20, Now: at("2026-11-20T00:00:00Z"), Assume: audit.DefaultAssumptions(),
		Ladder: []audit.Target{
			{Name: "small", Provider: "acme", ID: "small", Tier: catalog.Mini},
			{Name: "medium", Provider: "acme", ID: "medium", Tier: catalog.Mid},
			{Name: "large", Provider: "acme", ID: "large", Tier: catalog.Flagship},
		},
	}
}

// call is one of 1,000 tokens in and 10 out, at noon.
func call(path, model string, change ...func(*audit.Call)) *audit.Call {
	c := &audit.Call{
		At: at("2026-11-01T12:00:00Z"), Path: path, Provider: "acme", Model: model, Mode: pricing.ModeSync, Count: 1,
		Usage: &task.Usage{Input: 1000, Output: 10},
	}
	for _, f := range change {
		f(c)
	}
	return c
}

func report(tb testing.TB, config audit.Config, calls ...*audit.Call) *audit.Report {
	tb.Helper()
	c := audit.NewCollector(acmeBook(tb))
	for _, one := range calls {
		c.Add(one)
	}
	r, err := c.Report(config, nil)
	require.NoError(tb, err)
	return r
}

// Each step by hand: 100 calls of 1,000 tokens in and 10 out on the large model are 100 * (0.1 + 0.002) = 10.20 USD.
func TestReport_Steps(t *testing.T) {
	t.Parallel()
	many := func(n int, change ...func(*audit.Call)) []*audit.Call {
		var calls []*audit.Call
		for range n {
			calls = append(calls, call("mail", "large", change...))
		}
		return calls
	}
	t.Run("RoutedAndBatched", func(t *testing.T) {
		t.Parallel()
		r := report(t, acmeConfig(t), many(100)...)
		// small 0.102, for a fifth medium 1.02, for a twenty-fifth large 10.20; a quarter of it at half the price
		require.Equal(t, audit.Steps{
			Now: *usd("10.2"), Routed: *usd("0.714"), Cached: *usd("0.714"), Batched: *usd("0.62475"), Saved: *usd("9.57525"),
		}, r.Total)
		require.Equal(t, task.L1, r.Shown[0].Class)
		require.Equal(t, []string{"small", "medium", "large"}, r.Shown[0].Cascade)
		require.InDelta(t, 0.93875, r.Total.Share(), 1e-9)
	})
	t.Run("TheLogsOwnCostCounts", func(t *testing.T) {
		t.Parallel()
		r := report(t, acmeConfig(t), many(100, func(c *audit.Call) { c.Cost = usd("0.2") })...)
		require.Equal(t, *usd("20"), r.Total.Now)
		require.Equal(t, *usd("20"), r.Stated)
		require.Equal(t, *usd("0.714"), r.Total.Routed)
	})
	t.Run("WhatIsCheapStays", func(t *testing.T) {
		t.Parallel()
		r := report(t, acmeConfig(t), call("mail", "small"), call("mail", "small"))
		require.Equal(t, r.Total.Now, r.Total.Routed)
		require.Empty(t, r.Shown[0].Cascade)
		require.Contains(t, r.Shown[0].Advice, "stays where it is")
		require.Equal(t, *usd("0.00204"), r.Total.Now)
		require.Equal(t, *usd("0.001785"), r.Total.Batched, "a quarter of it at half the price")
	})
	t.Run("CachedWhereItStays", func(t *testing.T) {
		t.Parallel()
		// prompts of 2,000 tokens, of which all but a few bytes are the same, every second: nearly all are read at a tenth
		calls := []*audit.Call{}
		for i := range 100 {
			calls = append(calls, call("contracts", "large", func(c *audit.Call) {
				c.At = c.At.Add(time.Duration(i) * time.Second)
				c.Usage.Input = 2000
				c.System, c.Prompt = "Is the limitation of liability in this contract clause valid? "+strings.Repeat("Rule. ", 1300), fmt.Sprintf("%08d", i)
			}))
		}
		r := report(t, acmeConfig(t), calls...)
		require.Equal(t, task.L3, r.Shown[0].Class)
		require.InDelta(t, 1.0, r.Shown[0].Hits, 1e-9)
		require.InDelta(t, 1998, r.Shown[0].Prefix, 60)
		require.Equal(t, r.Total.Now, r.Total.Routed)
		require.InDelta(t, 2.2, float64(r.Total.Cached)/float64(task.USD), 0.6, "20.2 USD before")
	})
	t.Run("WithoutAPriceNothingIsKnown", func(t *testing.T) {
		t.Parallel()
		r := report(t, acmeConfig(t), call("mail", "huge"), call("mail", "large"), call("news", "large", func(c *audit.Call) { c.At = at("2025-11-01T00:00:00Z") }))
		require.EqualValues(t, 2, r.Unpriced)
		require.Equal(t, []string{"huge", "large"}, r.UnpricedModels)
		require.Equal(t, *usd("0.102"), r.Total.Now)
	})
	t.Run("RowsOfManyCalls", func(t *testing.T) {
		t.Parallel()
		r := report(t, acmeConfig(t), call("mail", "large", func(c *audit.Call) {
			c.Count, c.Usage = 100, &task.Usage{Input: 100_003, Output: 1000}
		}))
		require.Equal(t, *usd("10.2003"), r.Total.Now, "the rest of the division is paid for too")
		require.EqualValues(t, 100, r.Calls)
		require.InDelta(t, 1000, r.Shown[0].PromptMedian, 40)
	})
}

// Bills beside calls are held against them, bills alone are what there is.
func TestReport_Bills(t *testing.T) {
	t.Parallel()
	bill := call("mail", "large", func(c *audit.Call) { c.Count, c.Usage, c.Cost = 0, nil, usd("7") })
	r := report(t, acmeConfig(t), bill, call("mail", "large"))
	require.Equal(t, *usd("0.102"), r.Total.Now)
	require.Equal(t, *usd("7"), *r.Billed)
	r = report(t, acmeConfig(t), bill)
	require.Equal(t, *usd("7"), r.Total.Now)
	require.Nil(t, r.Billed)
}

func TestReport_Signals(t *testing.T) {
	t.Parallel()
	var growing, steady []*audit.Call
	for day := range 20 {
		for i := range 10 {
			when := func(c *audit.Call) { c.At, c.TaskID = c.At.AddDate(0, 0, day), fmt.Sprintf("%d-%d", day, i/2) }
			model := "small"
			if day >= 10 {
				model = "large"
			}
			growing = append(growing, call("mail", model, when))
			steady = append(steady, call("mail", "small", when, func(c *audit.Call) { c.TaskID = "" }))
		}
	}
	fired := func(r *audit.Report) (marks []bool) {
		for _, s := range r.Signals {
			require.NotNil(t, s.Fired, s.Text)
			marks = append(marks, *s.Fired)
		}
		return marks
	}
	r := report(t, acmeConfig(t), growing...)
	require.Equal(t, []bool{true, false, false}, fired(r))
	require.Contains(t, r.Signals[0].Text, "the bill changed by +9900 % and the calls that it is of by +0 %")
	require.Contains(t, r.Signals[1].Text, "50 % of the calls go to large")
	require.Contains(t, r.Signals[2].Text, "2.0 calls")
	r = report(t, acmeConfig(t), steady...)
	require.Equal(t, []bool{false, false, true}, fired(r))
	r = report(t, acmeConfig(t), growing[150:]...)
	require.Nil(t, r.Signals[0].Fired, "five days tell nothing")
	require.True(t, *r.Signals[1].Fired)
}

func TestReport_Windows(t *testing.T) {
	t.Parallel()
	long := func(c *audit.Call) { c.Usage.Input = 20_000 }
	r := report(t, acmeConfig(t), call("short", "large"), call("short", "small"), call("long", "large", long))
	windows := map[string][]audit.WindowUse{}
	for _, p := range r.Shown {
		windows[p.Path] = p.Windows
	}
	require.Empty(t, windows["long"])
	require.Len(t, windows["short"], 1)
	require.Equal(t, "large", windows["short"][0].Model)
	require.EqualValues(t, 200_000, windows["short"][0].Window)
}

func TestReport_Classes(t *testing.T) {
	t.Parallel()
	text := func(system, prompt string) func(*audit.Call) {
		return func(c *audit.Call) { c.System, c.Prompt, c.Usage.Output = system, prompt, 500 }
	}
	agent := func(c *audit.Call) { c.Tools, c.TaskID, c.Usage.Output = true, "one", 500 }
	calls := []*audit.Call{
		call("sorting", "large", text("Classify the message.", "Hello")), call("review", "large", text("", "Find the limitation of liability.")),
		call("digest", "large", text("Summarise.", "A text")), call("unclear", "large", text("", "Hm")), call("short", "large"),
	}
	for range 6 {
		calls = append(calls, call("agent", "large", agent))
	}
	classes := map[string]task.Class{}
	for _, p := range report(t, acmeConfig(t), calls...).Shown {
		classes[p.Path] = p.Class
		require.NotEmpty(t, p.Why)
	}
	require.Equal(t, map[string]task.Class{
		"sorting": task.L1, "review": task.L3, "digest": task.L2, "unclear": task.L2, "short": task.L1, "agent": task.L3,
	}, classes)
}

// However many call paths and models a log has, what is kept is bounded, and nothing is lost.
func TestCollector_Bounded(t *testing.T) {
	t.Parallel()
	config := acmeConfig(t)
	config.Top = 3
	var calls []*audit.Call
	for i := range audit.MaxPaths + 100 {
		calls = append(calls, call(fmt.Sprintf("path-%d", i), "large"))
	}
	for i := range 200 {
		calls = append(calls, call("path-1", fmt.Sprintf("model-%d", i)))
	}
	r := report(t, config, calls...)
	require.Equal(t, audit.MaxPaths+1, r.Paths)
	require.Equal(t, audit.OtherPaths, r.Shown[0].Path)
	require.EqualValues(t, 100, r.Shown[0].Calls)
	require.Equal(t, audit.MaxPaths-2, r.Others.Paths)
	require.EqualValues(t, audit.MaxPaths+300, r.Calls)
	require.EqualValues(t, 200, r.Unpriced)
}

// Models beyond those that are told apart have each its own price.
func TestCollector_OtherModelsKeepTheirPrices(t *testing.T) {
	t.Parallel()
	var calls []*audit.Call
	for i := range 50 {
		calls = append(calls, call("mail", fmt.Sprintf("unknown-%d", i)))
	}
	r := report(t, acmeConfig(t), append(calls, call("mail", "small"), call("mail", "large"))...)
	require.Equal(t, *usd("0.10302"), r.Total.Now, "0.00102 and 0.102")
	require.EqualValues(t, 50, r.Unpriced)
}

// A bill beyond what money holds is refused, also where each part of it is within.
func TestReport_TooMuch(t *testing.T) {
	t.Parallel()
	c := audit.NewCollector(acmeBook(t))
	for i := range 3 {
		c.Add(call(fmt.Sprint(i), "large", func(c *audit.Call) { c.Cost = usd("4000000") }))
	}
	_, err := c.Report(acmeConfig(t), nil)
	require.ErrorContains(t, err, "larger than 9.2 million USD")
}

// goldenCalls are calls of every kind, with names that have to be escaped.
func goldenCalls() []*audit.Call {
	var calls []*audit.Call
	for i := range 400 {
		day := func(c *audit.Call) { c.At = c.At.Add(time.Duration(i) * 7 * time.Hour) }
		calls = append(calls,
			call("ticket/triage", "large", day, func(c *audit.Call) { c.System, c.Prompt = "Classify the ticket.", fmt.Sprintf("Ticket %d", i) }),
			call("<script>alert(1)</script>|x\x1b[2J", "medium", day, func(c *audit.Call) { c.Usage.Output = 400 }))
		if i%4 == 0 {
			calls = append(calls, call("legal", "large", day, func(c *audit.Call) { c.Prompt, c.Usage.Output = "Which governing law applies?", 900 }), call("odd", "nobody's", day))
		}
	}
	return calls
}

// The reports as people see them.
func TestReport_Golden(t *testing.T) {
	t.Parallel()
	r := report(t, acmeConfig(t), goldenCalls()...)
	r.Bad, r.BadRows = 3, []audit.BadRow{{File: "log.csv", Line: 7, Reason: `cost "<x>" is not a number`}}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"report.txt":  func(b *bytes.Buffer) error { return r.WriteText(b) },
		"report.md":   func(b *bytes.Buffer) error { return r.WriteMarkdown(b) },
		"report.html": func(b *bytes.Buffer) error { return r.WriteHTML(b) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			require.NoError(t, write(&out))
			require.NotContains(t, out.String(), "\x1b")
			if name != "report.txt" {
				require.NotContains(t, out.String(), "<script>")
			}
			golden := filepath.Join("testdata", name)
			if *update {
				require.NoError(t, os.WriteFile(golden, out.Bytes(), 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), out.String())
		})
	}
}

// The same log gives the same report, on any number of processors.
func TestReport_Deterministic(t *testing.T) { //nolint:paralleltest // it changes GOMAXPROCS
	var first []byte
	for _, n := range []int{1, 4} {
		before := runtime.GOMAXPROCS(n)
		got, err := json.Marshal(report(t, acmeConfig(t), goldenCalls()...))
		runtime.GOMAXPROCS(before)
		require.NoError(t, err)
		if first == nil {
			first = got
		}
		require.Equal(t, string(first), string(got))
	}
}
