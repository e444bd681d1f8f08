package validators

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// canonical makes texts that are the same characters the same bytes: an accent may be a character of its own.
func canonical(s string) string { return norm.NFC.String(s) }

// foldCase makes texts that differ in case only the same. The folded form is for comparing, not for showing.
func foldCase(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return norm.NFC.String(cases.Fold().String(norm.NFC.String(s)))
}

// foldText makes texts the same that a reader would take for the same: case, width, runs of white space, typographic
// quotes and dashes, and characters that do not show.
func foldText(s string) string {
	if !isASCII(s) {
		s = norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
	}
	var b strings.Builder
	b.Grow(len(s))
	space := true // leading white space is dropped
	for _, r := range s {
		r = plainRune(r)
		if r == ' ' {
			if !space {
				b.WriteByte(' ')
			}
			space = true
			continue
		}
		if r >= 0 {
			b.WriteRune(r)
			space = false
		}
	}
	return strings.TrimSuffix(b.String(), " ")
}

// plainRune is the common form of a character, or -1 for one that does not show.
func plainRune(r rune) rune {
	switch {
	case r < unicode.MaxASCII && r > ' ':
		return unicode.ToLower(r)
	case unicode.IsSpace(r):
		return ' '
	case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
		return -1
	case r == '‘', r == '’', r == 'ʼ', r == '´':
		return '\''
	case r == '“', r == '”', r == '„', r == '«', r == '»':
		return '"'
	case unicode.Is(unicode.Pd, r), r == '−':
		return '-'
	default:
		return r
	}
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] > unicode.MaxASCII {
			return false
		}
	}
	return true
}
