package media

import (
	"bytes"
	"encoding/binary"
	"image"
	_ "image/gif"  // image.DecodeConfig reads these three headers
	_ "image/jpeg" // the same
	_ "image/png"  // the same
)

// Size is an image's width and height in pixels; false when its header cannot be read. Only the header is.
func Size(data []byte) (width, height int, ok bool) {
	if width, height, ok = webpSize(data); ok {
		return width, height, true
	}
	config, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil || config.Width <= 0 || config.Height <= 0 {
		return 0, 0, false
	}
	return config.Width, config.Height, true
}

const (
	webpHeader = 30 // the longest of the three headers
	webpMask14 = 1<<14 - 1
)

// webpSize reads the three kinds of WebP: extended, lossless and lossy.
func webpSize(data []byte) (width, height int, ok bool) {
	if len(data) < webpHeader || string(data[:4]) != "RIFF" || string(data[8:12]) != "WEBP" {
		return 0, 0, false
	}
	switch b := data[20:webpHeader]; string(data[12:16]) {
	case "VP8X": // two sizes less one, of 24 bits each
		return 1 + little24(b[4:]), 1 + little24(b[7:]), true
	case "VP8L": // after a signature, two sizes less one of 14 bits each
		bits := binary.LittleEndian.Uint32(b[1:5])
		return 1 + int(bits&webpMask14), 1 + int(bits>>14&webpMask14), b[0] == 0x2f
	case "VP8 ": // after a frame's tag and start code, two sizes of 14 bits each
		width = int(binary.LittleEndian.Uint16(b[6:8]) & webpMask14)
		height = int(binary.LittleEndian.Uint16(b[8:10]) & webpMask14)
		return width, height, string(b[3:6]) == "\x9d\x01\x2a" && width > 0 && height > 0
	}
	return 0, 0, false
}

func little24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }
