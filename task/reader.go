package task

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// reader decodes one JSON document in a single pass, stricter than encoding/json: names match exactly, a name occurs once
// in an object, and what Postgres or a JSON parser further on would choke on is refused here. A mistake in the content is
// noted and reading goes on, so that a producer learns of all of them, and one task of an envelope does not hide the
// others. Only broken syntax ends the reading.
type reader struct {
	data       []byte
	pos        int
	depth      int
	limits     Limits
	path       []step
	names      []string // of the fields of all open objects, innermost last
	found      mistakes
	broken     bool // nothing more can be read
	badID      bool // the field id at the top is wrong, so it must not be answered to
	isMember   bool // the task is one of an envelope
	isEnvelope bool // where a task was expected, there is an envelope
}

// step is one element of the path to a value: a field's name, or an index when the name is empty.
type step struct {
	name  string
	index int
}

const (
	maxExponentDigits = 3     // 1e999 is far beyond any column; 1e1000000 takes a parser seconds
	maxPathName       = 40    // characters of a producer's own field name that a reason repeats
	maxNames          = 1_000 // fields of one object: they are compared pairwise
)

func (r *reader) note(code Code, format string, args ...any) {
	r.found.add(code, format, args...)
	if len(r.path) == 1 && r.path[0].name == "id" {
		r.badID = true
	}
}

// fail ends the reading: what follows cannot be understood, and what was noted may be a consequence.
func (r *reader) fail(what string) {
	if !r.broken {
		r.found = mistakes{}
		r.found.add(CodeInvalidJSON, "the body is not valid JSON: %s at byte %d", what, r.pos)
		r.broken = true
	}
}

// where is the path of the current value in words.
func (r *reader) where() string {
	if len(r.path) == 0 {
		return "the body"
	}
	var b strings.Builder
	for i, s := range r.path {
		switch {
		case s.name == "":
			fmt.Fprintf(&b, "[%d]", s.index)
		case i > 0:
			b.WriteString("." + short(s.name))
		default:
			b.WriteString(short(s.name))
		}
	}
	return b.String()
}

// short is a producer's field name fit for a reason: quoted when it is not plain, and never long.
func short(name string) string {
	if len(name) > maxPathName {
		name = strings.ToValidUTF8(name[:maxPathName], "") + "…"
	}
	plain := func(c rune) bool { return c > ' ' && c != '"' && c != '.' && strconv.IsPrint(c) }
	if name != "" && utf8.ValidString(name) && !strings.ContainsFunc(name, func(c rune) bool { return !plain(c) }) {
		return name
	}
	return strconv.Quote(name)
}

