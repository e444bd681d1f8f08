// Package cascade decides: which models a task may be given and in which order (New), and what follows from each attempt
// (Decide). It is pure: no clock, no I/O, no randomness of its own, so that every case can be explored in tests and
// replayed later.
package cascade

import (
	"fmt"
	"math"
	"slices"

	"github.com/weirhq/weir/task"
)

// Model is what planning has to know of a model.
type Model struct {
	// MaxInput and MaxOutput are limits in tokens; 0 means unknown, and then nothing is excluded for it.
	MaxInput  int64
	MaxOutput int64
	// TokenFactor times a prompt's neutral token count estimates this model's own count; 0 counts as 1.
	TokenFactor float64
	// HighFactor is TokenFactor for one of a hundred prompts: what decides whether a prompt fits and which rates it is
	// expected to have; 0 takes TokenFactor.
	HighFactor float64
	// LowFactor is TokenFactor for one of a hundred prompts on the other side. It is known where HighFactor is, and only
	// Doubts goes by it.
	LowFactor float64
	// Countable says that the provider can be asked how many tokens a prompt has.
	Countable bool
	// Counted is what the provider said of this prompt; 0 where it was not asked, or did not say. It stands in the place of
	// every estimate, and Expected and OneBand then leave no margin.
	Counted int64
	// Reads reports whether the model takes files of a media type; nil means that it reads text only.
	Reads func(mediaType string) bool
	// Sideways are models of equal tier to fall back to.
	Sideways []string
	// Expected is the cost of one call by the price in force. An error means that none is: the model is left out.
	Expected func(promptTokens, outputTokens int64) (task.Pico, error)
	// OneBand reports whether Expected takes the same rates for every prompt of so many tokens, from least to most. Nil
	// counts as true.
	OneBand func(least, most int64) bool
	// SureBand reports whether no count could show that a prompt estimated from least to most tokens has other rates than
	// Expected takes. Nil counts as true.
	SureBand func(least, most int64) bool
	// Translation is set for a translation service: the cost of a text of so many characters, in place of Expected. Such a
	// model takes a text and nothing else, puts out what it puts out, and its MaxInput is in characters.
	Translation func(characters int64) (task.Pico, error)
	// MaxBytes is the largest text that a translation service takes, in bytes of JSON; 0 means unknown.
	MaxBytes int64
}

// Tokens is the model's own count for a neutral count, rounded up; what the provider counted, where it did.
func (m Model) Tokens(neutral int64) int64 {
	if m.Counted > 0 {
		return m.Counted
	}
	return scale(neutral, m.TokenFactor)
}

// High is what the model counts at the most, in 99 of 100 prompts; what the provider counted, where it did.
func (m Model) High(neutral int64) int64 {
	if m.Counted > 0 {
		return m.Counted
	}
	return max(m.Tokens(neutral), scale(neutral, m.HighFactor))
}

// Cost is what a call is expected to cost. A prompt that may be in a dearer band is expected there.
func (m Model) Cost(prompt Prompt) (task.Pico, error) {
	if m.Translation != nil {
		return m.Translation(prompt.characters())
	}
	tokens, high := m.Tokens(prompt.Tokens), m.High(prompt.Tokens)
	if m.OneBand != nil && !m.OneBand(tokens, high) {
		tokens = high
	}
	return m.Expected(tokens, prompt.MaxOutput)
}

// long reports whether a prompt has, or may have, other rates than a short one.
func (m Model) long(neutral int64) bool { return m.OneBand != nil && !m.OneBand(1, m.High(neutral)) }

func scale(neutral int64, factor float64) int64 {
	if factor <= 0 {
		return neutral
	}
	scaled := float64(neutral) * factor
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
	Text      *Text // nil when the task is not a text alone, so that a translation service cannot take it
	// Media are the media types of the task's attachments.
	Media []string
}

// characters are those of the text, and a guess where it is not at hand.
func (p Prompt) characters() int64 {
	const ofToken = 4
	if p.Text == nil {
		return p.Tokens * ofToken
	}
	return p.Text.Characters
}

// Text is the size of a task that is its input and nothing else.
type Text struct {
	Characters int64
	Bytes      int64 // as a string in JSON
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

// Inclusion says in words why a model is in the plan, and in its place.
type Inclusion struct {
	Model  string `json:"model"`
	Reason string `json:"reason"`
}

// Plan is the ordered stages of a task. No stages means that no model of the cascade can take it.
type Plan struct {
	Class    task.Class  `json:"class"`
	Stages   []Stage     `json:"stages"`
	Included []Inclusion `json:"included,omitempty"`
	Excluded []Exclusion `json:"excluded,omitempty"`
	// Policy is how the plan came about where it is not the cascade as configured.
	Policy string `json:"policy,omitempty"`
	// Agree is how many of the stages before the last must give the same answer for it to be accepted; 0 means that a valid
	// answer is enough.
	Agree int `json:"agree,omitempty"`
}

// New plans a cascade: its models in their order, minus those that cannot take the prompt or have no price in force.
// Fallbacks are held to the same conditions; one that is left out is named among the excluded too. Where a model charges
// more for a prompt because of its length, the cheapest of its fallbacks goes first if it is cheaper.
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
		stage, reason := arrange(stage, models, prompt)
		plan.Stages = append(plan.Stages, stage)
		plan.Included = append(plan.Included, Inclusion{Model: stage.Model, Reason: reason})
	}
	return plan
}

