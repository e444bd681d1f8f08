package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/providers/anthropic"
	"github.com/weirhq/weir/providers/deepl"
	"github.com/weirhq/weir/providers/embed"
	"github.com/weirhq/weir/providers/gemini"
	"github.com/weirhq/weir/providers/libretranslate"
	"github.com/weirhq/weir/providers/openai"
	"github.com/weirhq/weir/providers/responses"
	"github.com/weirhq/weir/task"
)

type pricesCostCmd struct {
	bookFlags

	Model string  `arg:"" help:"provider/id, or an id that is unique."`
	Usage string  `required:"" help:"A file with the usage object, or with the whole answer; - is standard input."`
	At    instant `help:"When the call was sent; now when absent."`
	Mode  string  `enum:"sync,batch,flex" default:"sync" help:"sync, batch or flex."`
	JSON  bool    `help:"Print one JSON object; money is exact, in decimal strings of USD."`
}

// maxUsageBytes bounds the file that is read.
const maxUsageBytes = 8 << 20

// pricedUsage is a usage with its cost.
type pricedUsage struct {
	Model string     `json:"model"`
	Mode  string     `json:"mode"`
	At    time.Time  `json:"at"`
	Row   string     `json:"row"`
	Lines []costLine `json:"lines"`
	// List is the sum of the lines; mode, tier, speed and region make it Cost.
	List task.Pico `json:"list_usd"`
	Cost task.Pico `json:"cost_usd"`
}

// costLine is one class of tokens of a priced usage, or what is not metered in tokens.
type costLine struct {
	Kind  string `json:"kind"`
	Count int64  `json:"count"`
	// Unit is what the count is of: token, character or search.
	Unit string `json:"unit"`
	// Rate is of a million units.
	Rate task.Pico `json:"rate_usd_per_mtok"`
	Cost task.Pico `json:"cost_usd"`
}

// Run prices a usage as weir would have priced the attempt.
func (c *pricesCostCmd) Run(a *app) error {
	book, provider, model, err := c.find(a, c.Model)
	if err != nil {
		return err
	}
	body, err := c.read(a.stdin)
	if err != nil {
		return err
	}
	usage, served, err := readUsage(provider, body)
	if err != nil {
		return err
	}
	at := c.At.or(time.Now()).UTC()
	price, err := book.Price(pricing.Query{
		Provider: provider, Model: model, At: at, Mode: pricing.Mode(c.Mode),
		ServiceTier: served.Tier, Speed: served.Speed, Geo: served.Geo,
	})
	if err != nil {
		return err
	}
	cost, err := price.Cost(*usage)
	if err != nil {
		return err
	}
	priced := pricedUsage{Model: provider + "/" + model, Mode: c.Mode, At: at, Row: cost.Row, Cost: cost.Total}
	for _, l := range cost.Lines {
		priced.Lines = append(priced.Lines, costLine{
			Kind: l.Kind, Count: l.Count, Unit: unitOf(l.Kind), Rate: l.RatePico * perMTok, Cost: l.CostPico,
		})
		priced.List += l.CostPico
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(priced)
	}
	return priced.write(a.stdout)
}

// unitOf is what a kind of line counts.
func unitOf(kind string) string {
	switch kind {
	case "characters":
		return "character"
	case "web_search":
		return "search"
	}
	return "token"
}

func (c *pricesCostCmd) read(stdin io.Reader) ([]byte, error) {
	in := stdin
	if c.Usage != "-" {
		file, err := os.Open(c.Usage)
		if err != nil {
			return nil, fmt.Errorf("read usage: %w", err)
		}
		defer func() { _ = file.Close() }() // it was only read
		in = file
	}
	body, err := io.ReadAll(io.LimitReader(in, maxUsageBytes))
	if err != nil {
		return nil, fmt.Errorf("read usage: %w", err)
	}
	return body, nil
}

// served is what an answer says of how it was served.
type served struct {
	Tier  string `json:"service_tier"`
	Speed string `json:"speed"`
	Geo   string `json:"inference_geo"`
}

// readUsage takes the usage object out of an answer, or the object itself, in the provider's own terms.
func readUsage(provider string, body []byte) (*task.Usage, served, error) {
	raw, how, err := usageObject(body)
	if err != nil {
		return nil, served{}, err
	}
	usage := usageReader(provider, raw)(raw)
	if usage == nil {
		return nil, served{}, errors.New("the usage is incomplete or contradicts itself, so the call has no cost that is known")
	}
	return usage, how, nil
}

// usageObject finds the usage object. How the call was served stands in the answer, and with Anthropic in the usage.
func usageObject(body []byte) (raw json.RawMessage, how served, err error) {
	var answer struct {
		Usage    json.RawMessage `json:"usage"`
		Metadata json.RawMessage `json:"usageMetadata"` //nolint:tagliatelle // Google's name
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, served{}, fmt.Errorf("the usage is no JSON object: %w", err)
	}
	raw = body
	switch {
	case len(answer.Usage) > 0:
		raw = answer.Usage
	case len(answer.Metadata) > 0:
		raw = answer.Metadata
	}
	for _, part := range [][]byte{body, raw} {
		_ = json.Unmarshal(part, &how) // what is of another type says nothing of these
	}
	return raw, how, nil
}

// usageReader is the reader of a provider's usage. OpenAI has two formats, which name their counts differently, and those
// of embeddings count no output.
func usageReader(provider string, raw json.RawMessage) func(json.RawMessage) *task.Usage {
	switch provider {
	case deeplPro, deeplFree:
		return deepl.ReadUsage
	case "libretranslate":
		return libretranslate.ReadUsage
	case "anthropic":
		return anthropic.ReadUsage
	case "voyageai":
		return embed.ReadVoyageUsage
	}
	var counts map[string]json.RawMessage
	_ = json.Unmarshal(raw, &counts) // the reader says what is wrong with it
	has := func(name string) bool { return counts[name] != nil }
	switch {
	case provider == "google" && !has("totalTokenCount"):
		return embed.ReadGeminiUsage
	case provider == "google":
		return gemini.ReadUsage
	case has("input_tokens"):
		return responses.ReadUsage
	case has("prompt_tokens") && has("total_tokens") && !has("completion_tokens"):
		return embed.ReadOpenAIUsage
	}
	return openai.ReadUsage
}

func (p *pricedUsage) write(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "%s, %s, sent %s\nprice row %s\n\n", p.Model, p.Mode, p.At.Format(time.RFC3339), p.Row); err != nil {
		return err
	}
	t := table{columns: []column{words("class"), figures("count"), figures("USD per million"), figures("USD")}}
	for _, l := range p.Lines {
		t.rows = append(t.rows, []string{l.Kind, strconv.FormatInt(l.Count, 10), l.Rate.String(), l.Cost.String()})
	}
	if err := t.write(w); err != nil {
		return err
	}
	if p.List != p.Cost {
		if _, err := fmt.Fprintf(w, "\nat list price %s USD; mode, tier, speed and region make it\n", p.List); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "\ncost %s USD\n", p.Cost)
	return err
}
