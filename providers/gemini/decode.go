package gemini

import (
	"encoding/json"
	"strings"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

// tierHeader names the service tier that served a call, which may be another than the one asked for.
const tierHeader = "X-Gemini-Service-Tier"

type format struct{}

type generation struct {
	Candidates     []candidate     `json:"candidates"`
	PromptFeedback promptFeedback  `json:"promptFeedback"`
	UsageMetadata  json.RawMessage `json:"usageMetadata"`
	ModelVersion   string          `json:"modelVersion"`
	ResponseID     string          `json:"responseId"`
	Error          *apiError       `json:"error"`
}

type promptFeedback struct {
	BlockReason string `json:"blockReason"`
}

type candidate struct {
	FinishReason string   `json:"finishReason"`
	Content      *content `json:"content"`
}

type content struct {
	Parts []part `json:"parts"`
}

type part struct {
	Text         string        `json:"text"`
	Thought      bool          `json:"thought"`
	FunctionCall *functionCall `json:"functionCall"`
}

type functionCall struct {
	Name string          `json:"name"`
	Args json.RawMessage `json:"args"`
}

// Decode reads an answer. What was metered is in the reply even when the rest cannot be used. A prompt that was blocked
// has no candidate and is a reply all the same: it was read, and billed as far as the usage says.
func (format) Decode(a httpcall.Answer) (providers.Reply, *httpcall.Fault) {
	var g generation
	err := json.Unmarshal(a.Body, &g)
	reply := g.reply(a)
	switch {
	case g.Error != nil:
		fault := g.Error.fault(a)
		return reply, &fault
	case err != nil:
		fault := httpcall.Garbled(a, "the answer is no generation: "+err.Error())
		return reply, &fault
	case len(g.Candidates) > 0 && (g.Candidates[0].Content != nil || g.Candidates[0].FinishReason != ""):
		return reply, nil
	case len(g.Candidates) == 0 && g.PromptFeedback.BlockReason != "":
		return reply, nil
	}
	fault := httpcall.Garbled(a, "the answer is no generation: it has no candidate")
	return reply, &fault
}

func (g *generation) reply(a httpcall.Answer) providers.Reply {
	reply := providers.Reply{
		Model: g.ModelVersion, RequestID: g.ResponseID, ServiceTier: strings.ToLower(a.Header.Get(tierHeader)),
		Stop: providers.StopOther,
	}
	if len(g.UsageMetadata) > 0 && g.UsageMetadata[0] == '{' {
		reply.RawUsage = g.UsageMetadata
		reply.Usage = ReadUsage(g.UsageMetadata)
	}
	if len(g.Candidates) == 0 {
		if reason := g.PromptFeedback.BlockReason; reason != "" {
			reply.RawStop, reply.Stop = reason, providers.StopFilter
		}
		return reply
	}
	first := &g.Candidates[0]
	if first.Content != nil {
		reply.Output, reply.ToolCalls = first.Content.read()
	}
	reply.RawStop, reply.Stop = first.FinishReason, stop(first.FinishReason, len(reply.ToolCalls) > 0)
	return reply
}

// read leaves out the thoughts, which are no part of the answer although they are billed.
func (c *content) read() (string, []task.ToolCall) {
	var out strings.Builder
	var calls []task.ToolCall
	for _, p := range c.Parts {
		if p.Thought {
			continue
		}
		out.WriteString(p.Text)
		if p.FunctionCall == nil {
			continue
		}
		arguments := string(p.FunctionCall.Args)
		if arguments == "" || arguments == "null" { // left out for functions without parameters
			arguments = "{}"
		}
		calls = append(calls, task.ToolCall{Name: p.FunctionCall.Name, Arguments: arguments})
	}
	return out.String(), calls
}

func stop(reason string, called bool) providers.StopReason {
	switch reason {
	case "STOP":
		if called {
			return providers.StopTools // the API has no reason of its own for a call
		}
		return providers.StopEnd
	case "MAX_TOKENS":
		return providers.StopMaxTokens
	case "SAFETY", "RECITATION", "PROHIBITED_CONTENT", "SPII", "BLOCKLIST", "IMAGE_SAFETY", "IMAGE_RECITATION",
		"IMAGE_PROHIBITED_CONTENT", "MODEL_ARMOR":
		return providers.StopFilter
	}
	return providers.StopOther // LANGUAGE, MALFORMED_FUNCTION_CALL, UNEXPECTED_TOOL_CALL, OTHER and what is new
}