// Without is the plan less some of its stages, by their models, and says of each why. The last stage stays.
func (p Plan) Without(policy string, reasons map[string]string) Plan {
	slim := Plan{Class: p.Class, Policy: policy, Agree: p.Agree, Excluded: slices.Clone(p.Excluded)}
	for i, stage := range p.Stages {
		if reason, out := reasons[stage.Model]; out && i < len(p.Stages)-1 {
			slim.Excluded = append(slim.Excluded, Exclusion{Model: stage.Model, Reason: reason})
			continue
		}
		slim.Stages, slim.Included = append(slim.Stages, stage), append(slim.Included, p.Included[i])
	}
	return slim
}

// arrange puts the cheapest of a stage's models first when its own charges more for long prompts, and says why it is there.
func arrange(stage Stage, models map[string]Model, prompt Prompt) (arranged Stage, reason string) {
	own := models[stage.Model]
	reason = own.fitting()
	if !own.long(prompt.Tokens) {
		return stage, reason
	}
	reason += ", at the rates of its long prompts"
	best, lowest := -1, costOf(own, prompt)
	for i, name := range stage.Sideways {
		if cost := costOf(models[name], prompt); cost < lowest {
			best, lowest = i, cost
		}
	}
	if best < 0 {
		return stage, reason
	}
	first := stage.Sideways[best]
	sideways := append([]string{stage.Model}, stage.Sideways...)
	sideways = append(sideways[:best+1], sideways[best+2:]...)
	reason = models[first].fitting() + ", and costs less than " + stage.Model + " at the rates of its long prompts"
	return Stage{Model: first, Sideways: sideways}, reason
}

// costOf is the expected cost of a model that is in the plan, so that it has one.
func costOf(m Model, prompt Prompt) task.Pico {
	cost, err := m.Cost(prompt)
	if err != nil {
		return math.MaxInt64
	}
	return cost
}

func (m Model) fitting() string {
	if m.Translation != nil {
		return "it translates the task's text"
	}
	if m.MaxInput <= 0 && m.Counted > 0 {
		return "its provider has counted the prompt, and its input limit is not known"
	}
	if m.MaxInput <= 0 {
		return "its input limit is not known"
	}
	if m.Counted > 0 {
		return fmt.Sprintf("the prompt as its provider counts it and the longest answer fit its input limit of %d tokens", m.MaxInput)
	}
	return fmt.Sprintf("the prompt and the longest answer fit its input limit of %d tokens", m.MaxInput)
}

// Alike reports whether New plans the same, and each model that it plans expects the same rates, for every neutral token
// count from least to most of a prompt with an answer of at most maxOutput tokens. Then no count needs to be known better.
func Alike(models map[string]Model, order []string, least, most, maxOutput int64) bool {
	for _, name := range order {
		model := models[name]
		if !model.alike(least, most, maxOutput) {
			return false
		}
		if model.Translation == nil && (!model.answers(maxOutput) || !model.fits(model.High(least), maxOutput)) {
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
	if m.Translation != nil || !m.answers(maxOutput) {
		return true // tokens do not matter, or it is left out either way
	}
	if fits := m.fits(m.High(least), maxOutput); !fits || !m.fits(m.High(most), maxOutput) {
		return fits == m.fits(m.High(most), maxOutput)
	}
	if len(m.Sideways) > 0 && least != most && m.long(most) {
		return false // which of them is cheapest may hang on the count
	}
	return m.OneBand == nil || m.OneBand(m.Tokens(least), m.High(most))
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
	if model.Translation != nil {
		return model.untranslatable(prompt.Text)
	}
	switch {
	case !model.answers(prompt.MaxOutput):
		return fmt.Sprintf("the answer may be longer than the model's output limit of %d tokens", model.MaxOutput)
	case model.Counted > 0 && !model.fits(model.Counted, prompt.MaxOutput):
		return fmt.Sprintf("the prompt as its provider counts it and the longest answer exceed the model's input limit of %d tokens",
			model.MaxInput)
	case !model.fits(model.High(prompt.Tokens), prompt.MaxOutput):
		return fmt.Sprintf("the estimated prompt and the longest answer exceed the model's input limit of %d tokens", model.MaxInput)
	}
	if _, err := model.Cost(prompt); err != nil {
		return "has no price: " + err.Error()
	}
	return ""
}

// untranslatable is why a translation service cannot be planned.
func (m Model) untranslatable(text *Text) string {
	switch {
	case text == nil:
		return "translates a task's input and nothing else: the task brings messages, context, tools or attachments, or no input"
	case m.MaxInput > 0 && text.Characters > m.MaxInput:
		return fmt.Sprintf("the text is longer than the service's limit of %d characters", m.MaxInput)
	case m.MaxBytes > 0 && text.Bytes > m.MaxBytes:
		return fmt.Sprintf("the text is larger than the %d bytes that a request to the service has room for", m.MaxBytes)
	}
	if _, err := m.Translation(text.Characters); err != nil {
		return "has no price: " + err.Error()
	}
	return ""
}
