package embed

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	// maxWordRunes is the longest word that BERT's tokenizers cut into pieces; a longer one is unknown as a whole.
	maxWordRunes = 100
	maxWordBytes = maxWordRunes * utf8.UTFMax
)

// What a character does to the word before it. Every other value of the ASCII table is the character itself in lower
// case, and joins the word.
const (
	drop  = iota // nothing: as if it were not there
	space        // ends the word
	alone        // ends the word and is one of its own: punctuation and ideographs
	join         // continues the word
)

// alphabet says for each ASCII character what it does or, above join, what it is in lower case.
type alphabet [utf8.RuneSelf]byte

func newAlphabet() *alphabet {
	var a alphabet
	for c := range byte(utf8.RuneSelf) {
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			a[c] = space
		case c < ' ' || c == 0x7F:
			a[c] = drop
		case 'A' <= c && c <= 'Z':
			a[c] = c | 0x20
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
			a[c] = c
		default:
			a[c] = alone
		}
	}
	return &a
}

// scanner walks over a text's words as BERT's uncased models read it: control characters dropped, decomposed (NFD) and
// rid of accents, in lower case, cut at blanks, with punctuation and ideographs as words of their own. What is not
// UTF-8 is dropped like the replacement character.
type scanner struct {
	text  string
	ascii *alphabet
	pos   int // where reading goes on
	start int // where the word begins in text
	n     int // bytes of word
	runes int
	word  [maxWordBytes]byte
}

// next reads one word, bytes of which are in word[:n]; long says that it has more than maxWordRunes characters, of
// which word holds the first. It is false at the end of the text.
func (s *scanner) next() bool {
	s.n, s.runes = 0, 0
	for s.pos < len(s.text) {
		c := s.text[s.pos]
		if c >= utf8.RuneSelf {
			if s.other() {
				return true
			}
			continue
		}
		switch class := s.ascii[c]; class {
		case drop:
			s.pos++
		case space:
			s.pos++
			if s.runes > 0 {
				return true
			}
		case alone:
			if s.runes == 0 {
				s.start = s.pos
				s.pos++
				s.put(rune(c))
			}
			return true
		default:
			if s.runes == 0 {
				s.start = s.pos
			}
			if s.runes < maxWordRunes { // put, without a call: most text is this
				s.word[s.n] = class
				s.n++
			}
			s.runes++
			s.pos++
		}
	}
	return s.runes > 0
}

func (s *scanner) long() bool { return s.runes > maxWordRunes }

// other reads a character beyond ASCII and says whether the word is complete. What a composed character does, the first
// part of it decides: "≠" is an equals sign, which is punctuation.
func (s *scanner) other() bool {
	c, size := utf8.DecodeRuneInString(s.text[s.pos:])
	parts := norm.NFD.PropertiesString(s.text[s.pos : s.pos+size]).Decomposition()
	first, rest := c, 0
	if parts != nil {
		first, rest = utf8.DecodeRune(parts)
	}
	class := kind(first)
	if s.runes > 0 && class == alone {
		return true
	}
	if s.runes == 0 {
		s.start = s.pos
	}
	s.pos += size
	switch class {
	case drop:
		return false
	case space:
		return s.runes > 0
	}
	if hangulFirst <= c && c <= hangulLast {
		s.hangul(c)
		return false
	}
	s.put(first)
	for parts = parts[rest:]; len(parts) > 0; parts = parts[rest:] {
		if c, rest = utf8.DecodeRune(parts); kind(c) != drop {
			s.put(c)
		}
	}
	return class == alone
}

// Hangul syllables decompose by arithmetic (The Unicode Standard, 3.12); norm has no table for them.
const (
	hangulFirst = 0xAC00
	hangulLast  = 0xD7A3
	jamoL       = 0x1100
	jamoV       = 0x1161
	jamoT       = 0x11A7
	jamoVCount  = 21
	jamoTCount  = 28
)

func (s *scanner) hangul(c rune) {
	i := c - hangulFirst
	s.put(jamoL + i/(jamoVCount*jamoTCount))
	s.put(jamoV + i%(jamoVCount*jamoTCount)/jamoTCount)
	if t := i % jamoTCount; t > 0 {
		s.put(jamoT + t)
	}
}

// put adds a character to the word, in lower case.
func (s *scanner) put(c rune) {
	if s.runes < maxWordRunes {
		s.n += utf8.EncodeRune(s.word[s.n:], unicode.ToLower(c))
	}
	s.runes++
}

// firstLatin1 ends the control characters beyond ASCII, one of which, U+0085, is a blank for Go but not for BERT.
const firstLatin1 = 0xA0

// kind is what a character beyond ASCII does, and what a part of a decomposed one does, which may be ASCII.
func kind(c rune) int {
	switch {
	case c == utf8.RuneError || utf8.RuneSelf <= c && c < firstLatin1 || unicode.Is(unicode.Mn, c):
		return drop
	case unicode.IsSpace(c):
		return space
	case ideograph(c):
		return alone
	case unicode.IsLetter(c) || unicode.IsNumber(c): // before the rarer ones: most text beyond ASCII is this
		return join
	case unicode.IsPunct(c) || c < utf8.RuneSelf:
		return alone
	case unicode.In(c, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs):
		return drop
	default:
		return join
	}
}

// ideograph is the blocks that BERT puts blanks around. Kana and Hangul are not among them: they are written with
// blanks, or cut into pieces like any word. The gap after U+2B81F is the original's.
func ideograph(c rune) bool {
	switch {
	case c < 0x3400:
		return false
	case c <= 0x4DBF, 0x4E00 <= c && c <= 0x9FFF, 0xF900 <= c && c <= 0xFAFF:
		return true
	case c < 0x20000:
		return false
	}
	return c <= 0x2A6DF || 0x2A700 <= c && c <= 0x2B73F || 0x2B740 <= c && c <= 0x2B81F ||
		0x2B920 <= c && c <= 0x2CEAF || 0x2F800 <= c && c <= 0x2FA1F
}
