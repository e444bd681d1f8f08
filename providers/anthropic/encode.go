package anthropic

import (
	"strconv"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

// Prepare encodes the call with its stable part first: tools, system, context and examples in the order in which the API
// caches them, then the messages. Every error wraps providers.ErrCall.
func (p *Provider) Prepare(call providers.Call) (providers.Request, error) {
	body, err := p.prompt(call)
	if err != nil {
		return providers.Request{}, err
	}
	body = append(body, `,"max_tokens":`...)
	body = strconv.AppendInt(body, int64(call.MaxOutputTokens), 10)
	body = httpcall.AppendSettings(appendThinking(body, call), call)
	return providers.Request{
		AttemptID: call.AttemptID, Model: call.Model, Body: append(body, '}'), Timeout: call.Timeout,
	}, nil
}

// prompt is the body up to the last message: all that has tokens.
func (p *Provider) prompt(call providers.Call) ([]byte, error) {
	if err := call.Check(); err != nil {
		return nil, err
	}
	prefix, err := p.prefixes.Of(call, stable)
	if err != nil {
		return nil, err
	}
	size := len(prefix) + 64 + httpcall.AttachmentsSize(call.Attachments)
	for _, m := range call.Messages {
		size += len(m.Content) + len(m.Content)/16 + 48
	}
	body := append(make([]byte, 0, size), prefix...)
	for i, m := range call.Messages {
		if i > 0 || len(call.Examples) > 0 {
			body = append(body, ',')
		}
		if i == len(call.Messages)-1 && len(call.Attachments) > 0 {
			body = appendFiles(body, m, call.Attachments)
			continue
		}
		body = appendMessage(body, m)
	}
	return append(body, ']'), nil
}

func appendMessage(dst []byte, m task.Message) []byte {
	dst = append(dst, `{"role":`...)
	dst = httpcall.AppendString(dst, m.Role)
	dst = append(dst, `,"content":`...)
	dst = httpcall.AppendString(dst, m.Content)
	return append(dst, '}')
}

// appendFiles writes a message with files before its text, which is where models look at them best.
func appendFiles(dst []byte, m task.Message, files []providers.Attachment) []byte {
	dst = append(dst, `{"role":`...)
	dst = httpcall.AppendString(dst, m.Role)
	dst = append(dst, `,"content":[`...)
	for i, file := range files {
		if i > 0 {
			dst = append(dst, ',')
		}
		kind := "image"
		if file.MediaType == task.MediaPDF {
			kind = "document"
		}
		dst = append(append(append(dst, `{"type":"`...), kind...), `","source":{"type":"base64","media_type":`...)
		dst = httpcall.AppendString(dst, file.MediaType)
		dst = append(dst, `,"data":`...)
		dst = httpcall.AppendBase64(dst, file.Data)
		dst = append(dst, `}}`...)
	}
	if m.Content != "" { // the API refuses empty blocks
		dst = append(dst, `,{"type":"text","text":`...)
		dst = httpcall.AppendString(dst, m.Content)
		dst = append(dst, '}')
	}
	return append(dst, `]}`...)
}

func appendThinking(dst []byte, call providers.Call) []byte {
	if call.ThinkingTokens > 0 {
		dst = append(dst, `,"thinking":{"type":"enabled","budget_tokens":`...)
		dst = append(strconv.AppendInt(dst, int64(call.ThinkingTokens), 10), '}')
	}
	return dst
}

// stable is the body up to the first message of the task's own.
func stable(call providers.Call) ([]byte, error) {
	dst := append([]byte(nil), `{"model":`...)
	dst = httpcall.AppendString(dst, call.Model)
	last := lastStable(call)
	examples := len(call.Examples) > 0
	dst, err := httpcall.AppendTools(dst, call.Tools, appendTool)
	if err != nil {
		return nil, err
	}
	if mark := markOf(call, last < 0 && !examples); mark != "" && len(call.Tools) > 0 { // it ends the last tool
		dst = append(append(dst[:len(dst)-len(`}]`)], mark...), `}]`...)
	}
	dst = appendSystem(dst, call, last)
	if dst, err = appendOutput(dst, call); err != nil {
		return nil, err
	}
	dst = append(dst, `,"messages":[`...)
	for i, m := range call.Examples {
		if i > 0 {
			dst = append(dst, ',')
		}
		mark := markOf(call, i == len(call.Examples)-1)
		if mark == "" {
			dst = appendMessage(dst, m)
			continue
		}
		dst = append(dst, `{"role":`...)
		dst = httpcall.AppendString(dst, m.Role)
		dst = append(dst, `,"content":[{"type":"text","text":`...)
		dst = httpcall.AppendString(dst, m.Content)
		dst = append(append(dst, mark...), `}]}`...)
	}
	return dst, nil
}

// appendOutput writes what is said of the answer: its schema, and the effort for it.
func appendOutput(dst []byte, call providers.Call) ([]byte, error) {
	schema := call.JSONSchema && len(call.Schema) > 0
	if !schema && call.Effort == "" {
		return dst, nil
	}
	dst = append(dst, `,"output_config":{`...)
	if schema {
		dst = append(dst, `"format":{"type":"json_schema","schema":`...)
		var err error
		if dst, err = httpcall.AppendObject(dst, call.Schema); err != nil {
			return nil, err
		}
		dst = append(dst, '}')
	}
	if call.Effort != "" {
		if schema {
			dst = append(dst, ',')
		}
		dst = append(dst, `"effort":`...)
		dst = httpcall.AppendString(dst, call.Effort)
	}
	return append(dst, '}'), nil
}

// lastStable is the place of the text, system first and then the contexts, that the stable prefix ends with; -1 when it
// has none and ends with the tools. Examples end it in any case.
func lastStable(call providers.Call) int {
	for i := call.StableContext - 1; i >= 0; i-- {
		if call.Context[i] != "" {
			return i + 1
		}
	}
	if call.System != "" {
		return 0
	}
	return -1
}

// markOf is the mark at the end of the stable prefix, which covers everything before it: one is enough. A prefix that is
// too short to be kept is neither kept nor charged.
func markOf(call providers.Call, here bool) string {
	if !here || call.Cache != providers.Cache5m && call.Cache != providers.Cache1h {
		return ""
	}
	return `,"cache_control":{"type":"ephemeral","ttl":"` + string(call.Cache) + `"}`
}

func appendTool(dst []byte, tool task.Tool) ([]byte, error) {
	dst = append(dst, `{"name":`...)
	dst = httpcall.AppendString(dst, tool.Name)
	if tool.Description != "" {
		dst = append(dst, `,"description":`...)
		dst = httpcall.AppendString(dst, tool.Description)
	}
	dst = append(dst, `,"input_schema":`...)
	if len(tool.Parameters) == 0 {
		return append(dst, `{"type":"object"}}`...), nil // the API demands a schema
	}
	dst, err := httpcall.AppendObject(dst, tool.Parameters)
	return append(dst, '}'), err
}

// appendSystem writes the system prompt and each context as a block of its own, so that each can end a cached prefix: the
// one at place last does.
func appendSystem(dst []byte, call providers.Call, last int) []byte {
	open := false
	for i, text := range append([]string{call.System}, call.Context...) {
		if text == "" {
			continue // the API refuses empty blocks
		}
		if open {
			dst = append(dst, ',')
		} else {
			dst = append(dst, `,"system":[`...)
			open = true
		}
		dst = append(dst, `{"type":"text","text":`...)
		dst = httpcall.AppendString(dst, text)
		dst = append(dst, markOf(call, i == last && len(call.Examples) == 0)...)
		dst = append(dst, '}')
	}
	if open {
		dst = append(dst, ']')
	}
	return dst
}
