package sim

import (
	"maps"
	"time"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/providers/sim/dice"
)

// ModelProfile is how a simulated model behaves. Shares are in thousandths.
type ModelProfile struct {
	// Tier is what kind of model it is.
	Tier catalog.Tier
	// Skill is the difficulty, from 0 to 1000 and beyond, at which every second answer is wrong; see failures.
	Skill int
	// Latency is how long an answer takes.
	Latency Latency
	// Malformed and Wrong are the shares of answers with a broken form and with a wrong content, however easy the task.
	Malformed, Wrong int
	// OffEnum is the share of wrong answers that a deterministic check can notice: a label that is not in the set, a sum
	// that does not add up, a quote that is not in the text. The rest is wrong in a way that only a person notices.
	OffEnum int
	// Truncate and Refuse are the shares of answers that are cut off, and that are refusals.
	Truncate, Refuse int
	// Reasoning is the share of answers that are preceded by reasoning, which is billed as output.
	Reasoning int
	// CacheWrites says that what the automatic cache keeps is billed as written, as it is from GPT-5.6 on.
	CacheWrites bool
	// MinCache is the shortest prefix in tokens that is cached. Default 1,024.
	MinCache int
	// Snapshot is the model that replies name; the model's own id when empty.
	Snapshot string
	// MaxInput and MaxOutput are the limits in tokens. Defaults 922,000 and 128,000.
	MaxInput, MaxOutput int
	// Strict refuses what current Claude models refuse: sampling parameters, a budget for thinking, forced tools and a begun
	// answer.
	Strict bool
	// AlwaysThinks refuses the effort none.
	AlwaysThinks bool
	// Embeds makes it a model that embeds texts and does nothing else.
	Embeds EmbeddingProfile
}

// Latency is a lognormal distribution.
type Latency struct {
	// P50 is the median.
	P50 time.Duration
	// Spread is the deviation of the logarithm in thousandths: with 400 one answer in six takes more than 1.5 times the
	// median.
	Spread int
}

func (l Latency) draw(d *dice.Dice) time.Duration {
	return time.Duration(d.LogNormal(int(l.P50.Microseconds()), l.Spread)) * time.Microsecond
}

const defaultMinCache = 1024

func (p ModelProfile) withDefaults(id string) ModelProfile {
	p.MinCache = orDefault(p.MinCache, defaultMinCache)
	p.MaxInput = orDefault(p.MaxInput, 922_000)
	p.MaxOutput = orDefault(p.MaxOutput, 128_000)
	p.Snapshot = orDefault(p.Snapshot, id)
	return p
}

func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

// Mini is the profile of a small, quick and careless model.
func Mini() ModelProfile {
	return ModelProfile{
		Tier: catalog.Mini, Skill: 620, Latency: Latency{P50: 350 * time.Millisecond, Spread: 400},
		Malformed: 12, Wrong: 8, OffEnum: 680, Truncate: 2, Refuse: 1,
	}
}

// Mid is the profile of a model for everyday work.
func Mid() ModelProfile {
	return ModelProfile{
		Tier: catalog.Mid, Skill: 830, Latency: Latency{P50: 800 * time.Millisecond, Spread: 400},
		Malformed: 4, Wrong: 8, OffEnum: 800, Truncate: 1, Refuse: 1,
	}
}

// Flagship is the profile of a large, slow and careful model.
func Flagship() ModelProfile {
	return ModelProfile{
		Tier: catalog.Flagship, Skill: 1050, Latency: Latency{P50: 1600 * time.Millisecond, Spread: 450},
		Malformed: 1, Wrong: 28, OffEnum: 250, Truncate: 1, Refuse: 1,
	}
}

// Profiles are the models that the simulator knows by themselves, by the providers' ids.
func Profiles() map[string]ModelProfile {
	claude := func(p ModelProfile, minCache int) ModelProfile {
		p.Strict, p.MinCache, p.MaxInput = true, minCache, 1_000_000
		return p
	}
	gpt := func(p ModelProfile, reasoning int, snapshot string) ModelProfile {
		p.CacheWrites, p.Reasoning, p.Snapshot = true, reasoning, snapshot
		return p
	}
	gemini := func(p ModelProfile, reasoning int) ModelProfile {
		p.Reasoning, p.MinCache, p.MaxInput, p.MaxOutput = reasoning, 4096, 1_048_576, 65_536
		return p
	}
	thinking := func(p ModelProfile) ModelProfile {
		p.AlwaysThinks = true
		return p
	}
	old := Mini()
	old.Snapshot, old.MaxInput, old.MaxOutput = "gpt-4o-mini-2024-07-18", 128_000, 16_384
	profiles := map[string]ModelProfile{
		"claude-haiku-5-5":  claude(Mini(), 4096),
		"claude-sonnet-5-5": claude(Mid(), 512),
		"claude-opus-5-5":   claude(Flagship(), 512),
		"gpt-6-luna":        gpt(Mini(), 0, "gpt-6-luna-2026-09-22"),
		"gpt-6.2-sol":       thinking(gpt(Mid(), 350, "gpt-6.2-sol-2026-11-17")),
		"gpt-6.2-astra":     thinking(gpt(Flagship(), 600, "gpt-6.2-astra-2026-11-17")),
		"gpt-4o-mini":       old,

		"gemini-3.5-flash-lite":  gemini(Mini(), 0),
		"gemini-3.5-flash":       gemini(Mid(), 350),
		"gemini-3.8-flash":       gemini(Mid(), 350),
		"gemini-3.1-pro-preview": gemini(Flagship(), 600),

		modelDeepL:                 service(modelDeepL),
		"latency_optimized":        service("latency_optimized"),
		"quality_optimized":        service("quality_optimized"),
		"prefer_quality_optimized": service("quality_optimized"), // the answer names the one that was used
		modelLibre:                 service(modelLibre),
	}
	maps.Copy(profiles, embedders())
	return profiles
}

// service is the profile of a translation service: quick, and it neither stops early nor refuses.
func service(model string) ModelProfile {
	p := Mini()
	p.Truncate, p.Refuse, p.Snapshot = 0, 0, model
	return p
}
