package openai

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
	if !p.dialect.ownCache {
		call.Cache, call.CacheKey = providers.CacheUnasked, ""
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
	if p.dialect.routing != nil {
		body = append(body, p.dialect.routing(&call)...)
	}
	body = AppendCacheOptions(body, call, providers.Cache30m)
	if call.Effort != "" {
		body = append(body, `,"reasoning_effort":`...)
		body = httpcall.AppendString(body, call.Effort)
	}
	body = append(httpcall.AppendSettings(body, call), '}')
	return p.dialect.address(&call, path, body)
}

// address says where the body goes and which labels go beside it.
func (d *dialect) address(call *providers.Call, method string, body []byte) (providers.Request, error) {
	r := providers.Request{AttemptID: call.AttemptID, Model: call.Model, Body: body, Timeout: call.Timeout}
	if d.labels != nil {
		r.Header = d.labels(call)
	}
	if !d.deployments {
		return r, nil
	}
	// only names that are one segment of a path as they stand: others would call something else, with the account's key
	if strings.Trim(call.Model, ".") == "" || strings.ContainsFunc(call.Model, notInName) {
		return providers.Request{}, fmt.Errorf(
			"%w: a deployment's name takes letters, digits, '.', '_' and '-' only", providers.ErrCall,
		)
	}
	r.Path = "/deployments/" + call.Model + method
	return r, nil
}

func notInName(r rune) bool {
	letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	return !letter && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
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
	end := MarkOf(call, providers.Cache30m)
	if end == EndSystem {
		dst = AppendMarked(append(dst, `{"role":"system",`...), "text", SystemParts(call)...)
		dst = append(dst, '}')
	} else if system := SystemText(call.System, call.Context); system != "" {
		dst = appendMessage(dst, "system", system)
	}
	for i, m := range call.Examples {
		if dst[len(dst)-1] == '}' {
			dst = append(dst, ',')
		}
		if end == EndExamples && i == len(call.Examples)-1 {
			dst = AppendMarked(append(dst, `{"role":"assistant",`...), "text", m.Content)
			dst = append(dst, '}')
			continue
		}
		dst = appendMessage(dst, m.Role, m.Content)
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
