package responses

import (
	"strconv"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/providers/openai"
	"github.com/weirhq/weir/task"
)

// Prepare encodes the call with its stable part first: tools, schema and instructions, then the input. Every error wraps
// providers.ErrCall.
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
	body := append(make([]byte, 0, size), prefix...)
	for i, m := range call.Messages {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, `{"type":"message","role":`...)
		body = httpcall.AppendString(body, m.Role)
		body = append(body, `,"content":`...)
		if i == len(call.Messages)-1 && len(call.Attachments) > 0 {
			body = appendFiles(body, m.Content, call.Attachments)
		} else {
			body = httpcall.AppendString(body, m.Content)
		}
		body = append(body, '}')
	}
	body = append(body, `],"max_output_tokens":`...)
	body = strconv.AppendInt(body, int64(call.MaxOutputTokens), 10)
	body = append(body, '}')
	return providers.Request{AttemptID: call.AttemptID, Model: call.Model, Body: body, Timeout: call.Timeout}, nil
}

// appendFiles writes the content of a message with files before its text.
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

// stable is the body up to the first item of the input. The provider stores nothing, and writes nothing to its cache
// where the call says so: the explicit mode without a mark does not.
func stable(call providers.Call) ([]byte, error) {
	dst := append([]byte(nil), `{"model":`...)
	dst = httpcall.AppendString(dst, call.Model)
	dst = append(dst, `,"store":false`...)
	if call.Cache == providers.CacheNone {
		dst = append(dst, `,"prompt_cache_options":{"mode":"explicit"}`...)
	}
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
	if system := openai.SystemText(call.System, call.Context); system != "" {
		dst = append(dst, `,"instructions":`...)
		dst = httpcall.AppendString(dst, system)
	}
	return append(dst, `,"input":[`...), nil
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
