package openai

import (
	"encoding/json"
	"strings"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

// format is the decoder of every dialect. What it needs of one is how the provider tells its own figure of the cost, and
// where its id of the request stands.
type format struct{ dialect dialect }

type completion struct {
	ID          looseString     `json:"id"`
	Model       string          `json:"model"`
	ServiceTier string          `json:"service_tier"`
	Choices     []choice        `json:"choices"`
	Usage       json.RawMessage `json:"usage"`
	Timings     json.RawMessage `json:"timings"` // llama.cpp's
	Error       apiError        `json:"error"`
}

type choice struct {
	FinishReason string   `json:"finish_reason"`
	Message      *message `json:"message"`
	Error        apiError `json:"error"` // OpenRouter's, when the model's host failed on the way
}

type message struct {
	Content   text       `json:"content"`
	Refusal   string     `json:"refusal"`
	ToolCalls []toolCall `json:"tool_calls"`
}

type toolCall struct {
	Function struct {
		Name      string    `json:"name"`
		Arguments arguments `json:"arguments"`
	} `json:"function"`
}

// text is a string, or the text parts of a list, as some servers of reasoning models write it.
type text string

// UnmarshalJSON reads either form.
func (t *text) UnmarshalJSON(raw []byte) error {
	if len(raw) == 0 || raw[0] != '[' {
		return json.Unmarshal(raw, (*string)(t))
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if err := json.Unmarshal(raw, &parts); err != nil {
		return err
	}
	var out strings.Builder
	for _, part := range parts {
		if part.Type == "text" {
			out.WriteString(part.Text)
		}
	}
	*t = text(out.String())
	return nil
}

// arguments is a JSON object inside a string, or, from some servers, the object itself.
type arguments string

// UnmarshalJSON reads either form.
func (a *arguments) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '{' {
		*a = arguments(raw)
		return nil
	}
	return json.Unmarshal(raw, (*string)(a))
}

// Decode reads a completion. What was metered is in the reply even when the rest cannot be used.
func (f format) Decode(a httpcall.Answer) (providers.Reply, *httpcall.Fault) {
	var c completion
	err := json.Unmarshal(a.Body, &c)
	reply := c.reply()
	if f.dialect.reported != nil {
		reply.ReportedCost = f.dialect.reported(c.Usage, a.Header)
	}
	if f.dialect.idInBody {
		reply.RequestID = string(c.ID)
	}
	switch {
	case c.Error.present:
		fault := c.Error.fault(a)
		return reply, &fault
	case err != nil:
		fault := httpcall.Garbled(a, "the answer is no completion: "+err.Error())
		return reply, &fault
	case len(c.Choices) == 0:
		fault := httpcall.Garbled(a, "the answer is no completion: it has no choice")
		return reply, &fault
	case c.Choices[0].Error.present:
		fault := c.Choices[0].Error.fault(a)
		return reply, &fault
	case c.Choices[0].Message == nil:
		fault := httpcall.Garbled(a, "the answer is no completion: its choice has no message")
		return reply, &fault
	case c.Choices[0].FinishReason == noCapacity:
		return reply, &httpcall.Fault{Class: task.FailOverloaded, Message: "the model stopped for want of capacity"}
	}
	return reply, nil
}

func (c *completion) reply() providers.Reply {
	reply := providers.Reply{Model: c.Model, ServiceTier: tierOf(c.ServiceTier), Stop: providers.StopOther}
	if len(c.Usage) > 0 && c.Usage[0] == '{' {
		reply.RawUsage = c.Usage
		reply.Usage = applyTimings(c.Timings, ReadUsage(c.Usage))
	}
	if len(c.Choices) == 0 {
		return reply
	}
	first := &c.Choices[0]
	reply.RawStop, reply.Stop = first.FinishReason, stop(first)
	if first.Message == nil {
		return reply
	}
	reply.Output = string(first.Message.Content)
	for _, call := range first.Message.ToolCalls {
		reply.ToolCalls = append(reply.ToolCalls, task.ToolCall{
			Name: call.Function.Name, Arguments: string(call.Function.Arguments),
		})
	}
	return reply
}

// tierOf names the usual tier as everybody else does: on_demand is Groq's word for it.
func tierOf(tier string) string {
	if tier == "on_demand" {
		return "default"
	}
	return tier
}

// noCapacity is how DeepSeek says that it broke a generation off: what there is of it is no answer.
const noCapacity = "insufficient_system_resource"

// stop takes the words of other providers too, which gateways pass on as they come.
func stop(c *choice) providers.StopReason {
	if c.Message != nil && c.Message.Refusal != "" {
		return providers.StopRefusal
	}
	switch c.FinishReason {
	case "stop", "end_turn", "stop_sequence", "STOP":
		if c.Message != nil && len(c.Message.ToolCalls) > 0 {
			return providers.StopTools // some servers say stop after a tool call too
		}
		return providers.StopEnd
	case "tool_calls", "function_call", "tool_use":
		return providers.StopTools
	case "length", "max_tokens", "MAX_TOKENS":
		return providers.StopMaxTokens
	case "model_length", "model_context_window_exceeded": // Mistral's, Anthropic's
		return providers.StopContext
	case "refusal":
		return providers.StopRefusal
	case "content_filter", "SAFETY", "RECITATION", "PROHIBITED_CONTENT":
		return providers.StopFilter
	}
	return providers.StopOther
}
