package openai

import (
	"strconv"
	"strings"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

// Prepare encodes the call with its stable part first: tools, system and context, then the messages. Every error wraps
// providers.ErrCall.
func (p *Provider) Prepare(call providers.Call) (providers.Request, error) {
	if err := call.Check(); err != nil {
		return providers.Request{}, err
	}
	prefix, err := p.prefixes.Of(call, stable)
	if err != nil {
		return providers.Request{}, err
	}
	size := len(prefix) + 128 + httpcall.AttachmentsSize(call.Attachments)
	for _, m := range call.Messages {
		size += len(m.Content) + len(m.Content)/16 + 48
	}
	body := append(make([]byte, 0, size), prefix...)
	for i, m := range call.Messages {
		if body[len(body)-1] == '}' { // after the system message or another one
			body = append(body, ',')
		}
		if i == len(call.Messages)-1 && len(call.Attachments) > 0 {
			body = appendFiles(body, m, call.Attachments)
			continue
		}
		body = appendMessage(body, m.Role, m.Content)
	}
	body = append(body, `],"`...)
	body = append(body, p.dialect.outputLimit...)
	body = append(body, `":`...)
	body = strconv.AppendInt(body, int64(call.MaxOutputTokens), 10)
	body = append(body, p.dialect.routing...)
	if call.Cache == providers.CacheNone && p.dialect.ownCache { // the explicit mode without a mark writes nothing
		body = append(body, `,"prompt_cache_options":{"mode":"explicit"}`...)
	}
	body = append(body, '}')
	return providers.Request{AttemptID: call.AttemptID, Model: call.Model, Body: body, Timeout: call.Timeout}, nil
}

func appendMessage(dst []byte, role, content string) []byte {
	dst = append(dst, `{"role":`...)
	dst = httpcall.AppendString(dst, role)
	dst = append(dst, `,"content":`...)
	dst = httpcall.AppendString(dst, content)
	return append(dst, '}')
}

// appendFiles writes a message with files before its text: images by data URL, PDFs as files.
func appendFiles(dst []byte, m task.Message, files []providers.Attachment) []byte {
	dst = append(dst, `{"role":`...)
	dst = httpcall.AppendString(dst, m.Role)
	dst = append(dst, `,"content":[`...)
	for i, file := range files {
		if i > 0 {
			dst = append(dst, ',')
		}
		if file.MediaType == task.MediaPDF {
			dst = append(dst, `{"type":"file","file":{"filename":`...)
			dst = httpcall.AppendString(dst, httpcall.FileName(i, file))
			dst = append(dst, `,"file_data":`...)
		} else {
			dst = append(dst, `{"type":"image_url","image_url":{"url":`...)
		}
		dst = httpcall.AppendDataURL(dst, file)
		dst = append(dst, `}}`...)
	}
	if m.Content != "" {
		dst = append(dst, `,{"type":"text","text":`...)
		dst = httpcall.AppendString(dst, m.Content)
		dst = append(dst, '}')
	}
	return append(dst, `]}`...)
}

// stable is the body up to the first message of the conversation.
func stable(call providers.Call) ([]byte, error) {
	dst := append([]byte(nil), `{"model":`...)
	dst = httpcall.AppendString(dst, call.Model)
	dst, err := httpcall.AppendTools(dst, call.Tools, appendTool)
	if err != nil {
		return nil, err
	}
	if call.JSONSchema && len(call.Schema) > 0 {
		dst = append(dst, `,"response_format":{"type":"json_schema","json_schema":{"name":"answer","strict":`...)
		dst = strconv.AppendBool(dst, Strict(call.Schema))
		dst = append(dst, `,"schema":`...)
		if dst, err = httpcall.AppendObject(dst, call.Schema); err != nil {
			return nil, err
		}
		dst = append(dst, `}}`...)
	}
	dst = append(dst, `,"messages":[`...)
	if system := SystemText(call.System, call.Context); system != "" {
		dst = appendMessage(dst, "system", system)
	}
	return dst, nil
}

// SystemText is one text, because chat templates of open models take one system message, and that as a string.
func SystemText(system string, context []string) string {
	var parts []string
	for _, text := range append([]string{system}, context...) {
		if text != "" {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, "\n\n")
}

func appendTool(dst []byte, tool task.Tool) ([]byte, error) {
	dst = append(dst, `{"type":"function","function":{"name":`...)
	dst = httpcall.AppendString(dst, tool.Name)
	if tool.Description != "" {
		dst = append(dst, `,"description":`...)
		dst = httpcall.AppendString(dst, tool.Description)
	}
	if len(tool.Parameters) > 0 {
		dst = append(dst, `,"parameters":`...)
		var err error
		if dst, err = httpcall.AppendObject(dst, tool.Parameters); err != nil {
			return nil, err
		}
	}
	return append(dst, `}}`...), nil
}
