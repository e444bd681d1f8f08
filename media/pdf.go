package media

import (
	"bytes"
	"compress/zlib"
	"io"
	"regexp"
)

const (
	// maxInflated is the most that is unpacked of one PDF: what has more is not looked through.
	maxInflated = 32 << 20
	// maxDictionary is how far before a stream its dictionary is looked for.
	maxDictionary = 4 << 10
)

// Document is what a PDF holds, as far as its bytes bound it.
type Document struct {
	// Pages is the number of its pages.
	Pages int
	// TextBytes bounds its text: all bytes but those of pictures and fonts, with the streams unpacked. A character takes a
	// byte of them at least.
	TextBytes int64
}

// Scan looks through a PDF without understanding it; false when it cannot be bounded that way: it is encrypted, packed in
// another way than Flate, unpacks to too much, or shows no page.
func Scan(data []byte) (Document, bool) {
	s := scan{left: maxInflated, found: Document{TextBytes: int64(len(data))}}
	s.count(data)
	for rest := data; ; {
		i := bytes.Index(rest, []byte("stream"))
		if i < 0 {
			break
		}
		start := i + len("stream")
		body := rest[start:]
		if bytes.HasSuffix(rest[:i], []byte("end")) || len(body) == 0 || body[0] != '\r' && body[0] != '\n' {
			rest = body
			continue
		}
		body = bytes.TrimPrefix(bytes.TrimPrefix(body, []byte("\r")), []byte("\n"))
		end := bytes.Index(body, []byte("endstream"))
		if end < 0 {
			return Document{}, false
		}
		if !s.stream(dictionary(rest[:i]), body[:end]) {
			return Document{}, false
		}
		rest = body[end+len("endstream"):]
	}
	if s.found.Pages == 0 || s.encrypted {
		return Document{}, false
	}
	return s.found, true
}

// scan is a look through one file.
type scan struct {
	found     Document
	left      int64 // bytes that may still be unpacked
	encrypted bool
}

// dictionary is the part of an object before its stream.
func dictionary(before []byte) []byte {
	before = before[max(0, len(before)-maxDictionary):]
	if i := bytes.LastIndex(before, []byte(" obj")); i >= 0 {
		return before[i:]
	}
	return before
}

// stream counts what a stream may hold of text and, for a stream of objects, of pages.
func (s *scan) stream(dict, body []byte) bool {
	if isPicture(dict) {
		s.found.TextBytes -= int64(len(body))
		return true
	}
	if !bytes.Contains(dict, []byte("/Filter")) {
		return true
	}
	if !onlyFlate(dict) {
		return false
	}
	reader, err := zlib.NewReader(bytes.NewReader(body))
	if err != nil {
		return false
	}
	unpacked, err := io.ReadAll(io.LimitReader(reader, s.left+1))
	s.left -= int64(len(unpacked))
	if s.left < 0 || err != nil && len(unpacked) == 0 { // what ends early still shows what it holds
		return false
	}
	s.found.TextBytes += int64(len(unpacked) - len(body))
	if bytes.Contains(dict, []byte("/ObjStm")) {
		s.count(unpacked)
	}
	return true
}

// isPicture says that a stream holds pixels or glyphs and no text.
func isPicture(dict []byte) bool {
	for _, mark := range []string{"/Length1", "/FontFile", "/Type1C", "/CIDFontType0C", "/OpenType", "/ICCBased", "/XRef"} {
		if bytes.Contains(dict, []byte(mark)) {
			return true
		}
	}
	return regexp.MustCompile(`/Subtype\s*/Image\b`).Match(dict)
}

// onlyFlate says that a stream is packed once and in the one way that is read here.
func onlyFlate(dict []byte) bool {
	filter := regexp.MustCompile(`/Filter\s*(?:\[\s*/FlateDecode\s*\]|/FlateDecode\b)`)
	return filter.Match(dict)
}

// count adds the pages that objects in plain sight declare.
func (s *scan) count(objects []byte) {
	s.found.Pages += len(regexp.MustCompile(`/Type\s*/Page\b[^s]`).FindAll(objects, -1))
	s.encrypted = s.encrypted || bytes.Contains(objects, []byte("/Encrypt"))
}
