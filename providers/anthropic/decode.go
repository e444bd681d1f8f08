package anthropic

import (
	"encoding/json"
	"strings"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

type format struct{}

type message struct {
	Model      string          `json:"model"`
	StopReason string          `json:"stop_reason"`
	Content    []block         `json:"content"`
	Usage      json.RawMessage `json:"usage"`
	Error      *apiError       `json:"error"`
}

type block struct {
	Type  string          `json:"type"`
	Text  string          `json:"text"`
	Name  string          `json:"name"`
	Input json.RawMessage `json:"input"`
}

// Decode reads a message. What was metered is in the reply even when the rest cannot be used.
func (format) Decode(a httpcall.Answer) (providers.Reply, *httpcall.Fault) {
	var m message
	err := json.Unmarshal(a.Body, &m)
	reply := m.reply()
	switch {
	case m.Error != nil:
		fault := m.Error.fault(a)
		return reply, &fault
	case err != nil:
		fault := httpcall.Garbled(a, "the answer is no message: "+err.Error())
		return reply, &fault
	case m.Content == nil:
		fault := httpcall.Garbled(a, "the answer is no message: it has no content")
		return reply, &fault
	}
	return reply, nil
}

func (m *message) reply() providers.Reply {
	reply := providers.Reply{Model: m.Model, Stop: stop(m.StopReason), RawStop: m.StopReason}
	for _, b := range m.Content {
		switch b.Type {
		case "tool_use":
			reply.ToolCalls = append(reply.ToolCalls, task.ToolCall{Name: b.Name, Arguments: string(b.Input)})
		case "text":
			reply.Output = join(reply.Output, b.Text)
		}
	}
	if len(m.Usage) > 0 && m.Usage[0] == '{' {
		reply.RawUsage = m.Usage
		u := readUsage(m.Usage)
		reply.Usage = u.normalized()
		reply.ServiceTier, reply.Speed, reply.Geo = u.ServiceTier, u.Speed, u.InferenceGeo
	}
	return reply
}

// join saves the copy in the usual case of one block.
func join(a, b string) string {
	if a == "" {
		return b
	}
	return strings.Join([]string{a, b}, "")
}

func stop(reason string) providers.StopReason {
	switch reason {
	case "end_turn", "stop_sequence":
		return providers.StopEnd
	case "tool_use":
		return providers.StopTools
	case "max_tokens":
		return providers.StopMaxTokens
	case "model_context_window_exceeded":
		return providers.StopContext
	case "refusal":
		return providers.StopRefusal
	}
	return providers.StopOther // pause_turn too: a turn that is to be continued is no answer
}
