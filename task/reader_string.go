package task

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

const unicodeEscape = 4 // hex digits after \u

// str reads the string whose opening quote is next.
func (r *reader) str() string {
	r.pos++
	start := r.pos
	for i := start; i < len(r.data); i++ {
		switch c := r.data[i]; {
		case c == '"':
			r.pos = i + 1
			return string(r.data[start:i])
		case c == '\\' || c < ' ':
			r.pos = i
			return r.strSlow(start)
		}
	}
	r.pos = len(r.data)
	r.fail("a closing quote is missing")
	return ""
}

// strSlow goes on from the first byte that does not stand for itself.
func (r *reader) strSlow(start int) string {
	text := append(make([]byte, 0, 2*(r.pos-start)+64), r.data[start:r.pos]...)
	for r.pos < len(r.data) {
		c := r.data[r.pos]
		r.pos++
		switch {
		case c == '"':
			return string(text)
		case c == '\\':
			text = r.escape(text)
		case c == 0:
			r.note(CodeInvalidText, "%s holds a NUL character", r.where())
		case c < ' ':
			r.note(CodeInvalidJSON, "%s holds a control character that is not escaped", r.where())
		default:
			text = append(text, c)
		}
		if r.broken {
			return ""
		}
	}
	r.fail("a closing quote is missing")
	return ""
}

// escape reads what follows a backslash.
func (r *reader) escape(text []byte) []byte {
	if r.pos >= len(r.data) {
		return text // the caller finds the closing quote missing
	}
	c := r.data[r.pos]
	r.pos++
	switch c {
	case '"', '\\', '/':
		return append(text, c)
	case 'b':
		return append(text, '\b')
	case 'f':
		return append(text, '\f')
	case 'n':
		return append(text, '\n')
	case 'r':
		return append(text, '\r')
	case 't':
		return append(text, '\t')
	case 'u':
		return utf8.AppendRune(text, r.escapedRune())
	}
	r.fail("an escape is unknown")
	return text
}

// escapedRune reads the digits of \uXXXX, and of the second half where the first is one of a surrogate pair.
func (r *reader) escapedRune() rune {
	char := r.hex()
	switch {
	case r.broken:
		return utf8.RuneError
	case char == 0:
		r.note(CodeInvalidText, "%s holds a NUL character", r.where())
		return utf8.RuneError
	case !utf16.IsSurrogate(char):
		return char
	}
	if r.pos+1 < len(r.data) && r.data[r.pos] == '\\' && r.data[r.pos+1] == 'u' {
		before := r.pos
		r.pos += 2
		if pair := utf16.DecodeRune(char, r.hex()); pair != utf8.RuneError || r.broken {
			return pair
		}
		r.pos = before // not its other half: a character of its own
	}
	r.note(CodeInvalidText, "%s holds half of a surrogate pair", r.where())
	return utf8.RuneError
}

func (r *reader) hex() rune {
	if r.pos+unicodeEscape > len(r.data) {
		r.fail("an escape is cut off")
		return 0
	}
	n, err := strconv.ParseUint(string(r.data[r.pos:r.pos+unicodeEscape]), 16, 16)
	if err != nil {
		r.fail("an escape is malformed")
		return 0
	}
	r.pos += unicodeEscape
	return rune(n)
}
