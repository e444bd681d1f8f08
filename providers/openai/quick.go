package openai

import "bytes"

// quick reads a completion of the usual shape, several times faster than encoding/json, whose reflection was the largest
// single part of a call. false means that anything at all is unusual: then encoding/json reads the body again. What quick
// does read it reads the same.
func quick(body []byte) (completion, bool) {
	q := reader{cursor{data: body}}
	var c completion
	ok := q.object([]string{"model", "service_tier", "choices", "usage", "error"}, func(field string) (ok bool) {
		switch field {
		case "model":
			c.Model, ok = q.text()
		case "service_tier":
			c.ServiceTier, ok = q.text()
		case "choices":
			ok = q.choices(&c)
		case "usage":
			ok = q.usage(&c)
		}
		return ok // an error is unusual
	})
	return c, ok && q.peek() == 0 && q.at == len(body)
}

// reader reads the parts of a completion.
type reader struct{ cursor }

func (q *reader) choices(c *completion) bool {
	if q.null() {
		return true
	}
	c.Choices = []choice{}
	return q.list(func() bool {
		c.Choices = append(c.Choices, choice{})
		return q.choice(&c.Choices[len(c.Choices)-1])
	})
}

func (q *reader) choice(c *choice) bool {
	return q.object([]string{"finish_reason", "message", "error"}, func(field string) (ok bool) {
		switch field {
		case "finish_reason":
			c.FinishReason, ok = q.text()
		case "message":
			c.Message = &message{}
			ok = q.message(c.Message)
		}
		return ok
	})
}

func (q *reader) message(m *message) bool {
	return q.object([]string{"content", "refusal", "tool_calls"}, func(field string) (ok bool) {
		switch field {
		case "content":
			var s string
			s, ok = q.text()
			m.Content = text(s)
		case "refusal":
			m.Refusal, ok = q.text()
		case "tool_calls":
			ok = q.null() // calls are rare enough
		}
		return ok
	})
}

// usage keeps the usage's own bytes; the answer's are only lent.
func (q *reader) usage(c *completion) bool {
	if q.peek() != '{' {
		return false
	}
	start := q.at
	ok := q.skip(deepest)
	c.Usage = bytes.Clone(q.data[start:q.at])
	return ok
}

// quickUsage is quick for the usage alone.
func quickUsage(raw []byte) (usage, bool) {
	q := reader{cursor{data: raw}}
	var u usage
	fields := []string{
		"prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details",
		"prompt_cache_hit_tokens", "server_tool_use",
	}
	ok := q.object(fields, func(field string) (ok bool) {
		switch field {
		case "prompt_tokens":
			u.PromptTokens, ok = q.count()
		case "completion_tokens":
			u.CompletionTokens, ok = q.count()
		case "total_tokens":
			u.TotalTokens, ok = q.count()
		case "prompt_tokens_details":
			ok = q.promptDetails(&u.PromptDetails)
		case "completion_tokens_details":
			ok = q.counts(
				[]string{"reasoning_tokens", "audio_tokens"},
				&u.CompletionDetails.ReasoningTokens, &u.CompletionDetails.AudioTokens,
			)
		}
		return ok // the others are rare
	})
	return u, ok && q.peek() == 0 && q.at == len(raw)
}

func (q *reader) promptDetails(d *promptDetails) bool {
	fields := []string{"cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens", "cache_write_tokens_details"}
	return q.counts(fields, &d.CachedTokens, &d.CacheWriteTokens, &d.AudioTokens, &d.ImageTokens)
}

// counts reads an object of counts, one target for each field; a field without a target is for encoding/json.
func (q *reader) counts(fields []string, targets ...**int64) bool {
	if q.null() {
		return true
	}
	return q.object(fields, func(field string) (ok bool) {
		for i, target := range targets {
			if fields[i] == field {
				*target, ok = q.count()
			}
		}
		return ok
	})
}
