package gemini

import (
	"encoding/json"

	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

// usage is the API's own: the prompt contains what was cached, the candidates do not contain the thoughts. A count that
// is left out is 0, as everywhere in Google's JSON; the total tells whether that can be so.
type usage struct {
	Prompt           *int64     `json:"promptTokenCount"`
	Cached           *int64     `json:"cachedContentTokenCount"`
	Candidates       *int64     `json:"candidatesTokenCount"`
	Thoughts         *int64     `json:"thoughtsTokenCount"`
	ToolUse          *int64     `json:"toolUsePromptTokenCount"`
	Total            *int64     `json:"totalTokenCount"`
	PromptDetails    modalities `json:"promptTokensDetails"`
	CacheDetails     modalities `json:"cacheTokensDetails"`
	ToolUseDetails   modalities `json:"toolUsePromptTokensDetails"`
	CandidateDetails modalities `json:"candidatesTokensDetails"`
}

// modalities split a count by the kind of content.
type modalities []struct {
	Modality string `json:"modality"`
	Tokens   int64  `json:"tokenCount"`
}

const (
	audio = "AUDIO"
	image = "IMAGE"
)

func (m modalities) of(kind string) int64 {
	var sum int64
	for _, detail := range m {
		if detail.Modality == kind {
			sum += detail.Tokens
		}
	}
	return sum
}

// ReadUsage sorts a usage object of the API into classes that do not overlap. It is nil when the usage is incomplete,
// contradicts itself or counts what has no price here.
func ReadUsage(raw json.RawMessage) *task.Usage {
	var u usage
	if json.Unmarshal(raw, &u) != nil || u.Prompt == nil || u.Total == nil || !u.adds() || !u.split() {
		return nil
	}
	out := task.Usage{
		CacheRead:   httpcall.Count(u.Cached),
		InputAudio:  u.fresh(audio),
		InputImage:  u.fresh(image),
		Reasoning:   httpcall.Count(u.Thoughts),
		OutputAudio: u.CandidateDetails.of(audio),
	}
	out.Input = *u.Prompt - out.CacheRead + httpcall.Count(u.ToolUse) - out.InputAudio - out.InputImage
	out.Output = httpcall.Count(u.Candidates) + out.Reasoning - out.OutputAudio
	return httpcall.Metered(out)
}

// adds says that the total is the sum of its parts, none of them negative: whoever takes the thoughts for a part of the
// candidates, or the other way around, does not come to it.
func (u *usage) adds() bool {
	var sum int64
	for _, n := range []*int64{u.Prompt, u.Candidates, u.Thoughts, u.ToolUse} {
		if httpcall.Count(n) < 0 {
			return false
		}
		sum += httpcall.Count(n)
	}
	return sum == *u.Total
}

// split says that every kind of content is known where it has a price of its own: images in the output have one that
// weir does not keep, and tokens from the cache without details may be audio as well as text.
func (u *usage) split() bool {
	if u.CandidateDetails.of(image) != 0 {
		return false
	}
	media := u.PromptDetails.of(audio) != 0 || u.PromptDetails.of(image) != 0
	return !media || httpcall.Count(u.Cached) == 0 || len(u.CacheDetails) > 0
}

// fresh is the input of a kind that did not come from the cache.
func (u *usage) fresh(kind string) int64 {
	return u.PromptDetails.of(kind) - u.CacheDetails.of(kind) + u.ToolUseDetails.of(kind)
}
