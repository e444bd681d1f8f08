package responses

import (
	"strconv"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/providers/openai"
	"github.com/weirhq/weir/task"
)

// Prepare encodes the call with its stable part first: tools, schema, instructions and examples, then the task's own input.
// Every error wraps providers.ErrCall.
func (p *Provider) Prepare(call providers.Call) (providers.Request, error) {
	if err := call.Check(); err != nil {
		return providers.Request{}, err
	}
	prefix, err := p.prefixes.Of(call, stable)
	if err != nil {
		return providers.Request{}, err
	}
	size := len(prefix) + 64 + httpcall.AttachmentsSize(call.Attachments)
	for _, m := range call.Messages {
		size += len(m.Content) + len(m.Content)/16 + 48
	}
	body := appendTurns(append(make([]byte, 0, size), prefix...), call)
	body = append(body, `,"max_output_tokens":`...)
	body = strconv.AppendInt(body, int64(call.MaxOutputTokens), 10)
	body = append(httpcall.AppendSettings(appendReasoning(body, call), call), '}')
	return providers.Request{AttemptID: call.AttemptID, Model: call.Model, Body: body, Timeout: call.Timeout}, nil
}

// appendTurns writes the task's own input and ends the list.
func appendTurns(body []byte, call providers.Call) []byte {
	for i, m := range call.Messages {
		if i > 0 || body[len(body)-1] == '}' { // after the stable items
			body = append(body, ',')
		}
		var files []providers.Attachment
		if i == len(call.Messages)-1 {
			files = call.Attachments
		}
		body = appendMessage(body, m, files)
	}
	return append(body, ']')
}

func appendReasoning(body []byte, call providers.Call) []byte {
	if call.Effort != "" {
		body = append(body, `,"reasoning":{"effort":`...)
		body = append(httpcall.AppendString(body, call.Effort), '}')
	}
	return body
}

// appendMessage writes a message, with files before its text.
func appendMessage(dst []byte, m task.Message, files []providers.Attachment) []byte {
	dst = append(dst, `{"type":"message","role":`...)
	dst = httpcall.AppendString(dst, m.Role)
	dst = append(dst, `,"content":`...)
	if len(files) > 0 {
		dst = appendFiles(dst, m.Content, files)
	} else {
		dst = httpcall.AppendString(dst, m.Content)
	}
	return append(dst, '}')
}

func appendFiles(dst []byte, text string, files []providers.Attachment) []byte {
	dst = append(dst, '[')
	for i, file := range files {
		if i > 0 {
			dst = append(dst, ',')
		}
		if file.MediaType == task.MediaPDF {
			dst = append(dst, `{"type":"input_file","filename":`...)
			dst = httpcall.AppendString(dst, httpcall.FileName(i, file))
			dst = append(dst, `,"file_data":`...)
		} else {
			dst = append(dst, `{"type":"input_image","detail":"auto","image_url":`...)
		}
		dst = httpcall.AppendDataURL(dst, file)
		dst = append(dst, '}')
	}
	if text != "" {
		dst = append(dst, `,{"type":"input_text","text":`...)
		dst = httpcall.AppendString(dst, text)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// stable is the body up to the first item of the task's own. The provider stores nothing but what its cache is to keep.
func stable(call providers.Call) ([]byte, error) {
	dst := append([]byte(nil), `{"model":`...)
	dst = httpcall.AppendString(dst, call.Model)
	dst = append(dst, `,"store":false`...)
	dst = openai.AppendCacheOptions(dst, call, providers.Cache30m, providers.Cache12h)
	return appendStable(dst, call)
}

// appendStable writes the stable part of what has tokens, each field with a comma before it.
func appendStable(dst []byte, call providers.Call) ([]byte, error) {
	dst, err := httpcall.AppendTools(dst, call.Tools, appendTool)
	if err != nil {
		return nil, err
	}
	if call.JSONSchema && len(call.Schema) > 0 {
		dst = append(dst, `,"text":{"format":{"type":"json_schema","name":"answer","strict":`...)
		dst = strconv.AppendBool(dst, openai.Strict(call.Schema))
		dst = append(dst, `,"schema":`...)
		if dst, err = httpcall.AppendObject(dst, call.Schema); err != nil {
			return nil, err
		}
		dst = append(dst, `}}`...)
	}
	return appendStableInput(dst, call), nil
}

// appendStableInput writes the system prompt and the examples. Instructions cannot be marked, a system message can. Of the
// examples the last user's turn is marked: an assistant's turn takes no mark here, so its answer is sent uncached.
func appendStableInput(dst []byte, call providers.Call) []byte {
	end := openai.MarkOf(call, providers.Cache30m, providers.Cache12h)
	system := openai.SystemText(call.System, call.Context)
	if end != openai.EndSystem && system != "" {
		dst = append(dst, `,"instructions":`...)
		dst = httpcall.AppendString(dst, system)
	}
	dst = append(dst, `,"input":[`...)
	if end == openai.EndSystem {
		dst = append(dst, `{"type":"message","role":"system",`...)
		dst = openai.AppendMarked(dst, "input_text", openai.SystemParts(call)...)
		dst = append(dst, '}')
	}
	for i, m := range call.Examples {
		if i > 0 {
			dst = append(dst, ',')
		}
		if end == openai.EndExamples && i == len(call.Examples)-2 {
			dst = append(dst, `{"type":"message","role":"user",`...)
			dst = append(openai.AppendMarked(dst, "input_text", m.Content), '}')
			continue
		}
		dst = appendMessage(dst, m, nil)
	}
	return dst
}

// appendTool says that the parameters are not strict: the API takes them for strict unasked, and refuses most then.
func appendTool(dst []byte, tool task.Tool) ([]byte, error) {
	dst = append(dst, `{"type":"function","name":`...)
	dst = httpcall.AppendString(dst, tool.Name)
	if tool.Description != "" {
		dst = append(dst, `,"description":`...)
		dst = httpcall.AppendString(dst, tool.Description)
	}
	dst = append(dst, `,"strict":false,"parameters":`...)
	if len(tool.Parameters) == 0 {
		return append(dst, `{"type":"object","properties":{}}}`...), nil // the API demands a schema
	}
	dst, err := httpcall.AppendObject(dst, tool.Parameters)
	return append(dst, '}'), err
}
