package deepl

import (
	"strings"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
)

// DefaultModel is the model's name that leaves the choice of a model to DeepL. Any other is sent as its model_type.
const DefaultModel = "deepl"

// Prepare encodes the translation of one text. Every error wraps providers.ErrCall.
func (p *Provider) Prepare(call providers.Call) (providers.Request, error) {
	if err := call.CheckTranslation(); err != nil {
		return providers.Request{}, err
	}
	text := call.Text()
	body := append(make([]byte, 0, len(text)+len(text)/16+256), `{"target_lang":`...)
	body = httpcall.AppendString(body, strings.ToUpper(call.Translate.Target))
	body = appendField(body, "source_lang", strings.ToUpper(call.Translate.Source))
	body = appendField(body, "formality", call.Translate.Formality)
	body = appendField(body, "glossary_id", call.Translate.Glossary)
	if call.Model != DefaultModel {
		body = appendField(body, "model_type", call.Model)
	}
	body = append(body, `,"show_billed_characters":true,"text":[`...)
	body = httpcall.AppendString(body, text)
	return providers.Request{
		AttemptID: call.AttemptID, Model: call.Model, Body: append(body, `]}`...), Timeout: call.Timeout,
		Characters: providers.Characters(text),
	}, nil
}

// appendField appends a field of a text that is there.
func appendField(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(dst, ',', '"')
	dst = append(dst, name...)
	return httpcall.AppendString(append(dst, '"', ':'), value)
}
