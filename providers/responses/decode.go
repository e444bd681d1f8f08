package responses

import (
	"encoding/json"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/providers/openai"
	"github.com/weirhq/weir/task"
)

type response struct {
	Status      string          `json:"status"`
	Model       string          `json:"model"`
	ServiceTier string          `json:"service_tier"`
	Output      []item          `json:"output"`
	Usage       json.RawMessage `json:"usage"`
	Error       json.RawMessage `json:"error"`
	Incomplete  struct {
		Reason string `json:"reason"`
	} `json:"incomplete_details"`
}

// item is a message or a call of a function; others, such as reasoning, are no part of the answer.
type item struct {
	Type    string `json:"type"`
	Content []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	} `json:"content"`
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

// The states in which a response has ended.
const (
	statusCompleted  = "completed"
	statusIncomplete = "incomplete"
)

// Decode reads a response in any of its end states: what was metered is in the reply even when the rest cannot be used.
func (format) Decode(a httpcall.Answer) (providers.Reply, *httpcall.Fault) {
	var r response
	err := json.Unmarshal(a.Body, &r)
	reply := r.reply()
	if fault, ok := openai.FaultOf(r.Error, a); ok {
		return reply, &fault
	}
	switch {
	case err != nil:
		fault := httpcall.Garbled(a, "the answer is no response: "+err.Error())
		return reply, &fault
	case r.Status != statusCompleted && r.Status != statusIncomplete:
		fault := httpcall.Garbled(a, "the answer is no response that has ended")
		return reply, &fault
	}
	return reply, nil
}

func (r *response) reply() providers.Reply {
	reply := providers.Reply{Model: r.Model, ServiceTier: r.ServiceTier, RawStop: r.Status}
	if r.Incomplete.Reason != "" {
		reply.RawStop = r.Incomplete.Reason
	}
	if len(r.Usage) > 0 && r.Usage[0] == '{' {
		reply.RawUsage, reply.Usage = r.Usage, ReadUsage(r.Usage)
	}
	refused := false
	for _, item := range r.Output {
		switch item.Type {
		case "message":
			for _, part := range item.Content {
				refused = refused || part.Type == "refusal"
				if part.Type == "output_text" {
					reply.Output += part.Text
				}
			}
		case "function_call":
			reply.ToolCalls = append(reply.ToolCalls, task.ToolCall{Name: item.Name, Arguments: item.Arguments})
		}
	}
	reply.Stop = r.stop(refused, len(reply.ToolCalls) > 0)
	return reply
}

func (r *response) stop(refused, tools bool) providers.StopReason {
	switch {
	case refused:
		return providers.StopRefusal
	case r.Status == statusCompleted && tools:
		return providers.StopTools
	case r.Status == statusCompleted:
		return providers.StopEnd
	case r.Incomplete.Reason == "max_output_tokens":
		return providers.StopMaxTokens
	case r.Incomplete.Reason == "content_filter":
		return providers.StopFilter
	}
	return providers.StopOther
}

// usage is the API's own: its totals contain what its details name.
type usage struct {
	Input        *int64 `json:"input_tokens"`
	Output       *int64 `json:"output_tokens"`
	Total        *int64 `json:"total_tokens"`
	InputDetails struct {
		Cached  *int64 `json:"cached_tokens"`
		Written *int64 `json:"cache_write_tokens"`
		Writes  *struct {
			TTL30m *int64 `json:"ttl_30m_tokens"`
			TTL12h *int64 `json:"ttl_12h_tokens"`
		} `json:"cache_write_tokens_details"`
	} `json:"input_tokens_details"`
	OutputDetails struct {
		Reasoning *int64 `json:"reasoning_tokens"`
	} `json:"output_tokens_details"`
}

// ReadUsage sorts a usage object of the API into classes that do not overlap. It is nil when the usage is incomplete
// or contradicts itself. Tokens written to the cache without a split live for 30 minutes, the default.
func ReadUsage(raw json.RawMessage) *task.Usage {
	var u usage
	if json.Unmarshal(raw, &u) != nil || u.Input == nil || u.Output == nil {
		return nil
	}
	if u.Total != nil && *u.Total != *u.Input+*u.Output {
		return nil
	}
	in := u.InputDetails
	out := task.Usage{
		CacheRead: httpcall.Count(in.Cached), CacheWrite30m: httpcall.Count(in.Written),
		Output: *u.Output, Reasoning: httpcall.Count(u.OutputDetails.Reasoning),
	}
	if in.Writes != nil {
		out.CacheWrite30m, out.CacheWrite12h = httpcall.Count(in.Writes.TTL30m), httpcall.Count(in.Writes.TTL12h)
		if in.Written != nil && out.CacheWrite30m+out.CacheWrite12h != *in.Written {
			return nil
		}
	}
	out.Input = *u.Input - out.Prompt() // what no detail names; negative when the details exceed the total
	return httpcall.Metered(out)
}
