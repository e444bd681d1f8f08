package planner

import (
	"slices"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/media"
	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/tokens"
)

// framing is how many tokens a provider adds to each text that is sent by itself, for its role and its borders.
const framing = 3

// promptTokens estimates everything that a call sends. Files are not read yet and count by their type. The task's own texts
// are counted only where the plan, or the rates that it is expected to cost, depend on more than their bytes tell: the
// estimate then decides as the exact count would.
func (p *Planner) promptTokens(t *task.Task, facts map[string]cascade.Model, order []string, maxOutput int64) int64 {
	texts := textsOf(t)
	files := media.Estimate(t.Attachments)
	known := p.prefixes[t.Feature].size.Plus(tokens.Exactly(int64(len(texts))*framing + files))
	return p.counter.Narrow(known, texts, func(s tokens.Size) bool {
		return cascade.Alike(facts, order, s.Least, s.Most, maxOutput) &&
			len(cascade.Doubts(facts, order, s.Least, s.Most, maxOutput)) == 0
	}).About
}

// mediaOf are the media types of a task's attachments, each once.
func mediaOf(t *task.Task) []string {
	var types []string
	for _, a := range t.Attachments {
		if !slices.Contains(types, a.MediaType) {
			types = append(types, a.MediaType)
		}
	}
	slices.Sort(types) // tasks with the same types share a plan
	return types
}

// textsOf are the texts of a task's own.
func textsOf(t *task.Task) []string {
	texts := make([]string, 0, 1+len(t.Context)+len(t.Messages)+3*len(t.Tools))
	if t.Input != "" {
		texts = append(texts, t.Input)
	}
	texts = append(texts, t.Context...)
	for _, m := range t.Messages {
		texts = append(texts, m.Content)
	}
	return append(texts, toolTexts(t.Tools)...)
}

// maxOutput is the limit of one answer: the feature's, or the task's own when that is lower.
func maxOutput(requested int, f catalog.Feature) int {
	if requested > 0 && requested < f.MaxOutputTokens {
		return requested
	}
	return f.MaxOutputTokens
}
