package media_test

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/media"
	"github.com/weirhq/weir/task"
)

func picture(width, height int) image.Image {
	return image.NewPaletted(image.Rect(0, 0, width, height), color.Palette{color.White, color.Black})
}

func encoded(t *testing.T, encode func(*bytes.Buffer) error) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, encode(&out))
	return out.Bytes()
}

func pngOf(t *testing.T, width, height int) []byte {
	t.Helper()
	return encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, picture(width, height)) })
}

// webp are headers of the three kinds for an image of 300 by 200 pixels, with as much behind them as is read.
func webp(t *testing.T, kind string) []byte {
	t.Helper()
	head := "RIFF\x40\x00\x00\x00WEBP" + kind + "\x20\x00\x00\x00"
	body := map[string]string{
		"VP8X": "\x00\x00\x00\x00\x2b\x01\x00\xc7\x00\x00",
		"VP8L": "\x2f\x2b\xc1\x31\x00\x00\x00\x00\x00\x00",
		"VP8 ": "\x00\x00\x00\x9d\x01\x2a\x2c\x01\xc8\x00",
	}[kind]
	return []byte(head + body)
}

func TestSniffAndSize(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		data  []byte
		media string
		sized bool
	}{
		{"PNG", pngOf(t, 300, 200), task.MediaPNG, true},
		{"JPEG", encoded(t, func(b *bytes.Buffer) error { return jpeg.Encode(b, picture(300, 200), nil) }), task.MediaJPEG, true},
		{"GIF", encoded(t, func(b *bytes.Buffer) error { return gif.Encode(b, picture(300, 200), nil) }), task.MediaGIF, true},
		{"WebPExtended", webp(t, "VP8X"), task.MediaWebP, true},
		{"WebPLossless", webp(t, "VP8L"), task.MediaWebP, true},
		{"WebPLossy", webp(t, "VP8 "), task.MediaWebP, true},
		{"WebPOther", webp(t, "ALPH"), task.MediaWebP, false},
		{"PDF", []byte("%PDF-1.7\n"), task.MediaPDF, false},
		{"PDFBehindRubbish", []byte("\n\nrubbish %PDF-1.7\n"), task.MediaPDF, false},
		{"PDFTooFar", []byte(strings.Repeat(" ", 2000) + "%PDF-1.7\n"), "", false},
		{"CutPNG", pngOf(t, 300, 200)[:12], task.MediaPNG, false},
		{"HTML", []byte("<!DOCTYPE html>"), "", false},
		{"SVG", []byte("<svg xmlns='http://www.w3.org/2000/svg'/>"), "", false},
		{"Nothing", nil, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.media, media.Sniff(tt.data))
			width, height, ok := media.Size(tt.data)
			require.Equal(t, tt.sized, ok)
			if ok {
				require.Equal(t, [2]int{300, 200}, [2]int{width, height})
			}
		})
	}
}

func packed(t *testing.T, text string) string {
	t.Helper()
	return string(encoded(t, func(b *bytes.Buffer) error {
		w := zlib.NewWriter(b)
		_, err := w.Write([]byte(text))
		require.NoError(t, err)
		return w.Close()
	}))
}

const page = "3 0 obj\n<</Type /Page /Parent 2 0 R /Contents 4 0 R>>\nendobj\n"

func pdf(objects ...string) []byte {
	return []byte("%PDF-1.7\n2 0 obj\n<</Type /Pages /Kids [3 0 R] /Count 1>>\nendobj\n" + strings.Join(objects, "") + "trailer <</Root 1 0 R>>")
}

func stream(dict, body string) string {
	return fmt.Sprintf("4 0 obj\n<<%s /Length %d>>\nstream\n%s\nendstream\nendobj\n", dict, len(body), body)
}

func TestScan(t *testing.T) {
	t.Parallel()
	text := "BT (Invoice 4711 for 120.50 EUR) Tj ET"
	plain := func(objects ...string) int64 { return int64(len(pdf(objects...))) }
	empty := func(dict string, size int) int64 {
		return int64(len(stream(dict, strings.Repeat("x", size))) - size - 1)
	}
	flate, list := "/Filter /FlateDecode", "/Filter [ /FlateDecode ]"
	size, inStream := len(packed(t, text)), len(packed(t, page+page+page))
	bomb := packed(t, strings.Repeat("\x00", 40<<20))
	tests := []struct {
		name  string
		data  []byte
		want  media.Document
		known bool
	}{
		{"Plain", pdf(page, stream("", text)), media.Document{Pages: 1, TextBytes: plain(page, stream("", text))}, true},
		{"Flate", pdf(page, page, stream("/Filter /FlateDecode", packed(t, text))), media.Document{Pages: 2, TextBytes: plain(page, page) + empty(flate, size) + int64(len(text))}, true},
		{"FlateInAList", pdf(page, stream("/Filter [ /FlateDecode ]", packed(t, text))), media.Document{Pages: 1, TextBytes: plain(page) + empty(list, size) + int64(len(text))}, true},
		{"PagesInAStream", pdf(stream("/Type /ObjStm /Filter /FlateDecode", packed(t, page+page+page))), media.Document{Pages: 3, TextBytes: plain() + empty("/Type /ObjStm "+flate, inStream) + int64(3*len(page))}, true},
		{"Picture", pdf(page, stream("/Subtype /Image /Filter /DCTDecode", "pixels")), media.Document{Pages: 1, TextBytes: plain(page) + empty("/Subtype /Image /Filter /DCTDecode", 6)}, true},
		{"Font", pdf(page, stream("/Length1 9 /Filter /LZWDecode", "glyphs")), media.Document{Pages: 1, TextBytes: plain(page) + empty("/Length1 9 /Filter /LZWDecode", 6)}, true},
		{"OtherPacking", pdf(page, stream("/Filter /LZWDecode", "text")), media.Document{}, false},
		{"PackedTwice", pdf(page, stream("/Filter [/ASCII85Decode /FlateDecode]", "text")), media.Document{}, false},
		{"Broken", pdf(page, stream("/Filter /FlateDecode", "no zlib")), media.Document{}, false},
		{"Bomb", pdf(page, stream("/Filter /FlateDecode", bomb)), media.Document{}, false},
		{"Encrypted", append(pdf(page), "<</Encrypt 9 0 R>>"...), media.Document{}, false},
		{"NoPage", pdf(), media.Document{}, false},
		{"NoEnd", pdf(page, "4 0 obj\n<<>>\nstream\n..."), media.Document{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, known := media.Scan(tt.data)
			require.Equal(t, tt.known, known)
			require.Equal(t, tt.want, got)
		})
	}
}

