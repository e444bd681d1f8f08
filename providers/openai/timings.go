package openai

import (
	"encoding/json"

	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

// timings are llama.cpp's own counts: what of the prompt it had kept, and what it had to read.
type timings struct {
	CacheN  *int64 `json:"cache_n"`
	PromptN *int64 `json:"prompt_n"`
}

// applyTimings moves what was kept to the cached tokens where the usage does not say, as servers from before 2026 do not.
// Counts that are not the usage's prompt together change nothing.
func applyTimings(raw json.RawMessage, u *task.Usage) *task.Usage {
	var t timings
	if u == nil || json.Unmarshal(raw, &t) != nil || t.CacheN == nil || t.PromptN == nil {
		return u
	}
	if u.CacheRead > 0 || *t.CacheN <= 0 || *t.PromptN < 0 || *t.CacheN+*t.PromptN != u.Input {
		return u
	}
	moved := *u
	moved.CacheRead, moved.Input = *t.CacheN, *t.PromptN
	return httpcall.Metered(moved)
}
