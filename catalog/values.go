package catalog

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/weirhq/weir/task"
)

const (
	nameRule     = "write at most 64 lower-case letters and digits, with single - or _ between them"
	durationRule = `write a number with its unit, such as "30s", "5m" or "30d"`
	sizeRule     = `write a whole number of bytes, or one with its unit such as "16MiB"`
)

// validName says whether a name can be one token of a NATS subject and of a River queue's name.
func validName(s string) bool {
	if s == "" || len(s) > MaxNameChars {
		return false
	}
	separated := true // as if one stood before the name, which must not begin with another
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			separated = false
		case (c == '-' || c == '_') && !separated:
			separated = true
		default:
			return false
		}
	}
	return !separated
}

// text reads a text of at most limit characters; 0 means no limit. Without the key it is empty.
func (o *object) text(key string, limit int) string {
	n := o.get(key)
	if n == nil {
		return ""
	}
	s, _ := o.r.text(n, o.at(key), limit)
	return s
}

// text reads one value as text.
func (r *report) text(n *yaml.Node, path string, limit int) (string, bool) {
	switch {
	case n.Kind == yaml.ScalarNode && isNull(n):
		r.addAt(n.Line, path, "has no value; give it one or leave it out")
	case n.Kind == yaml.ScalarNode && !isText(n):
		r.addAt(n.Line, path, "is %s, not text; put it in quotes: %q", kindOf(n), clip(n.Value))
	case !isText(n):
		r.addAt(n.Line, path, "is %s; it must be text", kindOf(n))
	case limit > 0 && utf8.RuneCountInString(n.Value) > limit:
		r.addAt(n.Line, path, "is longer than %d characters", limit)
	default:
		return n.Value, true
	}
	return "", false
}

// word reads one of a few words. Without the key, or with another word, it is the fallback.
func (o *object) word(key, fallback string, allowed ...string) string {
	n := o.get(key)
	if n == nil {
		return fallback
	}
	s, ok := o.r.text(n, o.at(key), 0)
	if !ok {
		return fallback
	}
	for _, word := range allowed {
		if s == word {
			return word
		}
	}
	o.r.addAt(n.Line, o.at(key), "is %q; it must be %s", clip(s), listed(allowed))
	return fallback
}

// texts reads a list of texts, each of at most limit characters. Without the key, and for an empty list, it is nil.
func (o *object) texts(key string, limit int) []string {
	n := o.get(key)
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		o.r.addAt(n.Line, o.at(key), "is %s; it must be a list, such as [a, b]", kindOf(n))
		return nil
	}
	var out []string
	for i, item := range n.Content {
		path := index(o.at(key), i)
		o.r.see(path, item.Line)
		if s, ok := o.r.text(item, path, limit); ok {
			out = append(out, s)
		}
	}
	return out
}

// some is texts for a list that means nothing when it is empty.
func (o *object) some(key string, limit int) []string {
	out := o.texts(key, limit)
	if n := o.values[key]; n != nil && n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		o.r.addAt(n.Line, o.at(key), "is empty; name something or leave it out")
	}
	return out
}

// integer reads a whole number from least to most.
func (o *object) integer(key string, fallback, least, most int64) int64 {
	n := o.get(key)
	if n == nil {
		return fallback
	}
	value, ok := wholeNumber(n)
	if !ok {
		o.r.addAt(n.Line, o.at(key), "is %s; it must be a whole number in plain digits", shown(n))
		return fallback
	}
	if value < least || value > most {
		o.r.addAt(n.Line, o.at(key), "is %d; it must be from %d to %d", value, least, most)
		return fallback
	}
	return value
}

// count is integer for what fits an int on every machine.
func (o *object) count(key string, fallback, least, most int) int {
	return int(o.integer(key, int64(fallback), int64(least), int64(most)))
}

// wholeNumber reads digits with an optional sign and 1_000 for 1000. Leading zeros are refused: YAML versions disagree
// on whether they mean octal.
func wholeNumber(n *yaml.Node) (int64, bool) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" {
		return 0, false
	}
	digits := strings.TrimLeft(n.Value, "+-")
	if len(digits) > 1 && digits[0] == '0' {
		return 0, false
	}
	value, err := strconv.ParseInt(strings.ReplaceAll(n.Value, "_", ""), 10, 64)
	return value, err == nil
}

// fraction reads a number from 0 to 1.
func (o *object) fraction(key string, fallback float64) float64 {
	n := o.get(key)
	if n == nil {
		return fallback
	}
	value, err := strconv.ParseFloat(n.Value, 64)
	if n.Kind != yaml.ScalarNode || isText(n) || err != nil || math.IsNaN(value) || value < 0 || value > 1 {
		o.r.addAt(n.Line, o.at(key), "is %s; it must be a number from 0 to 1", shown(n))
		return fallback
	}
	return value + 0 // -0 becomes 0, so that both have one hash
}

