package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/weirhq/weir/task"
)

// maxNesting bounds how deep literals lie in each other.
const maxNesting = 64

// readPython reads [f(a=1), m.g(b='x')]. The brackets are needed; a trailing comma is allowed, as in Python.
func readPython(text string) ([]task.ToolCall, error) {
	p := &python{text: text}
	calls := []task.ToolCall{}
	if !p.take('[') {
		return nil, errNoCalls
	}
	for !p.take(']') {
		call, err := p.call()
		if err != nil {
			return nil, err
		}
		calls = append(calls, call)
		if !p.take(',') && p.peek() != ']' {
			return nil, errNoCalls
		}
	}
	if p.peek() != 0 {
		return nil, errNoCalls
	}
	return calls, nil
}

// python reads the part of Python's expressions that calls with literals need.
type python struct {
	text  string
	at    int
	depth int
}

// peek is the next byte that is no white space; 0 at the end.
func (p *python) peek() byte {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *python) take(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.at++
	return true
}

// name reads an identifier, with dots in it where dotted; empty when there is none.
func (p *python) name(dotted bool) string {
	p.peek()
	start := p.at
	for p.at < len(p.text) {
		r, size := utf8.DecodeRuneInString(p.text[p.at:])
		first := p.at == start || p.text[p.at-1] == '.'
		if !unicode.IsLetter(r) && r != '_' && (first || !unicode.IsDigit(r)) && (!dotted || first || r != '.') {
			break
		}
		p.at += size
	}
	return p.text[start:p.at]
}

func (p *python) call() (task.ToolCall, error) {
	name := p.name(true)
	if name == "" || strings.HasSuffix(name, ".") || !p.take('(') {
		return task.ToolCall{}, errNoCalls
	}
	arguments := map[string]any{}
	for !p.take(')') {
		key := p.name(false)
		if _, repeated := arguments[key]; key == "" || reserved(key) || repeated || !p.take('=') {
			return task.ToolCall{}, errNoCalls
		}
		value, err := p.value()
		if err != nil {
			return task.ToolCall{}, err
		}
		arguments[key] = value
		if !p.take(',') && p.peek() != ')' {
			return task.ToolCall{}, errNoCalls
		}
	}
	raw, err := json.Marshal(arguments)
	if err != nil {
		return task.ToolCall{}, fmt.Errorf("arguments of a call: %w", err)
	}
	return task.ToolCall{Name: name, Arguments: string(raw)}, nil
}

// reserved reports whether Python keeps a word for itself, so that it cannot name an argument.
func reserved(word string) bool {
	const words = " False None True and as assert async await break class continue def del elif else except finally for from " +
		"global if import in is lambda nonlocal not or pass raise return try while with yield "
	return strings.Contains(words, " "+word+" ")
}

// value reads a literal: a string, a number, True, False, None, a list, a tuple or a dict.
func (p *python) value() (any, error) {
	if p.depth++; p.depth > maxNesting {
		return nil, errors.New("nests too deep")
	}
	defer func() { p.depth-- }()
	switch c := p.peek(); {
	case c == '[':
		p.at++
		return p.list(']')
	case c == '(':
		p.at++
		return p.list(')')
	case c == '{':
		p.at++
		return p.dict()
	case c == '\'' || c == '"':
		return p.str(c)
	case c == '-' || c == '+' || c == '.' || (c >= '0' && c <= '9'):
		return p.number()
	}
	switch p.name(false) {
	case "True":
		return true, nil
	case "False":
		return false, nil
	case "None":
		return nil, nil
	}
	return nil, errNoCalls
}

func (p *python) list(end byte) (any, error) {
	items := []any{}
	for !p.take(end) {
		item, err := p.value()
		if err != nil {
			return nil, err
		}
		items = append(items, item)
		comma := p.take(',')
		if !comma && p.peek() != end {
			return nil, errNoCalls
		}
		if !comma && end == ')' && len(items) == 1 { // parentheses around one value are no tuple
			p.at++
			return item, nil
		}
	}
	return items, nil
}

func (p *python) dict() (any, error) {
	dict := map[string]any{}
	for !p.take('}') {
		c := p.peek()
		if c != '\'' && c != '"' {
			return nil, errNoCalls // JSON has no other keys
		}
		key, err := p.str(c)
		if err != nil {
			return nil, err
		}
		if !p.take(':') {
			return nil, errNoCalls
		}
		if dict[key], err = p.value(); err != nil {
			return nil, err
		}
		if !p.take(',') && p.peek() != '}' {
			return nil, errNoCalls
		}
	}
	return dict, nil
}

// number reads an integer or a float. JSON takes neither leading zeros nor a bare point, so it is written anew.
func (p *python) number() (any, error) {
	start := p.at
	for p.at < len(p.text) && strings.IndexByte("+-.0123456789eE_", p.text[p.at]) >= 0 {
		p.at++
	}
	literal := strings.ReplaceAll(p.text[start:p.at], "_", "")
	if n, err := strconv.ParseInt(literal, 10, 64); err == nil {
		return n, nil
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		return nil, errNoCalls
	}
	raw, err := json.Marshal(f)
	if err != nil {
		return nil, errNoCalls
	}
	if !strings.ContainsAny(string(raw), ".e") { // 5.0 stays a float to a reader who asks for an integer
		raw = append(raw, '.', '0')
	}
	return json.RawMessage(raw), nil
}

// str reads a string with its escapes, up to the quote that opened it.
func (p *python) str(quote byte) (string, error) {
	p.at++
	var b strings.Builder
	for p.at < len(p.text) {
		c := p.text[p.at]
		p.at++
		switch {
		case c == quote:
			return b.String(), nil
		case c == '\n':
			return "", errNoCalls
		case c != '\\':
			b.WriteByte(c)
		default:
			if err := p.escape(&b); err != nil {
				return "", err
			}
		}
	}
	return "", errNoCalls
}

func (p *python) escape(b *strings.Builder) error {
	if p.at == len(p.text) {
		return errNoCalls
	}
	c := p.text[p.at]
	p.at++
	simple := map[byte]string{
		'n': "\n", 't': "\t", 'r': "\r", '\\': "\\", '\'': "'", '"': "\"", '\n': "", 'b': "\b", 'f': "\f", 'v': "\v", 'a': "\a", '0': "\x00",
	}
	if s, ok := simple[c]; ok {
		b.WriteString(s)
		return nil
	}
	width := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
	if width == 0 { // an escape that Python does not know stays as it is
		b.WriteByte('\\')
		b.WriteByte(c)
		return nil
	}
	if p.at+width > len(p.text) {
		return errNoCalls
	}
	code, err := strconv.ParseUint(p.text[p.at:p.at+width], 16, 32)
	if err != nil {
		return errNoCalls
	}
	p.at += width
	b.WriteRune(rune(code)) //nolint:gosec // what is no character is written as U+FFFD
	return nil
}
