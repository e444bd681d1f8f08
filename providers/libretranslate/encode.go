package libretranslate

import (
	"cmp"
	"strings"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
)

// Prepare encodes the translation of one text. The request names no model, as a server has one. Every error wraps
// providers.ErrCall.
func (p *Provider) Prepare(call providers.Call) (providers.Request, error) {
	if err := call.CheckTranslation(); err != nil {
		return providers.Request{}, err
	}
	text := call.Text()
	body := append(make([]byte, 0, len(text)+len(text)/16+128), `{"source":`...)
	body = httpcall.AppendString(body, cmp.Or(language(call.Translate.Source), "auto"))
	body = append(body, `,"target":`...)
	body = httpcall.AppendString(body, language(call.Translate.Target))
	body = append(body, `,"format":"text","q":`...)
	body = httpcall.AppendString(body, text)
	return providers.Request{
		AttemptID: call.AttemptID, Model: call.Model, Body: append(body, '}'), Timeout: call.Timeout,
		Characters: providers.Characters(text),
	}, nil
}

// language is the code by which these servers know a language: without its country, except where that is another language to
// them, so that a feature's en-US does for a service that tells English of two countries apart and for one that does not.
func language(code string) string {
	code = strings.ToLower(code)
	base, _, _ := strings.Cut(code, "-")
	if code == "pt-br" || base == "zh" {
		return code
	}
	return base
}
