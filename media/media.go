// Package media says what a file is and how many tokens it may cost, from its own bytes: its type by its signature, an
// image's size by its header, a PDF's text by its streams. It decodes no pixels, does no I/O, and reads a bounded amount
// of whatever it is given.
package media

import (
	"bytes"

	"github.com/weirhq/weir/task"
)

// sniffed is how far into a file a PDF's signature may stand: readers look this far.
const sniffed = 1024

// Sniff is the media type of a file by its signature; empty when it is none of task.MediaTypes.
func Sniff(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
		return task.MediaPNG
	case bytes.HasPrefix(data, []byte("\xff\xd8\xff")):
		return task.MediaJPEG
	case bytes.HasPrefix(data, []byte("GIF87a")), bytes.HasPrefix(data, []byte("GIF89a")):
		return task.MediaGIF
	case len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP":
		return task.MediaWebP
	case bytes.Contains(data[:min(len(data), sniffed)], []byte("%PDF-")):
		return task.MediaPDF
	}
	return ""
}
