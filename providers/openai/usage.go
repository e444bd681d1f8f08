package openai

import (
	"encoding/json"

	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

// usage is the API's own: its totals contain what its details name.
type usage struct {
	PromptTokens      *int64            `json:"prompt_tokens"`
	CompletionTokens  *int64            `json:"completion_tokens"`
	TotalTokens       *int64            `json:"total_tokens"`
	PromptDetails     promptDetails     `json:"prompt_tokens_details"`
	CompletionDetails completionDetails `json:"completion_tokens_details"`
	PromptCacheHit    *int64            `json:"prompt_cache_hit_tokens"` // DeepSeek's name of the cached tokens
	PromptCacheMiss   *int64            `json:"prompt_cache_miss_tokens"`
	CacheReadInput    *int64            `json:"cache_read_input_tokens"` // Anthropic's, which Portkey and LiteLLM pass on
	CacheWriteInput   *int64            `json:"cache_creation_input_tokens"`
	ServerToolUse     serverToolUse     `json:"server_tool_use"` // OpenRouter's
}

type promptDetails struct {
	CachedTokens     *int64        `json:"cached_tokens"`
	CacheWriteTokens *int64        `json:"cache_write_tokens"`
	CacheWrites      *writeDetails `json:"cache_write_tokens_details"`
	AudioTokens      *int64        `json:"audio_tokens"`
	ImageTokens      *int64        `json:"image_tokens"`
}

type writeDetails struct {
	TTL30m *int64 `json:"ttl_30m_tokens"`
	TTL12h *int64 `json:"ttl_12h_tokens"`
}

type completionDetails struct {
	ReasoningTokens *int64 `json:"reasoning_tokens"`
	AudioTokens     *int64 `json:"audio_tokens"`
}

type serverToolUse struct {
	WebSearchRequests *int64 `json:"web_search_requests"`
}

// ReadUsage sorts a usage object of the API into classes that do not overlap. It is nil when the usage is incomplete
// or contradicts itself.
func ReadUsage(raw json.RawMessage) *task.Usage {
	var u usage
	if json.Unmarshal(raw, &u) != nil || u.PromptTokens == nil || u.CompletionTokens == nil {
		return nil
	}
	out := task.Usage{
		CacheRead:   httpcall.Count(u.PromptDetails.CachedTokens),
		InputAudio:  httpcall.Count(u.PromptDetails.AudioTokens),
		InputImage:  httpcall.Count(u.PromptDetails.ImageTokens),
		Reasoning:   httpcall.Count(u.CompletionDetails.ReasoningTokens),
		OutputAudio: httpcall.Count(u.CompletionDetails.AudioTokens),
		WebSearches: httpcall.Count(u.ServerToolUse.WebSearchRequests),
	}
	hitsOK, passedOK, writesOK := u.addHits(&out), u.takePassedOn(), u.addWrites(&out)
	if !hitsOK || !passedOK || !writesOK || !u.addOutput(&out) {
		return nil
	}
	u.addPassedOn(&out)
	out.Input = *u.PromptTokens - out.Prompt() // what no detail names; negative when the details exceed the total
	return httpcall.Metered(out)
}

// addHits takes DeepSeek's names of what was cached and what was not, which together are the prompt.
func (u *usage) addHits(out *task.Usage) bool {
	if u.PromptDetails.CachedTokens == nil {
		out.CacheRead = httpcall.Count(u.PromptCacheHit)
	}
	return u.PromptCacheHit == nil || u.PromptCacheMiss == nil || *u.PromptCacheHit+*u.PromptCacheMiss == *u.PromptTokens
}

// takePassedOn makes the prompt contain what Anthropic read from its cache and wrote to it. LiteLLM counts both in the
// prompt, Portkey beside it; the total tells which. Without a total that does, the usage is not known.
func (u *usage) takePassedOn() bool {
	passed := httpcall.Count(u.CacheReadInput) + httpcall.Count(u.CacheWriteInput)
	if passed == 0 {
		return true
	}
	if u.TotalTokens == nil || passed < 0 {
		return false
	}
	switch *u.TotalTokens {
	case *u.PromptTokens + *u.CompletionTokens:
		return true
	case *u.PromptTokens + *u.CompletionTokens + passed:
		prompt := *u.PromptTokens + passed
		u.PromptTokens = &prompt
		return true
	}
	return false
}

// addPassedOn takes Anthropic's names where no detail says the same. Its writes live for five minutes unless they were
// asked to live longer, which weir asks of no gateway.
func (u *usage) addPassedOn(out *task.Usage) {
	if u.PromptDetails.CachedTokens == nil && u.PromptCacheHit == nil {
		out.CacheRead = httpcall.Count(u.CacheReadInput)
	}
	if u.CacheWriteInput != nil {
		out.CacheWrite5m, out.CacheWrite30m = *u.CacheWriteInput, 0
	}
}

// addWrites splits the tokens written to the cache by lifetime. Without a split they live for 30 minutes, the default.
func (u *usage) addWrites(out *task.Usage) bool {
	total, split := u.PromptDetails.CacheWriteTokens, u.PromptDetails.CacheWrites
	if split == nil {
		out.CacheWrite30m = httpcall.Count(total)
		return true
	}
	out.CacheWrite30m, out.CacheWrite12h = httpcall.Count(split.TTL30m), httpcall.Count(split.TTL12h)
	return total == nil || out.CacheWrite30m+out.CacheWrite12h == *total
}

// addOutput takes the completion, which contains the reasoning, unless the total shows that this server counts the
// reasoning beside it, as xAI's does.
func (u *usage) addOutput(out *task.Usage) bool {
	completion := *u.CompletionTokens
	if u.TotalTokens != nil && *u.TotalTokens != *u.PromptTokens+completion {
		completion += out.Reasoning
		if *u.TotalTokens != *u.PromptTokens+completion {
			return false
		}
	}
	out.Output = completion - out.OutputAudio
	return true
}
