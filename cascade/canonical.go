package cascade

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/weirhq/weir/task"
)

// Two answers agree when their canonical forms are the same text. Each kind of output has its own form; an answer that
// has none, which is the empty text, agrees with nothing, not even with one like it.

const (
	// maxLabel is the longest answer that is a label, in bytes: whole texts do not repeat word for word.
	maxLabel = 80
	// maxDigits is the longest number in bytes.
	maxDigits = 64
)

// Canonical is the form of an answer by what it is: function calls where it has any, else a JSON object or list, a number,
// or a label.
func Canonical(output string, calls []task.ToolCall) string {
	if len(calls) > 0 {
		return kind("calls", CanonicalCalls(calls))
	}
	if form := CanonicalJSON(output); form != "" {
		return kind("json", form)
	}
	if form := CanonicalNumber(output); form != "" {
		return kind("number", form)
	}
	return kind("label", CanonicalLabel(output))
}

func kind(name, form string) string {
	if form == "" {
		return ""
	}
	return name + ":" + form
}

// CanonicalJSON is the form of an answer that is a JSON object or list: what CanonicalCalls says of arguments holds for it.
// It is empty for any other answer.
func CanonicalJSON(answer string) string {
	answer = strings.TrimSpace(answer)
	if answer == "" || answer[0] != '{' && answer[0] != '[' {
		return ""
	}
	value, ok := decodeJSON(answer)
	if !ok {
		return ""
	}
	var form bytes.Buffer
	writeCanonical(&form, value)
	return form.String()
}

// decodeJSON reads one value and no more, its numbers as they are written.
func decodeJSON(text string) (any, bool) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return nil, false
	}
	_, err := decoder.Token()
	return value, errors.Is(err, io.EOF)
}

// CanonicalCalls is the form of function calls. Their order does not count, since calls of one answer are made side by
// side, nor does that of arguments, nor case, spaces and punctuation of texts, nor how a number is written. A dot in a
// name counts as an underscore, which some providers put in its place.
func CanonicalCalls(calls []task.ToolCall) string {
	lines := make([]string, 0, len(calls))
	for _, call := range calls {
		arguments := call.Arguments
		if strings.TrimSpace(arguments) == "" {
			arguments = "{}"
		}
		value, ok := decodeJSON(arguments)
		if !ok {
			return ""
		}
		var form bytes.Buffer
		form.WriteString(strings.ReplaceAll(call.Name, ".", "_"))
		writeCanonical(&form, value)
		lines = append(lines, form.String())
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// writeCanonical writes a value so that equal ones are the same bytes and no two kinds can be mistaken.
func writeCanonical(to *bytes.Buffer, value any) {
	switch v := value.(type) {
	case map[string]any:
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		to.WriteByte('{')
		for _, key := range keys {
			to.WriteString(strconv.Quote(key))
			to.WriteByte(':')
			writeCanonical(to, v[key])
		}
		to.WriteByte('}')
	case []any:
		to.WriteByte('[')
		for _, item := range v {
			writeCanonical(to, item)
			to.WriteByte(',')
		}
		to.WriteByte(']')
	case json.Number:
		to.WriteString(canonicalDecimal(v.String()))
	case string:
		to.WriteString(strconv.Quote(foldLabel(v)))
	case bool:
		to.WriteString(strconv.FormatBool(v))
	default:
		to.WriteString("null")
	}
}

// CanonicalChoice is the letter of a choice, in upper case: what an answer such as "b)" or " (B)." names. It is empty for
// an answer that says more, and for a letter that is not among those offered.
func CanonicalChoice(answer, letters string) string {
	trimmed := strings.TrimFunc(answer, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsPunct(r) })
	letter := strings.ToUpper(trimmed)
	if len(letter) != 1 || !strings.Contains(letters, letter) {
		return ""
	}
	return letter
}

// CanonicalLabel is a short answer without case, spaces and punctuation; empty for one longer than 80 bytes.
func CanonicalLabel(answer string) string {
	if answer = strings.TrimSpace(answer); len(answer) > maxLabel {
		return ""
	}
	return foldLabel(answer)
}

// CanonicalNumber is the number that an answer ends in: all of it, the last in a \boxed{}, or what follows the last "####".
// Thousands may be parted by commas, and a $ or % stand beside it. It is empty where there is none of these.
func CanonicalNumber(answer string) string {
	boxed := regexp.MustCompile(`\\boxed\{([^{}]*)\}`)
	if found := boxed.FindAllStringSubmatch(answer, -1); len(found) > 0 {
		answer = found[len(found)-1][1]
	} else if at := strings.LastIndex(answer, "####"); at >= 0 {
		answer = answer[at+len("####"):]
	}
	answer = strings.Trim(strings.TrimSpace(answer), "$% .")
	if grouped := regexp.MustCompile(`^-?\d{1,3}(,\d{3})+(\.\d+)?$`); grouped.MatchString(answer) {
		answer = strings.ReplaceAll(answer, ",", "")
	}
	if plain := regexp.MustCompile(`^-?\d+(\.\d+)?$`); !plain.MatchString(answer) || len(answer) > maxDigits {
		return ""
	}
	return canonicalDecimal(answer)
}

// canonicalDecimal is the same text for 5, 5.0 and 5e0. What is too wide to compare exactly stays as it is written.
func canonicalDecimal(literal string) string {
	const widest = 400 // of an exponent: beyond, an exact number takes megabytes
	_, exponent, _ := strings.Cut(strings.ToLower(literal), "e")
	if n, err := strconv.Atoi(exponent); exponent != "" && (err != nil || n > widest || n < -widest) {
		return literal
	}
	exact, ok := new(big.Rat).SetString(literal)
	if !ok {
		return literal
	}
	return exact.RatString()
}

// foldLabel leaves of a text what its reader would call the same: letters, digits and signs that can change a meaning.
func foldLabel(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range norm.NFKC.String(s) {
		if unicode.IsSpace(r) || strings.ContainsRune(`,.'"`+"`_", r) || unicode.Is(unicode.Cf, r) {
			continue
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
