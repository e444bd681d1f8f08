package anthropic

import (
	"encoding/json"

	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

// usage is the API's own: input tokens are the uncached rest, so its classes are disjoint as they come.
type usage struct {
	InputTokens              *int64         `json:"input_tokens"`
	OutputTokens             *int64         `json:"output_tokens"`
	CacheReadInputTokens     *int64         `json:"cache_read_input_tokens"`
	CacheCreationInputTokens *int64         `json:"cache_creation_input_tokens"`
	CacheCreation            *cacheCreation `json:"cache_creation"`
	OutputTokensDetails      *outputDetails `json:"output_tokens_details"`
	ServerToolUse            *serverToolUse `json:"server_tool_use"`
	Iterations               []iteration    `json:"iterations"`
	ServiceTier              string         `json:"service_tier"`
	Speed                    string         `json:"speed"`
	InferenceGeo             string         `json:"inference_geo"`
	unreadable               bool           // a field was not of its type
}

type cacheCreation struct {
	Ephemeral5m *int64 `json:"ephemeral_5m_input_tokens"`
	Ephemeral1h *int64 `json:"ephemeral_1h_input_tokens"`
}

type outputDetails struct {
	ThinkingTokens *int64 `json:"thinking_tokens"`
}

type serverToolUse struct {
	WebSearchRequests *int64 `json:"web_search_requests"`
}

type iteration struct {
	Type string `json:"type"`
}

func readUsage(raw json.RawMessage) usage {
	var u usage
	u.unreadable = json.Unmarshal(raw, &u) != nil
	return u
}

// ReadUsage sorts a usage object of the API into classes that do not overlap. It is nil when the usage is incomplete or
// contradicts itself.
func ReadUsage(raw json.RawMessage) *task.Usage {
	u := readUsage(raw)
	return u.normalized()
}

// normalized is nil when the usage is incomplete or contradicts itself.
func (u *usage) normalized() *task.Usage {
	if u.unreadable || u.InputTokens == nil || u.OutputTokens == nil || u.hasHiddenTokens() {
		return nil
	}
	write5m, write1h, ok := u.writes()
	if !ok {
		return nil
	}
	out := task.Usage{
		Input:        *u.InputTokens,
		CacheRead:    httpcall.Count(u.CacheReadInputTokens),
		CacheWrite5m: write5m,
		CacheWrite1h: write1h,
		Output:       *u.OutputTokens,
	}
	if u.OutputTokensDetails != nil {
		// Thinking is counted anew from its text and may come out a few tokens above the output that contains it.
		out.Reasoning = min(httpcall.Count(u.OutputTokensDetails.ThinkingTokens), out.Output)
	}
	if u.ServerToolUse != nil {
		out.WebSearches = httpcall.Count(u.ServerToolUse.WebSearchRequests)
	}
	return httpcall.Metered(out)
}

// writes splits the tokens written to the cache by lifetime. Without a split they lived for 5 minutes, the default.
func (u *usage) writes() (write5m, write1h int64, ok bool) {
	total := httpcall.Count(u.CacheCreationInputTokens)
	if u.CacheCreation == nil {
		return total, 0, true
	}
	write5m = httpcall.Count(u.CacheCreation.Ephemeral5m)
	write1h = httpcall.Count(u.CacheCreation.Ephemeral1h)
	return write5m, write1h, u.CacheCreationInputTokens == nil || write5m+write1h == total
}

// hasHiddenTokens says that a part of the call, such as a compaction, was metered outside the totals.
func (u *usage) hasHiddenTokens() bool {
	for _, i := range u.Iterations {
		if i.Type != "message" {
			return true
		}
	}
	return false
}
