package embed

import (
	"encoding/json"
	"strconv"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/providers/openai"
	"github.com/weirhq/weir/task"
)

// voyage is Voyage AI's /v1/embeddings: like OpenAI's, but it cuts texts that are too long unless it is told not to.
type voyage struct{}

const voyageURL = "https://api.voyageai.com/v1"

func newVoyage(cfg providers.Config) (*httpcall.Client, wire, error) {
	target, err := cfg.Endpoint(voyageURL)
	if err != nil {
		return nil, nil, err
	}
	if target.Path == "" {
		target.Path = "/v1"
	}
	target.Path += "/embeddings"
	// each call is read by a format of its own, see reader
	client, err := httpcall.New(cfg, httpcall.Wire{URL: target, KeyHeader: "Authorization", KeyPrefix: "Bearer "})
	return client, voyage{}, err
}

func (voyage) prepare(r Request) (providers.Request, error) {
	body := appendInput(r)
	if r.InputType != Unsaid {
		body = append(body, `,"input_type":`...)
		body = httpcall.AppendString(body, string(r.InputType))
	}
	// A text that is cut off is paid and embedded as something else, without a word.
	body = append(body, `,"truncation":false`...)
	if r.Dimensions > 0 {
		body = append(body, `,"output_dimension":`...)
		body = strconv.AppendInt(body, int64(r.Dimensions), 10)
	}
	body = append(body, `,"encoding_format":"base64"}`...)
	return providers.Request{AttemptID: r.CallID, Model: r.Model, Body: body, Timeout: r.Timeout}, nil
}

func (voyage) decode(a httpcall.Answer) (providers.Reply, []item, *httpcall.Fault) {
	var l list
	reply, items, err := l.read(a, ReadVoyageUsage)
	if err != nil {
		fault := httpcall.Garbled(a, "the answer is no list of embeddings: "+err.Error())
		return reply, nil, &fault
	}
	return reply, items, nil
}

// ReadVoyageUsage reads the usage of Voyage's embeddings, which is one number, the prompts of input types included. It
// is nil when there is none, or nothing was counted.
func ReadVoyageUsage(raw json.RawMessage) *task.Usage {
	var u struct {
		Total *int64 `json:"total_tokens"`
	}
	if json.Unmarshal(raw, &u) != nil || u.Total == nil {
		return nil
	}
	return httpcall.Metered(task.Usage{Input: *u.Total})
}

// fault reads {"detail": words}. "The max allowed tokens per submitted batch is 120000" is about all texts together.
func (voyage) fault(a httpcall.Answer) httpcall.Fault {
	fault := openai.FaultOfBody(a)
	tooLong := httpcall.Mentions(fault.Message, "tokens per submitted batch", "too many tokens")
	if fault.Class == task.FailBadRequest && tooLong {
		fault.Class = task.FailTooLong
	}
	return fault
}

func (voyage) numberBytes() int64 { return packedBytes }