// TestMost: figures by hand from what each provider documents.
func TestMost(t *testing.T) {
	t.Parallel()
	const framing = 64
	document := pdf(page, page, stream("", "BT (x) Tj ET"))
	tests := []struct {
		name  string
		meter media.Meter
		model string
		media string
		data  []byte
		want  int64
	}{
		{"AnthropicSquare", media.Anthropic, "m", task.MediaPNG, pngOf(t, 1000, 1000), 1_334},
		{"AnthropicThin", media.Anthropic, "m", task.MediaPNG, pngOf(t, 2800, 1), 100},
		{"AnthropicLarge", media.Anthropic, "m", task.MediaPNG, pngOf(t, 4000, 4000), 4_784},
		{"AnthropicPages", media.Anthropic, "m", task.MediaPDF, document, 2*4_784 + int64(len(document))},
		{"OpenAISmall", media.OpenAI, "gpt-6-luna", task.MediaPNG, pngOf(t, 32, 32), 1_445},
		{"OpenAIPatches", media.OpenAI, "gpt-6-luna", task.MediaPNG, pngOf(t, 1024, 1024), 2_520},
		{"OpenAILarge", media.OpenAI, "gpt-6-luna", task.MediaPNG, pngOf(t, 6000, 6000), 24_600},
		{"OpenAIMiniTiles", media.OpenAI, "gpt-4o-mini-2024-07-18", task.MediaPNG, pngOf(t, 32, 32), 48_169},
		{"OpenAIPages", media.OpenAI, "gpt-6-luna", task.MediaPDF, document, 2*6_150 + int64(len(document))},
		{"GeminiSmall", media.Gemini, "m", task.MediaPNG, pngOf(t, 384, 384), 1_120},
		{"GeminiTiles", media.Gemini, "m", task.MediaPNG, pngOf(t, 3000, 3000), 16 * 258},
		{"GeminiPages", media.Gemini, "m", task.MediaPDF, document, 2*1_120 + int64(len(document))},
		{"OtherPatches", media.Other, "m", task.MediaPNG, pngOf(t, 140, 15), 20},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, known := tt.meter.Most(tt.model, tt.media, tt.data)
			require.True(t, known)
			require.Equal(t, tt.want+framing, got)
		})
	}
	for name, meter := range map[string]media.Meter{"OtherPDF": media.Other, "BrokenPDF": media.Anthropic} {
		data := document
		if meter == media.Anthropic {
			data = []byte("%PDF-1.7")
		}
		_, known := meter.Most("m", task.MediaPDF, data)
		require.False(t, known, name)
	}
	_, known := media.Gemini.Most("m", task.MediaPNG, []byte("\x89PNG\r\n\x1a\n"))
	require.False(t, known)
}

func TestEstimate(t *testing.T) {
	t.Parallel()
	require.EqualValues(t, media.ImageTokens+media.PDFTokens,
		media.Estimate([]task.Attachment{{MediaType: task.MediaGIF}, {MediaType: task.MediaPDF}}))
}

// FuzzFiles: whatever a file holds, reading it ends and no figure is negative.
func FuzzFiles(f *testing.F) {
	f.Add(pdf(page, stream("/Filter /FlateDecode", "x")))
	dot, err := base64.StdEncoding.DecodeString("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
	require.NoError(f, err)
	f.Add(dot)
	f.Add([]byte("RIFF\x40\x00\x00\x00WEBPVP8L\x20\x00\x00\x00\x2f\x2b\xc1\x31\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, meter := range []media.Meter{media.Anthropic, media.OpenAI, media.Gemini, media.Other} {
			for _, mediaType := range []string{task.MediaPNG, task.MediaPDF} {
				if most, known := meter.Most("m", mediaType, data); known {
					require.Positive(t, most)
				}
			}
		}
	})
}
