package sim

import (
	"errors"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is the deepest nesting that is read.
const maxDepth = 64

var errBadJSON = errors.New("the body is no JSON")

// scanner walks over JSON in place and hands out what it is asked for: a request of a kilobyte has five fields that
// matter, and decoding the rest would cost more than all else that the simulator does.
type scanner struct {
	data  []byte
	at    int
	depth int
}

// object calls each for every member, with its name as it is written. Each reads the value.
func (s *scanner) object(each func(name []byte) error) error {
	return s.items('{', '}', func() error {
		name, err := s.rawString()
		if err != nil {
			return err
		}
		if s.space(); s.take() != ':' {
			return errBadJSON
		}
		s.space()
		return each(name)
	})
}

// array calls each for every element. Each reads it.
func (s *scanner) array(each func() error) error { return s.items('[', ']', each) }

func (s *scanner) items(first, last byte, each func() error) error {
	if s.depth++; s.depth > maxDepth || s.take() != first {
		return errBadJSON
	}
	defer func() { s.depth-- }()
	if s.space(); s.peek() == last {
		s.at++
		return nil
	}
	for {
		s.space()
		if err := each(); err != nil {
			return err
		}
		s.space()
		switch s.take() {
		case ',':
		case last:
			return nil
		default:
			return errBadJSON
		}
	}
}

func (s *scanner) space() {
	for s.at < len(s.data) && (s.data[s.at] == ' ' || s.data[s.at] == '\n' || s.data[s.at] == '\t' || s.data[s.at] == '\r') {
		s.at++
	}
}

// peek is the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.at < len(s.data) {
		return s.data[s.at]
	}
	return 0
}

// take is the next byte, which is then behind.
func (s *scanner) take() byte {
	c := s.peek()
	s.at++
	return c
}

// value skips a value of any type and gives back its bytes.
func (s *scanner) value() ([]byte, error) {
	s.space()
	start := s.at
	var err error
	switch s.peek() {
	case '{':
		err = s.object(s.skipMember)
	case '[':
		err = s.array(s.skip)
	case '"':
		_, err = s.rawString()
	default:
		err = s.literal()
	}
	if err != nil {
		return nil, err
	}
	return s.data[start:s.at], nil
}

func (s *scanner) skip() error {
	_, err := s.value()
	return err
}

func (s *scanner) skipMember([]byte) error { return s.skip() }

// literal skips a number, a boolean or null.
func (s *scanner) literal() error {
	start := s.at
	for s.at < len(s.data) {
		c := s.data[s.at]
		if c == ',' || c == '}' || c == ']' || c <= ' ' {
			break
		}
		s.at++
	}
	switch word := string(s.data[start:s.at]); word {
	case "true", "false", "null":
		return nil
	case "":
		return errBadJSON
	default:
		// The simulator has no use for a number beyond this check, so what strconv takes and JSON does not may pass.
		if _, err := strconv.ParseFloat(word, 64); err != nil && !errors.Is(err, strconv.ErrRange) {
			return errBadJSON
		}
		return nil
	}
}

// rawString skips a string and gives back what stands between its quotes, escapes and all.
func (s *scanner) rawString() ([]byte, error) {
	if s.take() != '"' {
		return nil, errBadJSON
	}
	start := s.at
	for s.at < len(s.data) {
		switch c := s.data[s.at]; {
		case c == '"':
			s.at++
			return s.data[start : s.at-1], nil
		case c == '\\':
			s.at += 2
		case c < ' ':
			return nil, errBadJSON
		default:
			s.at++
		}
	}
	return nil, errBadJSON
}

// text reads a string. Null is an empty one.
func (s *scanner) text() (string, error) {
	s.space()
	if s.peek() == 'n' {
		return "", s.literal()
	}
	raw, err := s.rawString()
	if err != nil {
		return "", err
	}
	return unescape(raw)
}

// number reads a whole number. Null is 0.
func (s *scanner) number() (int, error) {
	raw, err := s.value()
	if err != nil || string(raw) == "null" {
		return 0, err
	}
	n, err := strconv.Atoi(string(raw))
	if err != nil {
		return 0, errBadJSON
	}
	return n, nil
}

// unescape decodes what stands between the quotes of a string.
func unescape(raw []byte) (string, error) {
	i := 0
	for i < len(raw) && raw[i] != '\\' {
		i++
	}
	if i == len(raw) {
		return string(raw), nil
	}
	out := append(make([]byte, 0, len(raw)), raw[:i]...)
	for i < len(raw) {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			i++
			continue
		}
		if i+1 == len(raw) {
			return "", errBadJSON
		}
		size := 2
		switch c := raw[i+1]; c {
		case '"', '\\', '/':
			out = append(out, c)
		case 'b', 'f', 'n', 'r', 't':
			out = append(out, control(c))
		case 'u':
			r, n := codePoint(raw[i:])
			if n == 0 {
				return "", errBadJSON
			}
			out, size = utf8.AppendRune(out, r), n
		default:
			return "", errBadJSON
		}
		i += size
	}
	return string(out), nil
}

func control(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	default:
		return '\t'
	}
}

// codePoint reads \uXXXX, or two of them that belong together, and says how many bytes it took; 0 when it is neither.
func codePoint(raw []byte) (r rune, size int) {
	const one = len(`\u0000`)
	high, ok := hexUnit(raw)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(high) {
		return high, one
	}
	if low, ok := hexUnit(raw[one:]); ok {
		if r := utf16.DecodeRune(high, low); r != utf8.RuneError {
			return r, 2 * one
		}
	}
	return utf8.RuneError, one
}

func hexUnit(raw []byte) (rune, bool) {
	const one = len(`\u0000`)
	if len(raw) < one || raw[0] != '\\' || raw[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(raw[2:one]), 16, 16)
	return rune(n), err == nil
}
