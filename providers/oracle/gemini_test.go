package oracle_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/genai"

	"github.com/weirhq/weir/providers/gemini"
	"github.com/weirhq/weir/task"
)

func TestGemini(t *testing.T) {
	t.Parallel()
	oracle{
		folder: "gemini", build: gemini.New, read: readGenerated, rewrite: again[generateRequest],
	}.test(t)
}

// generateRequest is a body of generateContent in the SDK's types; the SDK itself has none for the whole.
type generateRequest struct {
	SystemInstruction *genai.Content          `json:"systemInstruction,omitempty"`
	Contents          []*genai.Content        `json:"contents,omitempty"`
	Tools             []*genai.Tool           `json:"tools,omitempty"`
	GenerationConfig  *genai.GenerationConfig `json:"generationConfig,omitempty"`
	ServiceTier       genai.ServiceTier       `json:"serviceTier,omitempty"`
}

func readGenerated(t *testing.T, body []byte) reading {
	t.Helper()
	var g genai.GenerateContentResponse
	require.NoError(t, json.Unmarshal(body, &g))
	u := g.UsageMetadata
	var image int64
	for _, d := range u.PromptTokensDetails {
		if d.Modality == genai.MediaModalityImage {
			image += int64(d.TokenCount)
		}
	}
	prompt, cached := int64(u.PromptTokenCount), int64(u.CachedContentTokenCount)
	r := reading{
		Model: g.ModelVersion,
		Usage: task.Usage{
			Input: prompt - cached - image + int64(u.ToolUsePromptTokenCount), CacheRead: cached, InputImage: image,
			Output: int64(u.CandidatesTokenCount + u.ThoughtsTokenCount), Reasoning: int64(u.ThoughtsTokenCount),
		},
	}
	for _, part := range g.Candidates[0].Content.Parts {
		if !part.Thought {
			r.Text += part.Text
		}
		if part.FunctionCall != nil {
			arguments, err := json.Marshal(part.FunctionCall.Args)
			require.NoError(t, err)
			r.Tools = append(r.Tools, task.ToolCall{Name: part.FunctionCall.Name, Arguments: string(arguments)})
		}
	}
	return r
}
