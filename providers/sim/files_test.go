package sim_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers/sim"
	"github.com/weirhq/weir/task"
)

// fileFormat is how a wire format takes files.
type fileFormat struct {
	name, path, model string
	// body is a request with a text and, when there is a media type, a file behind it.
	body func(text, mediaType, data string) object
	// prompt is the path of the prompt's tokens in the answer, and countPath and count those of the count, where there is one.
	prompt, countPath, count string
	// image and page are what a picture of 1,000 by 800 pixels and a page beside its text cost.
	image, page int
	// text says that the text of a PDF is billed too.
	text bool
}

func fileFormats() []fileFormat {
	dataURL := func(mediaType, data string) string { return "data:" + mediaType + ";base64," + data }
	turn := func(model, field string, parts []object) object {
		return object{"model": model, field: []object{{"role": "user", "content": parts}}}
	}
	return []fileFormat{
		{
			name: "Anthropic", path: pathMessages, model: "claude-haiku-5-5", prompt: "usage.input_tokens",
			countPath: pathMessages + "/count_tokens", count: "input_tokens", image: 1067, page: 1500, text: true,
			body: func(text, mediaType, data string) object {
				parts := []object{{"type": "text", "text": text}}
				if mediaType != "" {
					kind := map[bool]string{true: "document", false: "image"}[mediaType == task.MediaPDF]
					parts = append(parts, object{"type": kind, "source": object{"type": "base64", "media_type": mediaType, "data": data}})
				}
				return turn("claude-haiku-5-5", "messages", parts)
			},
		},
		{
			name: "ChatCompletions", path: pathCompletions, model: "gpt-6-luna", prompt: "usage.prompt_tokens", image: 800, page: 1500, text: true,
			body: func(text, mediaType, data string) object {
				parts := []object{{"type": "text", "text": text}}
				switch mediaType {
				case "":
				case task.MediaPDF:
					parts = append(parts, object{"type": "file", "file": object{"filename": "a.pdf", "file_data": dataURL(mediaType, data)}})
				default:
					parts = append(parts, object{"type": "image_url", "image_url": object{"url": dataURL(mediaType, data)}})
				}
				return turn("gpt-6-luna", "messages", parts)
			},
		},
		{
			name: "Responses", path: pathResponses, model: "gpt-6-luna", prompt: "usage.input_tokens",
			countPath: pathResponses + "/input_tokens", count: "input_tokens", image: 800, page: 1500, text: true,
			body: func(text, mediaType, data string) object {
				parts := []object{{"type": "input_text", "text": text}}
				switch mediaType {
				case "":
				case task.MediaPDF:
					parts = append(parts, object{"type": "input_file", "filename": "a.pdf", "file_data": dataURL(mediaType, data)})
				default:
					parts = append(parts, object{"type": "input_image", "image_url": dataURL(mediaType, data)})
				}
				return turn("gpt-6-luna", "input", parts)
			},
		},
		{
			name: "Gemini", path: "/v1beta/models/" + geminiModel + ":generateContent", model: geminiModel,
			prompt: "usageMetadata.promptTokenCount", countPath: "/v1beta/models/" + geminiModel + ":countTokens", count: "totalTokens",
			image: 4 * 258, page: 258,
			body: func(text, mediaType, data string) object {
				parts := []object{{"text": text}}
				if mediaType != "" {
					parts = append(parts, object{"inlineData": object{"mimeType": mediaType, "data": data}})
				}
				return object{"contents": []object{{"role": "user", "parts": parts}}}
			},
		},
	}
}

// call sends a request, to which Anthropic's API wants a limit of the answer.
func (f fileFormat) call(tb testing.TB, s *sim.Server, body object) got {
	tb.Helper()
	if f.path == pathMessages {
		body = maps.Clone(body)
		body["max_tokens"] = 100
	}
	return post(tb, s.URL()+f.path, encode(tb, body), nil)
}

