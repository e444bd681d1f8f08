package embed

import (
	"encoding/json"
	"strconv"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/gemini"
	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

// generative is batchEmbedContents of the Gemini Developer API, which names the model in the URL and in each text's
// part.
type generative struct{}

func newGemini(cfg providers.Config) (*httpcall.Client, wire, error) {
	client, err := gemini.NewClient(cfg)
	return client, generative{}, err
}

func (generative) prepare(r Request) (providers.Request, error) {
	path, err := gemini.PathOf(r.Model, "batchEmbedContents")
	if err != nil {
		return providers.Request{}, err
	}
	// each text is a content of its own: texts in one content become one vector
	head := append([]byte(nil), `{"model":`...)
	head = httpcall.AppendString(head, "models/"+r.Model)
	head = append(head, `,"content":{"parts":[{"text":`...)
	tail := append([]byte(nil), `}]}`...)
	switch r.InputType {
	case Query:
		tail = append(tail, `,"taskType":"RETRIEVAL_QUERY"`...)
	case Document:
		tail = append(tail, `,"taskType":"RETRIEVAL_DOCUMENT"`...)
	case Unsaid:
	}
	if r.Dimensions > 0 {
		tail = append(tail, `,"outputDimensionality":`...)
		tail = strconv.AppendInt(tail, int64(r.Dimensions), 10)
	}
	size := 64
	for _, text := range r.Texts {
		size += len(head) + len(tail) + len(text) + len(text)/16 + 4
	}
	body := append(make([]byte, 0, size), `{"requests":[`...)
	for i, text := range r.Texts {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, head...)
		body = httpcall.AppendString(body, text)
		body = append(append(body, tail...), '}')
	}
	return providers.Request{
		AttemptID: r.CallID, Model: r.Model, Path: path, Body: append(body, `]}`...), Timeout: r.Timeout,
	}, nil
}

func (generative) decode(a httpcall.Answer) (providers.Reply, []item, *httpcall.Fault) {
	var got struct {
		Embeddings []struct {
			Values vector `json:"values"`
		} `json:"embeddings"`
		Usage json.RawMessage `json:"usageMetadata"`
	}
	err := json.Unmarshal(a.Body, &got)
	var reply providers.Reply
	if len(got.Usage) > 0 && string(got.Usage) != "null" {
		reply.RawUsage, reply.Usage = got.Usage, ReadGeminiUsage(got.Usage)
	}
	if err != nil {
		fault := httpcall.Garbled(a, "the answer holds no embeddings: "+err.Error())
		return reply, nil, &fault
	}
	items := make([]item, len(got.Embeddings))
	for i, e := range got.Embeddings {
		items[i].vector = e.Values
	}
	return reply, items, nil
}

// ReadGeminiUsage reads the usage that newer models tell; older ones tell none. It is nil when nothing was counted, or
// something else than text.
func ReadGeminiUsage(raw json.RawMessage) *task.Usage {
	var u struct {
		Prompt  *int64 `json:"promptTokenCount"`
		Details []struct {
			Modality string `json:"modality"`
		} `json:"promptTokenDetails"`
	}
	if json.Unmarshal(raw, &u) != nil || u.Prompt == nil {
		return nil
	}
	for _, d := range u.Details {
		if d.Modality != "TEXT" {
			return nil
		}
	}
	return httpcall.Metered(task.Usage{Input: *u.Prompt})
}

func (generative) fault(a httpcall.Answer) httpcall.Fault { return gemini.FaultOfBody(a) }

func (generative) numberBytes() int64 { return decimalBytes }
