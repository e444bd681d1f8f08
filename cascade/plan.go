// Package cascade decides: which models a task may be given and in which order (New), and what follows from each attempt
// (Decide). It is pure: no clock, no I/O, no randomness of its own, so that every case can be explored in tests and
// replayed later.
package cascade

import (
	"fmt"

	"github.com/weirhq/weir/task"
)

// Model is what planning has to know of a model.
type Model struct {
	// MaxInput and MaxOutput are limits in tokens; 0 means unknown, and then nothing is excluded for it.
	MaxInput  int64
	MaxOutput int64
	// TokenFactor times a prompt's neutral token count estimates this model's own count; 0 counts as 1.
	TokenFactor float64
	// Reads reports whether the model takes files of a media type; nil means that it reads text only.
	Reads func(mediaType string) bool
	// Sideways are models of equal tier to fall back to.
	Sideways []string
	// Expected is the cost of one call by the price in force. An error means that none is: the model is left out.
	Expected func(promptTokens, outputTokens int64) (task.Pico, error)
	// OneBand reports whether Expected takes the same rates for every prompt of so many tokens, from least to most. Nil
	// counts as true.
	OneBand func(least, most int64) bool
}

// Tokens is the model's own count for a neutral count, rounded up.
func (m Model) Tokens(neutral int64) int64 {
	if m.TokenFactor <= 0 {
		return neutral
	}
	scaled := float64(neutral) * m.TokenFactor
	tokens := int64(scaled)
	if float64(tokens) < scaled {
		tokens++
	}
	return tokens
}

// Prompt is the size of a task.
type Prompt struct {
	Tokens    int64 // neutral estimate of everything that is sent, by the o200k vocabulary
	MaxOutput int64 // the most tokens that an answer may have
	// Media are the media types of the task's attachments.
	Media []string
}

// Stage is one step of a cascade.
type Stage struct {
	Model    string   `json:"model"`
	Sideways []string `json:"sideways,omitempty"`
}

// Exclusion says in words why a model of the cascade is not in the plan.
type Exclusion struct {
	Model  string `json:"model"`
	Reason string `json:"reason"`
}

// Plan is the ordered stages of a task. No stages means that no model of the cascade can take it.
type Plan struct {
	Class    task.Class  `json:"class"`
	Stages   []Stage     `json:"stages"`
	Excluded []Exclusion `json:"excluded,omitempty"`
}

// New plans a cascade: its models in their order, minus those that cannot take the prompt or have no price in force.
// Fallbacks are held to the same conditions; one that is left out is named among the excluded too.
func New(class task.Class, models map[string]Model, order []string, prompt Prompt) Plan {
	plan := Plan{Class: class}
	reasons := map[string]string{}
	usable := func(name string) bool {
		reason, known := reasons[name]
		if !known {
			reason = exclusion(models, name, prompt)
			reasons[name] = reason
			if reason != "" {
				plan.Excluded = append(plan.Excluded, Exclusion{Model: name, Reason: reason})
			}
		}
		return reason == ""
	}
	for _, name := range order {
		if !usable(name) {
			continue
		}
		stage := Stage{Model: name}
		for _, fallback := range models[name].Sideways {
			if usable(fallback) {
				stage.Sideways = append(stage.Sideways, fallback)
			}
		}
		plan.Stages = append(plan.Stages, stage)
	}
	return plan
}

// Alike reports whether New plans the same, and each model that it plans expects the same rates, for every neutral token
// count from least to most of a prompt with an answer of at most maxOutput tokens. Then no count needs to be known better.
func Alike(models map[string]Model, order []string, least, most, maxOutput int64) bool {
	for _, name := range order {
		model := models[name]
		if !model.alike(least, most, maxOutput) {
			return false
		}
		if !model.answers(maxOutput) || !model.fits(model.Tokens(least), maxOutput) {
			continue // and its fallbacks are not asked for
		}
		for _, fallback := range model.Sideways {
			if !models[fallback].alike(least, most, maxOutput) {
				return false
			}
		}
	}
	return true
}

func (m Model) alike(least, most, maxOutput int64) bool {
	if !m.answers(maxOutput) {
		return true // left out either way
	}
	least, most = m.Tokens(least), m.Tokens(most)
	if !m.fits(least, maxOutput) || !m.fits(most, maxOutput) {
		return m.fits(least, maxOutput) == m.fits(most, maxOutput)
	}
	return m.OneBand == nil || m.OneBand(least, most)
}

func (m Model) answers(maxOutput int64) bool { return m.MaxOutput <= 0 || maxOutput <= m.MaxOutput }

// fits takes the model's own count.
func (m Model) fits(tokens, maxOutput int64) bool {
	return m.MaxInput <= 0 || tokens+maxOutput <= m.MaxInput
}

// exclusion is why a model cannot be planned. Its words have no number of the task's own: plans are stored once for all
// tasks that come to the same.
func exclusion(models map[string]Model, name string, prompt Prompt) string {
	model, ok := models[name]
	if !ok {
		return "is not defined under models"
	}
	for _, mediaType := range prompt.Media {
		if model.Reads == nil || !model.Reads(mediaType) {
			return "does not read " + mediaType
		}
	}
	tokens := model.Tokens(prompt.Tokens)
	switch {
	case !model.answers(prompt.MaxOutput):
		return fmt.Sprintf("the answer may be longer than the model's output limit of %d tokens", model.MaxOutput)
	case !model.fits(tokens, prompt.MaxOutput):
		return fmt.Sprintf("the estimated prompt and the longest answer exceed the model's input limit of %d tokens", model.MaxInput)
	}
	if _, err := model.Expected(tokens, prompt.MaxOutput); err != nil {
		return "has no price: " + err.Error()
	}
	return ""
}
