package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/weirhq/weir/task"
)

// record is one row by its columns, without letter case. Nested JSON objects are columns with dots in their names; arrays are
// JSON text.
type record map[string]string

// mostNested bounds how deep objects become columns; what lies deeper stays JSON text.
const mostNested = 4

// flatten makes columns of a decoded JSON object.
func flatten(into record, prefix string, object map[string]any, depth int) {
	for name, value := range object {
		key := prefix + strings.ToLower(name)
		switch v := value.(type) {
		case nil:
		case string:
			into[key] = v
		case json.Number:
			into[key] = v.String()
		case bool:
			into[key] = strconv.FormatBool(v)
		case map[string]any:
			if depth < mostNested {
				flatten(into, key+".", v, depth+1)
				continue
			}
			into[key] = jsonText(v)
		default:
			into[key] = jsonText(v)
		}
	}
}

func jsonText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "" // it has been decoded from JSON
	}
	return string(text)
}

// opened is the record with the objects that stand as JSON text in the given columns made columns too: in a CSV, all do.
func (r record) opened(columns ...string) record {
	var with record
	for _, column := range columns {
		text := r[column]
		if !strings.HasPrefix(text, "{") {
			continue
		}
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		var object map[string]any
		if decoder.Decode(&object) != nil {
			continue // then it is a text that looks like it
		}
		if with == nil {
			with = maps.Clone(r)
		}
		flatten(with, column+".", object, 1)
	}
	if with == nil {
		return r
	}
	return with
}

// text is the first of the columns that is not empty.
func (r record) text(columns ...string) string {
	for _, column := range columns {
		if v := strings.TrimSpace(r[column]); v != "" && v != "null" && v != "None" {
			return v
		}
	}
	return ""
}

// has says whether the record has all of the columns.
func (r record) has(columns ...string) bool {
	for _, column := range columns {
		if _, ok := r[column]; !ok {
			return false
		}
	}
	return true
}

// mostTokens bounds a count: a thousand times all that a provider has ever served in a day would still be below.
const mostTokens = 1 << 50

var errNegative = errors.New("is negative")

// count reads a whole number; nil without one. Decimals that are whole, such as 12.0 and 1.2e3, are taken.
func (r record) count(columns ...string) (*int64, error) {
	text := r.text(columns...)
	if text == "" {
		return nil, nil //nolint:nilnil // none
	}
	exact, err := number(text)
	if err == nil && !exact.IsInt() {
		err = errors.New("is not whole")
	}
	if err == nil && exact.Sign() < 0 {
		err = errNegative
	}
	if err == nil && exact.Cmp(big.NewRat(mostTokens, 1)) > 0 {
		err = errors.New("is out of range")
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s %w", r.named(columns), shown(text), err)
	}
	n := exact.Num().Int64()
	return &n, nil
}

// number reads a plain or exponential decimal exactly. Thousands separators are refused: a comma may as well be a decimal
// point.
func number(text string) (*big.Rat, error) {
	if len(text) > 40 || strings.ContainsAny(text, "/_xXpP") {
		return nil, errors.New("is not a number")
	}
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		if exponent, err := strconv.Atoi(text[i+1:]); err != nil || exponent > 30 || exponent < -30 {
			return nil, errors.New("is not a number in range")
		}
	}
	exact, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, errors.New("is not a number; write it without thousands separators and units")
	}
	return exact, nil
}

// usd reads an amount, rounded half to even to a pico-USD: logs that add up binary fractions have more digits than money has.
// nil without one.
func (r record) usd(columns ...string) (*task.Pico, error) {
	text := strings.TrimPrefix(r.text(columns...), "$")
	if text == "" {
		return nil, nil //nolint:nilnil // none
	}
	exact, err := number(text)
	if err == nil && exact.Sign() < 0 {
		err = errNegative
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s %w", r.named(columns), shown(text), err)
	}
	amount, ok := halfEven(exact.Mul(exact, big.NewRat(1_000_000_000_000, 1)))
	if !ok {
		return nil, fmt.Errorf("%s %s is out of range", r.named(columns), shown(text))
	}
	return &amount, nil
}

func halfEven(exact *big.Rat) (task.Pico, bool) {
	quotient, rest := new(big.Int).QuoRem(exact.Num(), exact.Denom(), new(big.Int))
	if twice := rest.Lsh(rest, 1).Cmp(exact.Denom()); twice > 0 || twice == 0 && quotient.Bit(0) == 1 {
		quotient.Add(quotient, big.NewInt(1))
	}
	return task.Pico(quotient.Int64()), quotient.IsInt64()
}

// layouts are the forms in which exports write times, besides seconds and milliseconds since 1970. Those without a zone are
// UTC.
func layouts() []string {
	return []string{
		time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999-07", "2006-01-02T15:04:05.999999999",
		"2006-01-02 15:04:05.999999999", "2006-01-02 15:04:05.999999999 MST", "2006-01-02 15:04", time.DateOnly, "1/2/2006", "1/2/2006, 3:04:05 PM",
	}
}

const (
	// secondsFrom is the year 2000: what is less is no time, but perhaps a day without separators.
	secondsFrom = 946_684_800
	// millisFrom is where seconds since 1970 would be the year 5138: greater numbers are milliseconds.
	millisFrom = 100_000_000_000
	microsFrom = millisFrom * 1000
)

// at reads the time of a call.
func (r record) at(columns ...string) (time.Time, error) {
	text := r.text(columns...)
	if text == "" {
		return time.Time{}, fmt.Errorf("there is no time in %s", r.named(columns))
	}
	if exact, err := number(text); err == nil {
		seconds, _ := exact.Float64()
		switch {
		case seconds >= microsFrom:
			return time.UnixMicro(int64(seconds)).UTC(), nil
		case seconds >= millisFrom:
			return time.UnixMilli(int64(seconds)).UTC(), nil
		case seconds >= secondsFrom:
			return time.UnixMilli(int64(seconds * 1000)).UTC(), nil
		}
	}
	for _, layout := range layouts() {
		if t, err := time.Parse(layout, text); err == nil && t.Year() > 1970 {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%s %s is no time; RFC 3339, a day, and seconds or milliseconds since 1970 are read", r.named(columns), shown(text))
}

// seconds reads a duration in seconds, and millis one in milliseconds; 0 without one or where it is none.
func (r record) seconds(columns ...string) time.Duration { return r.duration(time.Second, columns) }

func (r record) millis(columns ...string) time.Duration { return r.duration(time.Millisecond, columns) }

func (r record) duration(unit time.Duration, columns []string) time.Duration {
	v, err := strconv.ParseFloat(r.text(columns...), 64)
	if err != nil || !(v > 0) || v > float64(24*time.Hour/unit) {
		return 0
	}
	return time.Duration(v * float64(unit))
}

// named is the column that was read, or the first that would have been.
func (r record) named(columns []string) string {
	for _, column := range columns {
		if strings.TrimSpace(r[column]) != "" {
			return column
		}
	}
	return columns[0]
}

// mostShown bounds a value in a reason.
const mostShown = 40

// shown is a value as a reason quotes it.
func shown(text string) string {
	if len(text) > mostShown {
		text = text[:mostShown] + "…"
	}
	return strconv.Quote(strings.ToValidUTF8(text, "�"))
}

// cut is the beginning of a text, of at most MaxText bytes, in whole characters.
func cut(text string) string {
	if len(text) <= MaxText {
		return text
	}
	return strings.ToValidUTF8(text[:MaxText], "")
}
