package embed

import (
	"encoding/json"
	"strconv"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/providers/openai"
	"github.com/weirhq/weir/task"
)

// openAI is /v1/embeddings of OpenAI, and of the servers that speak it, in their dialects.
type openAI struct {
	method *openai.Method
	// packed says that vectors are asked for in base64, which has a quarter of the decimals' bytes. Servers that are not
	// known to take the word are not asked; whatever comes is read.
	packed bool
	// dimensions is the name of the parameter.
	dimensions string
}

func newOpenAI(cfg providers.Config) (*httpcall.Client, wire, error) {
	method, err := openai.NewMethod(cfg, "/embeddings")
	if err != nil {
		return nil, nil, err
	}
	o := &openAI{method: method, dimensions: "dimensions", packed: cfg.Dialect == "" && cfg.BaseURL == ""}
	switch cfg.Dialect {
	case catalog.DialectOpenAI, catalog.DialectAzure, catalog.DialectVLLM, catalog.DialectLlamaCpp, catalog.DialectXAI:
		o.packed = true
	case catalog.DialectMistral:
		o.packed, o.dimensions = true, "output_dimension"
	}
	return method.Client, o, nil
}

func (o *openAI) prepare(r Request) (providers.Request, error) {
	body := appendInput(r)
	if r.Dimensions > 0 {
		body = append(body, `,"`...)
		body = append(body, o.dimensions...)
		body = append(body, `":`...)
		body = strconv.AppendInt(body, int64(r.Dimensions), 10)
	}
	if o.packed {
		body = append(body, `,"encoding_format":"base64"`...)
	}
	return o.method.Address(providers.Call{
		AttemptID: r.CallID, Model: r.Model, Feature: r.Feature, Timeout: r.Timeout,
	}, body)
}

// appendInput begins the body that OpenAI's API and Voyage's have in common.
func appendInput(r Request) []byte {
	size := 256
	for _, text := range r.Texts {
		size += len(text) + len(text)/16 + 4
	}
	body := append(make([]byte, 0, size), `{"model":`...)
	body = httpcall.AppendString(body, r.Model)
	body = append(body, `,"input":[`...)
	for i, text := range r.Texts {
		if i > 0 {
			body = append(body, ',')
		}
		body = httpcall.AppendString(body, text)
	}
	return append(body, ']')
}

// list is the answer that OpenAI's API and Voyage's have in common.
type list struct {
	Model string `json:"model"`
	Data  []struct {
		Index     *int   `json:"index"`
		Embedding vector `json:"embedding"`
	} `json:"data"`
	Usage json.RawMessage `json:"usage"`
	Error json.RawMessage `json:"error"`
}

// read decodes the answer as far as it goes: what a wrong vector costs is known all the same.
func (l *list) read(a httpcall.Answer, usage func(json.RawMessage) *task.Usage) (providers.Reply, []item, error) {
	err := json.Unmarshal(a.Body, l)
	reply := providers.Reply{Model: l.Model}
	if len(l.Usage) > 0 && string(l.Usage) != "null" {
		reply.RawUsage = l.Usage
		reply.Usage = usage(l.Usage)
	}
	items := make([]item, len(l.Data))
	for i, d := range l.Data {
		items[i] = item{vector: d.Embedding, index: d.Index}
	}
	return reply, items, err
}

func (o *openAI) decode(a httpcall.Answer) (providers.Reply, []item, *httpcall.Fault) {
	var l list
	reply, items, err := l.read(a, ReadOpenAIUsage)
	reply.ReportedCost = o.method.ReportedCost(reply.RawUsage, a.Header)
	if fault, ok := openai.FaultOf(l.Error, a); ok {
		return reply, nil, &fault
	}
	if err != nil {
		fault := httpcall.Garbled(a, "the answer is no list of embeddings: "+err.Error())
		return reply, nil, &fault
	}
	return reply, items, nil
}

// ReadOpenAIUsage reads the usage of embeddings, which is a prompt and its total. Servers that leave one of them out
// are taken at the other's word; it is nil when they differ, or count nothing.
func ReadOpenAIUsage(raw json.RawMessage) *task.Usage {
	var u struct {
		Prompt *int64 `json:"prompt_tokens"`
		Total  *int64 `json:"total_tokens"`
	}
	if json.Unmarshal(raw, &u) != nil || u.Prompt == nil && u.Total == nil {
		return nil
	}
	tokens := max(httpcall.Count(u.Prompt), httpcall.Count(u.Total))
	if u.Prompt != nil && u.Total != nil && *u.Prompt != *u.Total {
		return nil
	}
	return httpcall.Metered(task.Usage{Input: tokens})
}

func (o *openAI) fault(a httpcall.Answer) httpcall.Fault {
	fault := openai.FaultOfBody(a)
	// "Requested 453357 tokens, max 300000 tokens per request"; "Invalid 'input[3]': maximum input length is 8192 tokens";
	// and text-embeddings-inference's "`inputs` must have less than 512 tokens"
	if fault.Class == task.FailBadRequest && httpcall.Mentions(fault.Message,
		"tokens per request", "maximum input length", "must have less than", "too large to process") {
		fault.Class = task.FailTooLong
	}
	return fault
}

func (o *openAI) numberBytes() int64 {
	if o.packed {
		return packedBytes
	}
	return decimalBytes
}
