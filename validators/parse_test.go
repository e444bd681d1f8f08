package validators

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// FuzzParseJSON compares the reader with encoding/json: what both take is the same value, and what only encoding/json
// takes breaks one of the stricter rules.
func FuzzParseJSON(f *testing.F) {
	for _, s := range []string{
		`{"a": [1, -2.5e3, "x\u0041\n", true, false, null, {}, []]}`, ` [ ] `, `{"a":1,"a":1}`, "\"\xff\"", `1e401`, `"\ud800"`,
		`{ "" : "" , "b" :[ ] }`, strings.Repeat("[", 130) + strings.Repeat("]", 130), "1 ", "tru", "[1,]", `"\\"`, `"\""`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseJSON(s, answerLimits())
		decoder := json.NewDecoder(bytes.NewReader([]byte(s)))
		decoder.UseNumber()
		var want any
		valid := json.Valid([]byte(s)) && decoder.Decode(&want) == nil
		if err == nil {
			require.True(t, valid)
			require.Equal(t, want, got)
			return
		}
		stricter := !utf8.ValidString(s) || strings.Contains(err.Error(), "twice") ||
			strings.Contains(err.Error(), "nested deeper") || strings.Contains(err.Error(), "number")
		require.True(t, !valid || stricter, err.Error())
	})
}

// FuzzParseDecimal compares with big.Rat, which takes more than a decimal number.
func FuzzParseDecimal(f *testing.F) {
	for _, s := range []string{"1", "-0.5", "1e3", "+7", "0x1", "1/2", "1_0", ".5", "5.", "", "١", "1e401", "01"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseDecimal(s)
		if err != nil {
			return
		}
		want, ok := new(big.Rat).SetString(strings.TrimSpace(s))
		require.True(t, ok)
		require.Zero(t, got.Cmp(want))
	})
}

// FuzzReadNumbers checks that every reading is a plain decimal and that a number is always found in itself.
func FuzzReadNumbers(f *testing.F) {
	f.Add("Total 1,234.50 or 1.234,50, 12 345 678,9 on 23.11.2024 A5", uint32(123450))
	f.Fuzz(func(t *testing.T, s string, n uint32) {
		for _, reading := range readNumbers(foldText(s)) {
			r, err := parseDecimal(reading)
			if len(reading) <= MaxNumberChars {
				require.NoError(t, err)
				require.GreaterOrEqual(t, r.Sign(), 0)
			}
		}
		literal := big.NewRat(int64(n), 100).FloatString(2)
		found := newSourceText("a " + literal + " b")
		require.True(t, found.hasNumber(readLiteral(literal)), literal)
	})
}

func newSourceText(s string) *source { return &source{text: foldText(s)} }

func TestReadNumbers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       []string
	}{
		{"Plain", "12", []string{"12"}},
		{"Decimal", "12.50", []string{"12.5"}},
		{"Ambiguous", "1,234", []string{"1.234", "1234"}},
		{"English", "1,234,567.80", []string{"1234567.8"}},
		{"German", "1.234.567,80", []string{"1234567.8"}},
		{"Swiss", "1'234.5", []string{"1234.5"}},
		{"Indian", "12,34,567", []string{"1234567"}},
		{"Spaces", "12 345,60", []string{"12", "12345.6", "345.6"}},
		{"Date", "23.11.2024", []string{"23", "11", "2024"}},
		{"Zeros", "007 0 0.0", []string{"0", "0"}},
		{"FullStop", "I paid 5.", []string{"5"}},
		{"Letters", "A5 B123 5kg", []string{"123", "5"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			require.ElementsMatch(t, test.want, readNumbers(foldText(test.text)))
		})
	}
}
