package openai

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// cursor reads JSON without reflection. It is stricter than encoding/json and never more lenient: a method that reports
// false says "ask encoding/json", not "this is no JSON".
type cursor struct {
	data []byte
	at   int
}

// deepest is how far values may be nested that are passed over.
const deepest = 32

// peek passes over white space and returns the next byte, 0 at the end.
func (c *cursor) peek() byte {
	for ; c.at < len(c.data); c.at++ {
		switch b := c.data[c.at]; b {
		case ' ', '\t', '\n', '\r':
		default:
			return b
		}
	}
	return 0
}

func (c *cursor) take(b byte) bool {
	if c.peek() != b {
		return false
	}
	c.at++
	return true
}

func (c *cursor) word(w string) bool {
	if !bytes.HasPrefix(c.data[c.at:], []byte(w)) {
		return false
	}
	c.at += len(w)
	return true
}

func (c *cursor) null() bool { return c.peek() == 'n' && c.word("null") }

// quoted reads a string as it stands, quotes included. plain says that it holds nothing but printable ASCII and no escape.
func (c *cursor) quoted() (raw []byte, plain, ok bool) {
	if c.peek() != '"' {
		return nil, false, false
	}
	start := c.at
	plain = true
	for c.at++; c.at < len(c.data); c.at++ {
		switch b := c.data[c.at]; {
		case b == '"':
			c.at++
			return c.data[start:c.at], plain, true
		case b < ' ':
			return nil, false, false
		case b == '\\':
			plain = false
			c.at++ // whatever is escaped: encoding/json judges it
		case b > '~':
			plain = false
		}
	}
	return nil, false, false
}

// text reads a string, or null as "".
func (c *cursor) text() (string, bool) {
	if c.null() {
		return "", true
	}
	raw, plain, ok := c.quoted()
	if !ok {
		return "", false
	}
	if plain {
		return string(raw[1 : len(raw)-1]), true
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err == nil
}

// digits reads a whole number without a sign.
func (c *cursor) digits() (int64, bool) {
	start, n := c.at, int64(0)
	for ; c.at < len(c.data) && '0' <= c.data[c.at] && c.data[c.at] <= '9'; c.at++ {
		n = n*10 + int64(c.data[c.at]-'0')
	}
	length := c.at - start
	return n, length > 0 && length <= mostDigits && (length == 1 || c.data[start] != '0') && !c.fraction()
}

// mostDigits is how many digits surely fit an int64.
const mostDigits = 18

// fraction says that what looked like a whole number goes on.
func (c *cursor) fraction() bool {
	if c.at == len(c.data) {
		return false
	}
	switch c.data[c.at] {
	case '.', 'e', 'E':
		return true
	}
	return false
}

// number passes over a number.
func (c *cursor) number() bool {
	start := c.at
	if _, ok := c.digits(); ok {
		return true
	}
	for c.at = start; c.at < len(c.data) && strings.IndexByte("+-.0123456789Ee", c.data[c.at]) >= 0; c.at++ {
	}
	return json.Valid(c.data[start:c.at])
}

// count reads a count, or null as nil.
func (c *cursor) count() (*int64, bool) {
	if c.null() {
		return nil, true
	}
	n, ok := c.digits()
	return &n, ok
}

// object reads an object and gives each of the fields known, once at most, to read. Other fields are passed over, unless
// encoding/json might take their names for known ones: it ignores case.
func (c *cursor) object(known []string, read func(field string) bool) bool {
	if !c.take('{') {
		return false
	}
	var seen uint64
	return c.items('}', func() bool {
		key, plain, ok := c.quoted()
		if !ok || !plain || !c.take(':') {
			return false
		}
		key = key[1 : len(key)-1]
		i := slices.IndexFunc(known, func(k string) bool { return len(k) == len(key) && bytes.EqualFold(key, []byte(k)) })
		if i < 0 {
			return c.skip(deepest)
		}
		if string(key) != known[i] || seen&(1<<i) != 0 {
			return false
		}
		seen |= 1 << i
		return read(known[i])
	})
}

// list reads an array.
func (c *cursor) list(read func() bool) bool { return c.take('[') && c.items(']', read) }

// items reads what stands between commas, up to the end byte.
func (c *cursor) items(end byte, read func() bool) bool {
	if c.take(end) {
		return true
	}
	for read() {
		if c.take(end) {
			return true
		}
		if !c.take(',') {
			return false
		}
	}
	return false
}

// skip passes over a value of any kind.
func (c *cursor) skip(depth int) bool {
	if depth == 0 {
		return false
	}
	switch c.peek() {
	case '{':
		c.at++
		return c.items('}', func() bool { return c.string() && c.take(':') && c.skip(depth-1) })
	case '[':
		c.at++
		return c.items(']', func() bool { return c.skip(depth - 1) })
	case '"':
		return c.string()
	case 't':
		return c.word("true")
	case 'f':
		return c.word("false")
	case 'n':
		return c.word("null")
	}
	return c.number()
}

// string passes over a string.
func (c *cursor) string() bool {
	raw, plain, ok := c.quoted()
	return ok && (plain || json.Valid(raw))
}
