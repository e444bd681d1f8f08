package media

import (
	"strings"

	"github.com/weirhq/weir/task"
)

// What a file is taken to cost before it is fetched, in tokens of the neutral vocabulary: an image at the size to which
// providers scale a large one, and a PDF of five dense pages. Tasks are planned before their files are read.
const (
	ImageTokens = 1_600
	PDFTokens   = 15_000
)

// Estimate is the neutral count of files of these types before they are fetched.
func Estimate(attachments []task.Attachment) int64 {
	var total int64
	for _, a := range attachments {
		if a.MediaType == task.MediaPDF {
			total += PDFTokens
			continue
		}
		total += ImageTokens
	}
	return total
}

// Meter is how a family of models counts images and pages.
type Meter string

// The meters. Other is any model whose way is not known.
const (
	Anthropic Meter = "anthropic"
	OpenAI    Meter = "openai"
	Gemini    Meter = "gemini"
	Other     Meter = ""
)

// framing is added to each file for its type, its borders and its place in the list.
const framing = 64

// Most is the most tokens that a file can cost a model; false when its bytes do not tell. The model's name matters where a
// family counts in more than one way.
func (m Meter) Most(model, mediaType string, data []byte) (int64, bool) {
	if mediaType == task.MediaPDF {
		document, ok := Scan(data)
		page := m.page(model)
		if !ok || page == 0 {
			return 0, false
		}
		return int64(document.Pages)*page + document.TextBytes + framing, true
	}
	width, height, ok := Size(data)
	if !ok {
		return 0, false
	}
	return m.image(model, int64(width), int64(height)) + framing, true
}

const (
	// Anthropic counts width times height over 750, in patches of 28 pixels, and scales down to what is at most this.
	anthropicPixels = 750
	anthropicPatch  = 28
	anthropicMost   = 4_784

	// OpenAI's newer models count patches of 32 pixels, at most 10,000, times a factor of the model, of which 2.46 is the
	// highest. Older ones count tiles of 512 pixels after scaling to 2,048 by 768, of which there are eight at most.
	openAIPatch       = 32
	openAIPatches     = 10_000
	openAIFactor      = 246 // per cent
	openAITiles       = 8
	openAITile        = 170
	openAIBase        = 85
	openAIMiniTile    = 5_667
	openAIMiniBase    = 2_833
	openAIPagePatches = 2_500

	// Gemini counts an image of up to 384 pixels as one tile, a larger one in tiles of 256 to 768 pixels; from version 3 on
	// an image is 1,120 whatever its size, and a page of a PDF no more.
	geminiSmall   = 384
	geminiTile    = 258
	geminiLeast   = 256
	geminiLargest = 768
	geminiFlat    = 1_120

	// Open models cut patches of 14 pixels, the finest that is in use.
	otherPatch = 14
)

func (m Meter) image(model string, width, height int64) int64 {
	switch m {
	case Anthropic:
		return min(anthropicMost, max(ceilDiv(width*height, anthropicPixels), patches(width, height, anthropicPatch)))
	case OpenAI:
		counted := min(openAIPatches, patches(width, height, openAIPatch))
		return max(ceilDiv(counted*openAIFactor, 100), openAITiled(model))
	case Gemini:
		return max(geminiFlat, geminiTiled(width, height))
	case Other:
	}
	return patches(width, height, otherPatch)
}

// page is the most that one page costs beside its text; 0 when that is not known.
func (m Meter) page(model string) int64 {
	switch m {
	case Anthropic:
		return anthropicMost
	case OpenAI:
		return max(ceilDiv(openAIPagePatches*openAIFactor, 100), openAITiled(model))
	case Gemini:
		return geminiFlat
	case Other:
	}
	return 0
}

func openAITiled(model string) int64 {
	if strings.HasPrefix(model, "gpt-4o-mini") { // its tiles are metered so that they cost what those of gpt-4o do
		return openAIMiniBase + openAITiles*openAIMiniTile
	}
	return openAIBase + openAITiles*openAITile
}

func geminiTiled(width, height int64) int64 {
	if width <= geminiSmall && height <= geminiSmall {
		return geminiTile
	}
	unit := min(geminiLargest, max(geminiLeast, min(width, height)*2/3))
	return geminiTile * patches(width, height, unit)
}

// patches are the squares of a side that cover an image.
func patches(width, height, side int64) int64 { return ceilDiv(width, side) * ceilDiv(height, side) }

func ceilDiv(n, by int64) int64 { return (n + by - 1) / by }
