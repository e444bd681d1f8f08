package classifier

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// words walks over the words of a folded text. A word is a run of letters, digits, marks and underscores; in scripts
// that put no spaces between words each letter is one.
type words struct {
	text string
	pos  int
}

// next is the next word, and whether it continues a phrase: only spaces, hyphens or apostrophes lie between it and the
// word before. The word is empty at the end of the text.
func (w *words) next() (word string, joined bool) {
	start, joined := w.gap()
	w.pos = w.run(start)
	return w.text[start:w.pos], joined
}

// gap is where the next word begins.
func (w *words) gap() (start int, joined bool) {
	joined = true
	for i := w.pos; i < len(w.text); {
		c, size := runeAt(w.text, i)
		if isWord(c) {
			return i, joined
		}
		joined = joined && isJoint(c)
		i += size
	}
	return len(w.text), joined
}

// run is where the word that begins at start ends.
func (w *words) run(start int) int {
	end := start
	for end < len(w.text) {
		if b := w.text[end]; b < utf8.RuneSelf { // most text, and the reason why this loop is fast
			if !isASCIIWord(rune(b)) {
				return end
			}
			end++
			continue
		}
		c, size := utf8.DecodeRuneInString(w.text[end:])
		switch {
		case !isWord(c):
			return end
		case !unspaced(c):
			end += size
		case end > start:
			return end
		default:
			return w.marks(end + size)
		}
	}
	return end
}

// marks is where the combining marks that begin at start end.
func (w *words) marks(start int) int {
	for i, c := range w.text[start:] {
		if !unicode.IsMark(c) {
			return start + i
		}
	}
	return len(w.text)
}

func runeAt(s string, i int) (rune, int) {
	if c := s[i]; c < utf8.RuneSelf {
		return rune(c), 1
	}
	return utf8.DecodeRuneInString(s[i:])
}

func isWord(c rune) bool {
	if c < utf8.RuneSelf {
		return isASCIIWord(c)
	}
	return unicode.IsLetter(c) || unicode.IsNumber(c) || unicode.IsMark(c)
}

// isASCIIWord compares with the lower-case letter: 0x20 is what the two cases differ in.
func isASCIIWord(c rune) bool {
	letter := c | 0x20
	return letter >= 'a' && letter <= 'z' || c >= '0' && c <= '9' || c == '_'
}

func isJoint(c rune) bool {
	if c < utf8.RuneSelf {
		return c == ' ' || c == '-' || c == '\'' || c == '\n' || c == '\t' || c == '\r'
	}
	return c == '’' || c == '‐' || c == '‑' || unicode.IsSpace(c)
}

const firstUnspaced = 0x0E00 // Thai; every script below puts spaces between its words

func unspaced(c rune) bool {
	return c >= firstUnspaced && unicode.In(c, unicode.Han, unicode.Hiragana, unicode.Katakana,
		unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// fold makes texts that differ only in case or in how a character is composed equal: "STRASSE" and "Straße" become one.
// Plain ASCII comes back as it is: the trie lowers its letters word by word, which allocates nothing.
func fold(s string) string {
	if isASCII(s) {
		return s
	}
	return norm.NFC.String(cases.Fold().String(s))
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