// peek skips white space and returns the next byte, 0 at the end.
func (r *reader) peek() byte {
	for ; r.pos < len(r.data); r.pos++ {
		switch c := r.data[r.pos]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// take consumes the byte c if it is next.
func (r *reader) take(c byte) bool {
	if r.peek() != c || r.pos >= len(r.data) {
		return false
	}
	r.pos++
	return true
}

// end checks that nothing follows the document.
func (r *reader) end() {
	if !r.broken && (r.peek() != 0 || r.pos < len(r.data)) {
		r.fail("something follows the document")
	}
}

// is reports whether the next value is of the type that the byte c starts. Otherwise it notes the mistake, skips the
// value and returns false.
func (r *reader) is(c byte, want string) bool {
	if r.peek() == c {
		return true
	}
	r.mismatch(want)
	return false
}

// mismatch notes that the next value is of the wrong type and skips it.
func (r *reader) mismatch(want string) {
	switch got := typeName(r.peek()); got {
	case "":
		r.fail("a value is missing")
	case "null":
		r.note(CodeWrongType, "%s is null; leave it out or give %s", r.where(), want)
		r.skip()
	default:
		r.note(CodeWrongType, "%s is %s; it must be %s", r.where(), got, want)
		r.skip()
	}
}

// typeName names the JSON type of the value that starts with c; it is empty when no value does.
func typeName(c byte) string {
	switch c {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	if c == '-' || isDigit(c) {
		return "a number"
	}
	return ""
}

// object reads an object and calls each for every field, with the reader at its value. Of a field that is named twice,
// the second is skipped.
func (r *reader) object(each func(name string)) {
	if !r.enter() {
		return
	}
	first := len(r.names)
	for more := !r.take('}'); more; more = r.next('}') {
		if r.peek() != '"' {
			r.fail("a field's name is missing")
			break
		}
		r.field(r.str(), first, each)
		if r.broken {
			break
		}
	}
	r.names = r.names[:first]
	r.leave()
}

func (r *reader) field(name string, first int, each func(name string)) {
	if !r.take(':') {
		r.fail("a colon is missing")
		return
	}
	r.path = append(r.path, step{name: name})
	defer func() { r.path = r.path[:len(r.path)-1] }()
	switch siblings := r.names[first:]; {
	case slices.Contains(siblings, name):
		r.note(CodeDuplicateField, "%s is given twice", r.where())
		r.skip()
	case len(siblings) == maxNames:
		r.note(CodeTooLarge, "an object has more than %d fields", maxNames)
		r.skip()
	default:
		r.names = append(r.names, name)
		each(name)
	}
}

// array reads an array and calls each for every element, with the reader at it.
func (r *reader) array(each func(index int)) {
	if !r.enter() {
		return
	}
	r.path = append(r.path, step{})
	at := len(r.path) - 1
	index := 0
	for more := !r.take(']'); more && !r.broken; more = r.next(']') {
		r.path[at].index = index
		each(index)
		index++
	}
	r.path = r.path[:at]
	r.leave()
}

// enter consumes the bracket of an object or array. Beyond the depth limit it skips the whole of it and returns false.
func (r *reader) enter() bool {
	if r.depth == r.limits.Depth {
		r.note(CodeTooDeep, "%s is nested deeper than %d levels", r.where(), r.limits.Depth)
		r.skipBrackets()
		return false
	}
	r.depth++
	r.pos++
	return true
}

func (r *reader) leave() { r.depth-- }

// next consumes what follows an element: true after a comma, false after the closing bracket.
func (r *reader) next(closing byte) bool {
	switch {
	case r.broken, r.take(closing):
		return false
	case r.take(','):
		return true
	}
	r.fail("a comma or a closing bracket is missing")
	return false
}

// skip reads a value that is not kept, with all checks.
func (r *reader) skip() {
	switch c := r.peek(); c {
	case '"':
		r.str()
	case '{':
		r.object(func(string) { r.skip() })
	case '[':
		r.array(func(int) { r.skip() })
	case 't':
		r.word("true")
	case 'f':
		r.word("false")
	case 'n':
		r.word("null")
	default:
		if c != '-' && !isDigit(c) {
			r.fail("a value is missing")
			return
		}
		r.number()
	}
}

func (r *reader) word(word string) {
	if !bytes.HasPrefix(r.data[r.pos:], []byte(word)) {
		r.fail("a value is misspelt")
		return
	}
	r.pos += len(word)
}

// skipBrackets passes over an object or array without recursion, whatever its depth. Only brackets and strings count: it
// is refused already, and the only thing left to know is where it ends.
func (r *reader) skipBrackets() {
	open := 0
	for r.pos < len(r.data) {
		switch r.data[r.pos] {
		case '{', '[':
			open++
		case '}', ']':
			open--
		case '"':
			r.str()
			if r.broken {
				return
			}
			continue
		}
		r.pos++
		if open == 0 {
			return
		}
	}
	r.fail("a closing bracket is missing")
}

// number reads a number literal by JSON's grammar and returns it, empty when it is wrong.
func (r *reader) number() string {
	start := r.pos
	if r.data[r.pos] == '-' {
		r.pos++
	}
	leadingZero := r.pos < len(r.data) && r.data[r.pos] == '0'
	whole := r.digits()
	if whole == 0 || (leadingZero && whole > 1) {
		r.fail("a number is malformed")
		return ""
	}
	if r.pos < len(r.data) && r.data[r.pos] == '.' {
		r.pos++
		if r.digits() == 0 {
			r.fail("a number is malformed")
			return ""
		}
	}
	exponent := r.exponent()
	literal := r.data[start:r.pos]
	switch {
	case r.broken:
		return ""
	case len(literal) > r.limits.NumberChars:
		r.note(CodeInvalidNumber, "%s holds a number of more than %d characters", r.where(), r.limits.NumberChars)
		return ""
	case exponent > maxExponentDigits:
		r.note(CodeInvalidNumber, "%s holds a number out of range", r.where())
		return ""
	}
	return string(literal)
}

// exponent consumes the exponent of a number and returns how many digits it has.
func (r *reader) exponent() int {
	if r.pos >= len(r.data) || (r.data[r.pos] != 'e' && r.data[r.pos] != 'E') {
		return 0
	}
	r.pos++
	if r.pos < len(r.data) && (r.data[r.pos] == '+' || r.data[r.pos] == '-') {
		r.pos++
	}
	n := r.digits()
	if n == 0 {
		r.fail("a number is malformed")
	}
	return n
}

func (r *reader) digits() int {
	start := r.pos
	for r.pos < len(r.data) && isDigit(r.data[r.pos]) {
		r.pos++
	}
	return r.pos - start
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// validText notes text that is not UTF-8.
func (r *reader) validText(raw []byte) {
	if !utf8.Valid(raw) {
		r.found.add(CodeInvalidText, "the body is not valid UTF-8")
		r.badID = r.badID || len(r.path) == 0 // any text may be damaged, the id too
	}
}
