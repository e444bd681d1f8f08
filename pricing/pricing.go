// Package pricing is the effective-dated price book and exact cost arithmetic. Prices are decimal strings in YAML, costs
// are integer pico-USD, and what is unknown is an error, never zero.
package pricing

import (
	"errors"
	"slices"
	"time"

	"github.com/weirhq/weir/task"
)

// ErrUnpriced is wrapped by every error that means "no cost can be named": no such model, no row in force, or a used
// token class without a rate.
var ErrUnpriced = errors.New("no price in force")

// Mode is how a call was made.
type Mode string

// The modes.
const (
	ModeSync  Mode = "sync"
	ModeFlex  Mode = "flex"
	ModeBatch Mode = "batch"
)

// Query names the price of one call: by the reply's model, tier, speed and geo, and by the time of sending.
type Query struct {
	Provider    string // the price book's provider
	Model       string
	At          time.Time
	Mode        Mode // empty means sync
	ServiceTier string
	Speed       string
	Geo         string
}

// Cost is the exact cost of one call.
type Cost struct {
	Total task.Pico
	// Row is the key of the price row that applied, such as anthropic/claude-haiku-5-5@2026-10-07#1.
	Row string
	// Lines are the parts before the multiplier, for the breakdown.
	Lines []Line
}

// Line is the part of a cost that one class of tokens has, or what is not metered in tokens.
type Line struct {
	Kind     string    `json:"kind"`
	Count    int64     `json:"count"`
	RatePico task.Pico `json:"rate_pico"`
	CostPico task.Pico `json:"cost_pico"`
}

// Traits are what the book knows of a model besides its prices.
type Traits struct {
	Window     int64 // tokens; 0 means unknown
	MaxInput   int64 // the window when the book names no other
	MaxOutput  int64
	JSONSchema bool // takes a schema for structured output
	Images     bool // reads images
	PDFs       bool // reads PDFs
	// TokenFactor times the o200k count estimates the model's own count.
	TokenFactor float64
	// MinCacheable is the shortest prefix, in tokens, that the provider's cache takes; 0 means unknown.
	MinCacheable int64
	// MaxRequestBytes is the largest request that the provider takes; 0 means unknown.
	MaxRequestBytes int64
	// InputIncludesCached says that the input tokens of the provider's own usage include those of its cache.
	InputIncludesCached bool
	// OutputIncludesReasoning says the same of its output tokens and those of reasoning.
	OutputIncludesReasoning bool
	// ImagesAsInput says that image tokens, which its usage counts by themselves, have the rate of the input wherever the
	// book names no other.
	ImagesAsInput bool
	// Refused are settings that the model answers with an error, sorted: temperature, effort (all of it), effort_none and
	// so on for single words, thinking_tokens. What is not named is taken, or not known.
	Refused []string
}

// Refuses says that the model is known to refuse a setting.
func (t Traits) Refuses(setting string) bool { return slices.Contains(t.Refused, setting) }

// settings are the settings that a model can refuse.
func settings() []string {
	return []string{
		"temperature", "thinking_tokens", "effort", "effort_none", "effort_minimal", "effort_low", "effort_medium",
		"effort_high", "effort_xhigh", "effort_max",
	}
}