// promptOf is what a request is billed.
func (f fileFormat) promptOf(tb testing.TB, s *sim.Server, body object) int {
	tb.Helper()
	var answer object
	must(tb, f.call(tb, s, body)).json(tb, &answer)
	return number(tb, answer, f.prompt)
}

func picture(tb testing.TB, encode func(*bytes.Buffer, image.Image) error, width, height int) string {
	tb.Helper()
	var out bytes.Buffer
	require.NoError(tb, encode(&out, image.NewGray(image.Rect(0, 0, width, height))))
	return base64.StdEncoding.EncodeToString(out.Bytes())
}

func pngOf(tb testing.TB, width, height int) string {
	tb.Helper()
	return picture(tb, func(b *bytes.Buffer, i image.Image) error { return png.Encode(b, i) }, width, height)
}

// pdfOf is a document of two pages with a text.
func pdfOf(text string) string {
	page := "BT (" + text + ") Tj ET"
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil,
		"%%PDF-1.7\n1 0 obj\n<</Type /Page>>\nendobj\n2 0 obj\n<</Type /Page>>\nendobj\n"+
			"3 0 obj\n<</Length %d>>\nstream\n%s\nendstream\nendobj\ntrailer <<>>", len(page), page))
}

func TestFiles_AreTakenAndCounted(t *testing.T) {
	t.Parallel()
	const text, onPage = "What is the total of this invoice?", "Total: 120.50 EUR, due in thirty days"
	jpegOf := picture(t, func(b *bytes.Buffer, i image.Image) error { return jpeg.Encode(b, i, nil) }, 1000, 800)
	for _, f := range fileFormats() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, fast(1))
			words := (len(onPage) + 1 + 3) / 4 // with the end of the line
			if !f.text {
				words = 0
			}
			bare := f.promptOf(t, s, f.body(text, "", ""))
			for _, tc := range []struct {
				mediaType, data string
				want            int
			}{
				{task.MediaPNG, pngOf(t, 1000, 800), f.image},
				{task.MediaJPEG, jpegOf, f.image},
				{task.MediaPDF, pdfOf(onPage), 2*f.page + words},
			} {
				body := f.body(text, tc.mediaType, tc.data)
				prompt := f.promptOf(t, s, body)
				require.Equal(t, tc.want, prompt-bare-3, "%s, beside the three tokens of a part", tc.mediaType)
				entries := s.Ledger()
				require.EqualValues(t, prompt, entries[len(entries)-1].Usage.Prompt())
				if f.countPath == "" {
					continue
				}
				var count object
				if f.name == "Gemini" {
					body = object{"generateContentRequest": body}
				}
				must(t, post(t, s.URL()+f.countPath, encode(t, body), nil)).json(t, &count)
				require.Equal(t, prompt, number(t, count, f.count), "the count before the call")
			}
		})
	}
}

func TestFiles_BadOnesAreRefused(t *testing.T) {
	t.Parallel()
	whole := pngOf(t, 10, 10)
	cut := whole[:16]
	for _, f := range fileFormats() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, fast(1))
			for name, file := range map[string][2]string{
				"no base64":       {task.MediaPNG, "%%%"},
				"no image":        {task.MediaPNG, base64.StdEncoding.EncodeToString([]byte("<svg/>"))},
				"another type":    {task.MediaJPEG, whole},
				"an unknown type": {"image/svg+xml", base64.StdEncoding.EncodeToString([]byte("<svg/>"))},
				"no PDF":          {task.MediaPDF, whole},
				"cut off":         {task.MediaPNG, cut},
				"empty":           {task.MediaPNG, ""},
			} {
				g := f.call(t, s, f.body("x", file[0], file[1]))
				require.Equal(t, 400, g.status, "%s: %s", name, g.body)
			}
			for _, e := range s.Ledger() {
				require.Equal(t, sim.OutcomeRefused, e.Outcome)
				require.Zero(t, e.Usage, "it costs nothing")
			}
		})
	}
}

