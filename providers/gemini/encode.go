package gemini

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

// Prepare encodes the call with its stable part first: tools, system, context and examples, then the messages. Every error
// wraps providers.ErrCall.
func (p *Provider) Prepare(call providers.Call) (providers.Request, error) {
	if err := call.Check(); err != nil {
		return providers.Request{}, err
	}
	path, err := PathOf(call.Model, "generateContent")
	if err != nil {
		return providers.Request{}, err
	}
	head, err := p.heads.Of(call, stableHead)
	if err != nil {
		return providers.Request{}, err
	}
	tail, err := p.tails.Of(call, stableTail)
	if err != nil {
		return providers.Request{}, err
	}
	size := len(head) + len(tail) + 32 + httpcall.AttachmentsSize(call.Attachments)
	for _, m := range call.Messages {
		size += len(m.Content) + len(m.Content)/16 + 48
	}
	body := append(make([]byte, 0, size), head...)
	for i, m := range call.Messages {
		if i > 0 || len(call.Examples) > 0 {
			body = append(body, ',')
		}
		var files []providers.Attachment
		if i == len(call.Messages)-1 {
			files = call.Attachments
		}
		body = appendMessage(body, m, files)
	}
	body = append(body, tail...)
	body = strconv.AppendInt(body, int64(call.MaxOutputTokens), 10)
	body = append(appendSettings(body, call), '}')
	return providers.Request{
		AttemptID: call.AttemptID, Model: call.Model, Path: path, Body: body, Timeout: call.Timeout,
	}, nil
}

// PathOf is the path of a method of a model. It takes only names that are one segment of a path as they stand: a slash, a colon or a question mark would call
// something else than the model, with the account's key.
func PathOf(model, method string) (string, error) {
	if model == "." || model == ".." || strings.ContainsFunc(model, notInName) {
		return "", fmt.Errorf("%w: a gemini model's name takes letters, digits, '.', '_' and '-' only", providers.ErrCall)
	}
	return "/models/" + model + ":" + method, nil
}

func notInName(r rune) bool {
	letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	return !letter && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
}

// appendMessage writes a turn, with files before its text.
func appendMessage(dst []byte, m task.Message, files []providers.Attachment) []byte {
	role := m.Role
	if role == task.RoleAssistant {
		role = "model"
	}
	dst = append(dst, `{"role":`...)
	dst = httpcall.AppendString(dst, role)
	dst = append(dst, `,"parts":[`...)
	for i, file := range files {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"inlineData":{"mimeType":`...)
		dst = httpcall.AppendString(dst, file.MediaType)
		dst = append(dst, `,"data":`...)
		dst = httpcall.AppendBase64(dst, file.Data)
		dst = append(dst, `}}`...)
	}
	if m.Content == "" && len(files) > 0 { // the API refuses parts without a content
		return append(dst, `]}`...)
	}
	if len(files) > 0 {
		dst = append(dst, ',')
	}
	dst = append(dst, `{"text":`...)
	dst = httpcall.AppendString(dst, m.Content)
	return append(dst, `}]}`...)
}

// appendSettings writes what is said of how the model is to work, and closes the generation's configuration.
func appendSettings(dst []byte, call providers.Call) []byte {
	switch {
	case call.ThinkingTokens > 0:
		dst = append(dst, `,"thinkingConfig":{"thinkingBudget":`...)
		dst = append(strconv.AppendInt(dst, int64(call.ThinkingTokens), 10), '}')
	case call.Effort != "":
		dst = append(dst, `,"thinkingConfig":{"thinkingLevel":`...)
		dst = append(httpcall.AppendString(dst, strings.ToUpper(call.Effort)), '}')
	}
	if call.Temperature != nil {
		dst = append(dst, `,"temperature":`...)
		dst = strconv.AppendFloat(dst, *call.Temperature, 'f', -1, 64)
	}
	dst = append(dst, '}')
	if call.ServiceTier != "" {
		dst = append(dst, `,"serviceTier":`...)
		dst = httpcall.AppendString(dst, call.ServiceTier)
	}
	return dst
}

// stableHead is the body up to the first message of the task's own.
func stableHead(call providers.Call) ([]byte, error) {
	dst, err := appendTools([]byte{'{'}, call.Tools)
	if err != nil {
		return nil, err
	}
	dst = appendSystem(dst, append([]string{call.System}, call.Context...))
	dst = append(dst, `"contents":[`...)
	for i, m := range call.Examples {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendMessage(dst, m, nil)
	}
	return dst, nil
}

// stableTail is the body from the last message to the output limit. The schema stands here because it shares an object
// with the limit, which is not stable; the prompt cache goes by the prompt, not by the order of the body.
func stableTail(call providers.Call) ([]byte, error) {
	dst := []byte(`],"generationConfig":{`)
	if call.JSONSchema && len(call.Schema) > 0 {
		dst = append(dst, `"responseMimeType":"application/json","responseJsonSchema":`...)
		var err error
		if dst, err = httpcall.AppendObject(dst, call.Schema); err != nil {
			return nil, err
		}
		dst = append(dst, ',')
	}
	return append(dst, `"maxOutputTokens":`...), nil
}

func appendSystem(dst []byte, texts []string) []byte {
	begun := false
	for _, text := range texts {
		switch {
		case text == "":
			continue // the API refuses parts without a content
		case begun:
			dst = append(dst, ',')
		default:
			dst = append(dst, `"systemInstruction":{"parts":[`...)
			begun = true
		}
		dst = append(dst, `{"text":`...)
		dst = httpcall.AppendString(dst, text)
		dst = append(dst, '}')
	}
	if begun {
		dst = append(dst, `]},`...)
	}
	return dst
}

func appendTools(dst []byte, tools []task.Tool) ([]byte, error) {
	if len(tools) == 0 {
		return dst, nil
	}
	dst = append(dst, `"tools":[{"functionDeclarations":[`...)
	for i, tool := range tools {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendTool(dst, tool); err != nil {
			return nil, err
		}
	}
	return append(dst, `]}],`...), nil
}

// appendTool writes the parameters as parametersJsonSchema: the field parameters takes only a part of OpenAPI's schemas.
func appendTool(dst []byte, tool task.Tool) ([]byte, error) {
	dst = append(dst, `{"name":`...)
	dst = httpcall.AppendString(dst, tool.Name)
	if tool.Description != "" {
		dst = append(dst, `,"description":`...)
		dst = httpcall.AppendString(dst, tool.Description)
	}
	if len(tool.Parameters) > 0 {
		dst = append(dst, `,"parametersJsonSchema":`...)
		var err error
		if dst, err = httpcall.AppendObject(dst, tool.Parameters); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}
