package sim

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/weirhq/weir/media"
	"github.com/weirhq/weir/providers/sim/dice"
	"github.com/weirhq/weir/task"
)

// file is an image or a PDF in a prompt.
type file struct {
	mediaType string
	digest    string
	// text is what a model reads in it: a PDF's text. An image's is its digest, so that its answer follows from its bytes.
	text  string
	pages int64
	// pixels are an image's width and height.
	pixels [2]int64
}

// readFile takes a file as a provider does: its base64 has to decode, and its bytes to be of the type that it claims.
func readFile(mediaType, encoded string) (*file, error) {
	data, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errors.New("a file is not valid base64")
	}
	if !slices.Contains(task.MediaTypes(), mediaType) || media.Sniff(data) != mediaType {
		return nil, fmt.Errorf("a file was specified as %q, but is not", mediaType)
	}
	sum := sha256.Sum256(data)
	f := &file{mediaType: mediaType, digest: hex.EncodeToString(sum[:])}
	f.text = f.digest
	if mediaType == task.MediaPDF {
		f.text = pdfText(data)
		document, _ := media.Scan(data)
		f.pages = int64(max(1, document.Pages))
		return f, nil
	}
	width, height, ok := media.Size(data)
	if !ok {
		return nil, errors.New("an image could not be processed")
	}
	f.pixels = [2]int64{int64(width), int64(height)}
	return f, nil
}

// readDataURL takes a file from a data URL.
func readDataURL(url string) (*file, error) {
	rest, ok := strings.CutPrefix(url, "data:")
	mediaType, encoded, found := strings.Cut(rest, ";base64,")
	if !ok || !found {
		return nil, errors.New("a file must be a data URL in base64")
	}
	return readFile(mediaType, encoded)
}

// maxPDFText is the most that is unpacked of one stream.
const maxPDFText = 1 << 20

// pdfText is what the text operators of a PDF's streams show, a line each.
func pdfText(data []byte) string {
	var text strings.Builder
	shown := regexp.MustCompile(`\(((?:\\.|[^\\()])*)\)\s*Tj`)
	for _, stream := range regexp.MustCompile(`(?s)stream\r?\n(.*?)endstream`).FindAllSubmatch(data, -1) {
		content := stream[1]
		if reader, err := zlib.NewReader(bytes.NewReader(content)); err == nil {
			content, _ = io.ReadAll(io.LimitReader(reader, maxPDFText)) // what ends early shows what it has
		}
		for _, line := range shown.FindAllSubmatch(content, -1) {
			text.WriteString(strings.NewReplacer(`\(`, "(", `\)`, ")", `\\`, `\`).Replace(string(line[1])))
			text.WriteByte('\n')
		}
	}
	return text.String()
}

// How the providers meter what is not text: Anthropic by area, OpenAI in patches, Gemini in tiles. A page costs what its
// picture does, beside its text.
const (
	areaOfAToken   = 750
	mostByArea     = 1_600
	patchSide      = 32
	mostPatches    = 1_536
	tileTokens     = 258
	tileSide       = 768
	smallImage     = 384
	tokensOfAPage  = 1_500
	geminiPageFlat = 258
)

// tokens is what a file costs in a wire format.
func (f *file) tokens(w wire, count counter) int64 {
	width, height := f.pixels[0], f.pixels[1]
	_, marked := w.(messages)
	_, tiled := w.(generate)
	switch {
	case f.mediaType == task.MediaPDF && tiled:
		return f.pages * geminiPageFlat // its text is not billed
	case f.mediaType == task.MediaPDF:
		return f.pages*tokensOfAPage + int64(count.count(f.text))
	case marked:
		return min(mostByArea, (width*height+areaOfAToken-1)/areaOfAToken)
	case tiled && width <= smallImage && height <= smallImage:
		return tileTokens
	case tiled:
		return tileTokens * squares(width, tileSide) * squares(height, tileSide)
	}
	return min(mostPatches, squares(width, patchSide)*squares(height, patchSide))
}

func squares(length, side int64) int64 { return (length + side - 1) / side }

// units stand for a file's tokens in the automatic cache.
func (f *file) units(n int64) []uint32 {
	units := make([]uint32, n)
	for i := range units {
		units[i] = uint32(dice.Hash(uint64(i), f.digest) >> 32)
	}
	return units
}

// isImage says that the format counts the file among the images in its usage.
func (f *file) isImage() bool { return f != nil && f.mediaType != task.MediaPDF }
