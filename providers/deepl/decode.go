package deepl

import (
	"encoding/json"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

type format struct{}

type answer struct {
	Translations []translation `json:"translations"`
}

type translation struct {
	Text *string `json:"text"`
	// Billed is there because show_billed_characters asks for it.
	Billed json.RawMessage `json:"billed_characters"`
	// ModelType is there when the request names one.
	ModelType string `json:"model_type_used"`
}

// Decode reads an answer, which has one translation because one text is sent.
func (format) Decode(a httpcall.Answer) (providers.Reply, *httpcall.Fault) {
	var got answer
	err := json.Unmarshal(a.Body, &got)
	reply := providers.Reply{Stop: providers.StopOther}
	if len(got.Translations) == 1 {
		reply = got.Translations[0].reply()
	}
	switch {
	case err != nil:
		fault := httpcall.Garbled(a, "the answer is no translation: "+err.Error())
		return reply, &fault
	case len(got.Translations) != 1:
		fault := httpcall.Garbled(a, "the answer is no translation of one text")
		return reply, &fault
	case got.Translations[0].Text == nil:
		fault := httpcall.Garbled(a, "the answer is no translation: it has no text")
		return reply, &fault
	}
	return reply, nil
}

func (t *translation) reply() providers.Reply {
	reply := providers.Reply{Model: t.ModelType, Stop: providers.StopEnd}
	if t.Text != nil {
		reply.Output = *t.Text
	}
	if len(t.Billed) > 0 && string(t.Billed) != "null" {
		reply.RawUsage = append(append([]byte(`{"billed_characters":`), t.Billed...), '}')
		reply.Usage = ReadUsage(reply.RawUsage)
	}
	return reply
}

// ReadUsage reads the billed characters of one translation, out of an object that holds them or out of a whole answer. It
// is nil when they are missing or absurd.
func ReadUsage(raw json.RawMessage) *task.Usage {
	var counts struct {
		Billed       *int64 `json:"billed_characters"`
		Translations []struct {
			Billed *int64 `json:"billed_characters"`
		} `json:"translations"`
	}
	if json.Unmarshal(raw, &counts) != nil {
		return nil
	}
	billed := counts.Billed
	if billed == nil && len(counts.Translations) == 1 {
		billed = counts.Translations[0].Billed
	}
	if billed == nil {
		return nil
	}
	return httpcall.Metered(task.Usage{Characters: *billed})
}
