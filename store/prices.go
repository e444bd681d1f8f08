package store

import (
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/weirhq/weir/task"
)

// Price is one band of one price of the price book.
type Price struct {
	// Key is what an attempt's price row names.
	Key string
	// Provider and Model are the book's names.
	Provider string
	Model    string
	// Match are regular expressions of the other names of the model, to be met from end to end.
	Match []string
	// From and Until bound the period, half-open; nil is no bound.
	From  *time.Time
	Until *time.Time
	// Status is in_force or announced.
	Status string
	// Variant is a mode or a time of day with rates of its own; empty for the list price.
	Variant string
	// Band counts from 1.
	Band int
	// MaxPrompt is the edge of the band in prompt tokens; 0 is none.
	MaxPrompt int64
	// EdgeAbove says that a prompt of exactly MaxPrompt tokens is in the next band already.
	EdgeAbove bool
	// Rates are pico-USD per token by class of tokens, and per character as "characters"; one that is absent is not known.
	Rates map[string]task.Pico
	// WebSearch is the price of one search, nil when it is not known.
	WebSearch *task.Pico
	// Modes and Geo are multipliers such as 1/2 by name.
	Modes map[string]string
	Geo   map[string]string
	// Source says where the price was found, Checked when it was last compared with it.
	Source  string
	Checked time.Time
}

// queuePrices replaces the stored price book.
func queuePrices(batch *pgx.Batch, now time.Time, prices []Price) {
	keys := make([]string, len(prices))
	for i := range prices {
		keys[i] = prices[i].Key
	}
	batch.Queue(`DELETE FROM weir.prices WHERE key <> ALL (@keys::text[])`, pgx.NamedArgs{"keys": keys})
	var lower int64
	for i := range prices {
		if i == 0 || !sameTable(&prices[i-1], &prices[i]) {
			lower = 0
		}
		upper := prices[i].lastPrompt()
		batch.Queue(insertPrice, prices[i].args(now, lower, upper))
		if upper != nil {
			lower = *upper + 1
		}
	}
}

// sameTable reports whether b is a further band of the price of a.
func sameTable(a, b *Price) bool {
	return a.Provider == b.Provider && a.Model == b.Model && a.Variant == b.Variant && b.Band == a.Band+1
}

// lastPrompt is the largest prompt of the band, nil when there is none.
func (p *Price) lastPrompt() *int64 {
	if p.MaxPrompt == 0 {
		return nil
	}
	last := p.MaxPrompt
	if p.EdgeAbove {
		last--
	}
	return &last
}

const insertPrice = `
	INSERT INTO weir.prices (key, provider, model, valid_from, valid_until, status, variant, band, prompt_from, prompt_to,
	                         input_pusd, cache_read_pusd, cache_write_5m_pusd, cache_write_30m_pusd, cache_write_1h_pusd,
	                         cache_write_12h_pusd, input_audio_pusd, input_image_pusd, output_pusd, output_audio_pusd,
	                         web_search_pusd, characters_pusd, modes, geo, source, checked, updated_at)
	VALUES (@key, @provider, @model, coalesce(@valid_from, '-infinity'::timestamptz),
	        coalesce(@valid_until, 'infinity'::timestamptz), @status, @variant, @band, @prompt_from, @prompt_to,
	        @input, @cache_read, @cache_write_5m, @cache_write_30m, @cache_write_1h,
	        @cache_write_12h, @input_audio, @input_image, @output, @output_audio,
	        @web_search, @characters, @modes, @geo, @source, @checked, @now)
	ON CONFLICT (key) DO UPDATE
	SET provider = excluded.provider,
	    model = excluded.model,
	    valid_from = excluded.valid_from,
	    valid_until = excluded.valid_until,
	    status = excluded.status,
	    variant = excluded.variant,
	    band = excluded.band,
	    prompt_from = excluded.prompt_from,
	    prompt_to = excluded.prompt_to,
	    input_pusd = excluded.input_pusd,
	    cache_read_pusd = excluded.cache_read_pusd,
	    cache_write_5m_pusd = excluded.cache_write_5m_pusd,
	    cache_write_30m_pusd = excluded.cache_write_30m_pusd,
	    cache_write_1h_pusd = excluded.cache_write_1h_pusd,
	    cache_write_12h_pusd = excluded.cache_write_12h_pusd,
	    input_audio_pusd = excluded.input_audio_pusd,
	    input_image_pusd = excluded.input_image_pusd,
	    output_pusd = excluded.output_pusd,
	    output_audio_pusd = excluded.output_audio_pusd,
	    web_search_pusd = excluded.web_search_pusd,
	    characters_pusd = excluded.characters_pusd,
	    modes = excluded.modes,
	    geo = excluded.geo,
	    source = excluded.source,
	    checked = excluded.checked,
	    updated_at = excluded.updated_at`

func (p *Price) args(now time.Time, lower int64, upper *int64) pgx.NamedArgs {
	args := pgx.NamedArgs{
		"key": p.Key, "provider": p.Provider, "model": p.Model, "valid_from": p.From, "valid_until": p.Until,
		"status": p.Status, "variant": p.Variant, "band": p.Band, "prompt_from": lower, "prompt_to": upper,
		"web_search": picoArg(p.WebSearch), "modes": orEmpty(p.Modes), "geo": orEmpty(p.Geo), "source": p.Source,
		"checked": p.Checked, "now": now,
	}
	for _, class := range []string{
		"input", "cache_read", "cache_write_5m", "cache_write_30m", "cache_write_1h", "cache_write_12h", "input_audio",
		"input_image", "output", "output_audio", "characters",
	} {
		args[class] = nil
		if rate, known := p.Rates[class]; known {
			args[class] = int64(rate)
		}
	}
	return args
}

// orEmpty keeps a nil map from being stored as a JSON null.
func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