func TestFiles_OfOneProviderOnly(t *testing.T) {
	t.Parallel()
	s := start(t, fast(1))
	moving := picture(t, func(b *bytes.Buffer, i image.Image) error { return gif.Encode(b, i, nil) }, 10, 10)
	for _, f := range fileFormats() {
		want := 200
		if f.name == "Gemini" {
			want = 400
		}
		require.Equal(t, want, f.call(t, s, f.body("x", task.MediaGIF, moving)).status, f.name)
	}
	for name, source := range map[string]object{
		"Anthropic": {"type": "image", "source": object{"type": "url", "url": "https://example.com/a.png"}},
		"OpenAI":    {"type": "image_url", "image_url": object{"url": "https://example.com/a.png"}},
	} {
		path := map[string]string{"Anthropic": pathMessages, "OpenAI": pathCompletions}[name]
		model := map[string]string{"Anthropic": "claude-haiku-5-5", "OpenAI": "gpt-6-luna"}[name]
		body := object{"model": model, "max_tokens": 10, "messages": []object{{"role": "user", "content": []object{source}}}}
		require.Equal(t, 400, post(t, s.URL()+path, encode(t, body), nil).status, "%s: the simulator fetches nothing", name)
	}
}

func TestFiles_AnswerFollowsFromTheBytes(t *testing.T) {
	t.Parallel()
	for _, f := range fileFormats() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, fast(1))
			ids := map[string]bool{}
			for _, file := range []string{pngOf(t, 10, 10), pngOf(t, 10, 10), pngOf(t, 11, 10)} {
				body := f.body("Describe the picture.", task.MediaPNG, file)
				var answer object
				must(t, f.call(t, s, body)).json(t, &answer)
				id, ok := answer[map[bool]string{true: "responseId", false: "id"}[f.name == "Gemini"]].(string)
				require.True(t, ok)
				ids[id] = true
			}
			require.Len(t, ids, 2, "the same picture, the same answer")
		})
	}
}

// TestFiles_InExplicitCaches has a marked prefix with a picture: it is metered by OpenAI's patches there too.
func TestFiles_InExplicitCaches(t *testing.T) {
	t.Parallel()
	s := start(t, fast(1))
	body := func() object {
		return object{
			"model": "gpt-6-luna", "prompt_cache_options": object{"mode": "explicit"},
			"messages": []object{{"role": "user", "content": []object{
				{
					"type": "image_url", "image_url": object{"url": "data:image/png;base64," + pngOf(t, 1600, 1600)},
					"prompt_cache_breakpoint": object{},
				},
				{"type": "text", "text": "What is this?"},
			}}},
		}
	}
	first := usageOf(t, post(t, s.URL()+pathCompletions, encode(t, body()), nil))
	require.Equal(t, 1536+3, number(t, first, "prompt_tokens_details.cache_write_tokens"), "as many patches as there may be")
	second := usageOf(t, post(t, s.URL()+pathCompletions, encode(t, body()), nil))
	require.Equal(t, 1536+3, number(t, second, "prompt_tokens_details.cached_tokens"))
}

func TestFiles_InBatches(t *testing.T) {
	t.Parallel()
	s, now := batching(t, nil)
	f := fileFormats()[0]
	good := f.body("What is this?", task.MediaPNG, pngOf(t, 1000, 800))
	bad := f.body("What is this?", task.MediaPNG, "%%%")
	good["max_tokens"], bad["max_tokens"] = 100, 100
	b := createMessages(t, s, batchOf(t, good, bad))
	now.add(turnaround)
	results, _ := messageResults(t, s, b.ID)
	require.Equal(t, f.promptOf(t, s, good), number(t, results["line-0"].Result.Message.Usage, "input_tokens"))
	require.Equal(t, "errored", results["line-1"].Result.Type)
}
