package audit

import (
	"encoding/json"
	"strings"
)

// prompt is what a log has of the texts that were sent.
type prompt struct {
	system, text  string
	tools, schema bool
}

// readPrompt takes a prompt out of what logs keep of it: a text, messages, or the body of a request in the formats of OpenAI,
// Anthropic and Gemini.
func readPrompt(logged string) prompt {
	logged = strings.TrimSpace(logged)
	if !strings.HasPrefix(logged, "[") && !strings.HasPrefix(logged, "{") {
		return prompt{text: cut(logged)}
	}
	var body requestBody
	if strings.HasPrefix(logged, "[") {
		if json.Unmarshal([]byte(logged), &body.Messages) != nil {
			return prompt{text: cut(logged)}
		}
	} else if json.Unmarshal([]byte(logged), &body) != nil || body.empty() {
		return prompt{text: cut(logged)}
	}
	return body.prompt()
}

// requestBody are the parts of requests in which the texts are. Wrong types leave it unread: then the log's text stands.
type requestBody struct {
	Messages          []message       `json:"messages"`
	Input             json.RawMessage `json:"input"`
	Instructions      content         `json:"instructions"`
	Prompt            content         `json:"prompt"`
	System            content         `json:"system"`
	Contents          []message       `json:"contents"`
	SystemInstruction *message        `json:"systemInstruction"`
	Tools             []any           `json:"tools"`
	ResponseFormat    any             `json:"response_format"`
	OutputConfig      any             `json:"output_config"`
	Text              *struct {
		Format any `json:"format"`
	} `json:"text"`
}

type message struct {
	Role    string  `json:"role"`
	Content content `json:"content"`
	Parts   content `json:"parts"`
}

// content is a text, or a list of parts of which some have one.
type content string

// UnmarshalJSON implements json.Unmarshaler. What is neither has no text.
func (c *content) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		*c = content(text)
		return nil
	}
	var parts []struct {
		Text string `json:"text"`
	}
	if json.Unmarshal(data, &parts) != nil {
		return nil //nolint:nilerr // an image alone, or null
	}
	var texts []string
	for _, part := range parts {
		if part.Text != "" {
			texts = append(texts, part.Text)
		}
	}
	*c = content(strings.Join(texts, "\n"))
	return nil
}

func (b *requestBody) empty() bool {
	return len(b.Messages) == 0 && len(b.Input) == 0 && b.Prompt == "" && len(b.Contents) == 0
}

// prompt puts the parts in order: what the system is told, and the rest.
func (b *requestBody) prompt() prompt {
	var system, texts []string
	add := func(to *[]string, text content) {
		if text != "" {
			*to = append(*to, string(text))
		}
	}
	add(&system, b.System)
	add(&system, b.Instructions)
	if b.SystemInstruction != nil {
		add(&system, b.SystemInstruction.Parts)
	}
	messages := append(b.Messages, b.Contents...) //nolint:gocritic // only one of them is there
	if len(b.Input) > 0 {
		var items []message
		if json.Unmarshal(b.Input, &items) == nil {
			messages = append(messages, items...)
		} else {
			var text content
			_ = text.UnmarshalJSON(b.Input) // never fails
			add(&texts, text)
		}
	}
	for _, m := range messages {
		to := &texts
		if m.Role == "system" || m.Role == "developer" {
			to = &system
		}
		add(to, m.Content)
		add(to, m.Parts)
	}
	add(&texts, b.Prompt)
	return prompt{
		system: cut(strings.Join(system, "\n")), text: cut(strings.Join(texts, "\n")), tools: len(b.Tools) > 0,
		schema: b.ResponseFormat != nil || b.OutputConfig != nil || b.Text != nil && b.Text.Format != nil,
	}
}