// upTo reads a number from 0 to most; nil without the key.
func (o *object) upTo(key string, most float64) *float64 {
	n := o.get(key)
	if n == nil {
		return nil
	}
	value, err := strconv.ParseFloat(n.Value, 64)
	if n.Kind != yaml.ScalarNode || isText(n) || err != nil || math.IsNaN(value) || value < 0 || value > most {
		o.r.addAt(n.Line, o.at(key), "is %s; it must be a number from 0 to %g", shown(n), most)
		return nil
	}
	value += 0 // -0 becomes 0, so that both have one hash
	return &value
}

// boolean reads true or false; nil without the key.
func (o *object) boolean(key string) *bool {
	n := o.get(key)
	if n == nil {
		return nil
	}
	value, ok := boolOf(n)
	if !ok {
		o.r.addAt(n.Line, o.at(key), "is %s; it must be true or false", shown(n))
		return nil
	}
	return &value
}

func boolOf(n *yaml.Node) (value, ok bool) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
		return false, false
	}
	value, err := strconv.ParseBool(n.Value)
	return value, err == nil
}

// flag is boolean with false as its default.
func (o *object) flag(key string) bool {
	value := o.boolean(key)
	return value != nil && *value
}

// duration reads a duration from least to most, with days as a unit of their own.
func (o *object) duration(key string, fallback, least, most time.Duration) time.Duration {
	n := o.get(key)
	if n == nil {
		return fallback
	}
	value, ok := durationOf(n)
	if !ok {
		o.r.addAt(n.Line, o.at(key), "is %s; %s", shown(n), durationRule)
		return fallback
	}
	if value < least || value > most {
		o.r.addAt(n.Line, o.at(key), "is %s; it must be from %s to %s", spell(value), spell(least), spell(most))
		return fallback
	}
	return value
}

func durationOf(n *yaml.Node) (time.Duration, bool) {
	if !isText(n) {
		return 0, false
	}
	if days, ok := strings.CutSuffix(n.Value, "d"); ok {
		count, err := strconv.ParseUint(days, 10, 16) // 16 bits of days cannot overflow a Duration
		return time.Duration(count) * day, err == nil
	}
	value, err := time.ParseDuration(n.Value)
	return value, err == nil
}

// spell writes a duration as weir.yaml does.
func spell(d time.Duration) string {
	if d >= day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// size reads a number of bytes from least to most.
func (o *object) size(key string, fallback, least, most int64) int64 {
	n := o.get(key)
	if n == nil {
		return fallback
	}
	value, ok := sizeOf(n)
	if !ok {
		o.r.addAt(n.Line, o.at(key), "is %s; %s", shown(n), sizeRule)
		return fallback
	}
	if value < least || value > most {
		o.r.addAt(n.Line, o.at(key), "is %d; it must be from %d to %d bytes", value, least, most)
		return fallback
	}
	return value
}

func sizeOf(n *yaml.Node) (int64, bool) {
	if value, ok := wholeNumber(n); ok {
		return value, true
	}
	if !isText(n) {
		return 0, false
	}
	for unit, factor := range map[string]int64{"KiB": kibibyte, "MiB": mebibyte} {
		if digits, ok := strings.CutSuffix(n.Value, unit); ok {
			count, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 32) // 32 bits times a MiB cannot overflow
			return int64(count) * factor, err == nil
		}
	}
	return 0, false
}

// money reads an amount of USD from least to a million; nil without the key.
func (o *object) money(key string, least task.Pico) *task.Pico {
	n := o.get(key)
	if n == nil {
		return nil
	}
	if n.Kind == yaml.ScalarNode && kindOf(n) == "a number" {
		o.r.addAt(n.Line, o.at(key), "is a bare number; put money in quotes, so that it stays exact: %q", clip(n.Value))
		return nil
	}
	s, ok := o.r.text(n, o.at(key), 0)
	if !ok {
		return nil
	}
	value, err := task.ParseUSD(s)
	if err != nil {
		o.r.addAt(n.Line, o.at(key), "%s", err)
		return nil
	}
	if value < least || value > maxUSD {
		o.r.addAt(n.Line, o.at(key), "is %s USD; it must be from %s to %s", value, least, maxUSD)
		return nil
	}
	return &value
}

// shown quotes a scalar and names anything else by its kind.
func shown(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode && !isNull(n) {
		return strconv.Quote(clip(n.Value))
	}
	return kindOf(n)
}

// clip keeps a sentence readable that quotes a value.
func clip(s string) string {
	runes := 0
	for i := range s {
		if runes == MaxNameChars {
			return s[:i] + "…"
		}
		runes++
	}
	return s
}
