package embed

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// unknownToken stands for a word that no pieces make up, continuation begins the pieces that continue a word.
const (
	unknownToken = "[UNK]"
	continuation = "##"
)

// maxTokens bounds a vocabulary, in its file too. BERT's has 30,522 tokens.
const maxTokens = 1 << 17

// ErrNoUnknown means that a vocabulary has no "[UNK]".
var ErrNoUnknown = errors.New("the vocabulary has no " + unknownToken)

// maxViewTokens is the most that View holds on its way: the tail's bytes are a token each at most, and a word that ends
// the head is shorter.
const maxViewTokens = HeadTokens + TailBytes

// WordPiece cuts texts into the pieces of a vocabulary, as BERT's uncased models do: always the longest piece that fits.
// It never returns [CLS] and [SEP], and a text that spells a special token is text. It is safe for concurrent use.
type WordPiece struct {
	first, next       map[string]int32 // the pieces that begin a word, those that continue one, without their ##
	maxFirst, maxNext int              // bytes of the longest
	unknown           int32
	ascii             *alphabet
}

// NewWordPiece makes the tokenizer of a vocabulary. A token's id is its place in it. It fails on a vocabulary with more
// than 131,072 tokens, with one of them twice or empty, or without "[UNK]".
func NewWordPiece(vocabulary []string) (*WordPiece, error) {
	if len(vocabulary) > maxTokens {
		return nil, fmt.Errorf("the vocabulary has %d tokens, more than %d", len(vocabulary), maxTokens)
	}
	w := &WordPiece{
		first:   make(map[string]int32, len(vocabulary)),
		next:    make(map[string]int32, len(vocabulary)/4), // a fifth of BERT's
		unknown: -1,
		ascii:   newAlphabet(),
	}
	for id, token := range vocabulary {
		if err := w.add(int32(id), token); err != nil {
			return nil, fmt.Errorf("token %d: %w", id, err)
		}
	}
	if w.unknown < 0 {
		return nil, ErrNoUnknown
	}
	return w, nil
}

func (w *WordPiece) add(id int32, token string) error {
	if token == unknownToken {
		w.unknown = id
	}
	pieces, longest := w.first, &w.maxFirst
	if rest, ok := strings.CutPrefix(token, continuation); ok && rest != "" {
		token, pieces, longest = rest, w.next, &w.maxNext
	}
	if token == "" {
		return errors.New("the token is empty")
	}
	if _, ok := pieces[token]; ok {
		return fmt.Errorf("the token %q is there twice", token)
	}
	pieces[token] = id
	*longest = max(*longest, len(token))
	return nil
}

// Unknown is the id of "[UNK]".
func (w *WordPiece) Unknown() int32 { return w.unknown }

// Tokens appends the ids of all of a text's tokens to ids.
func (w *WordPiece) Tokens(ids []int32, text string) []int32 {
	s := scanner{text: text, ascii: w.ascii}
	for s.next() {
		ids = w.cut(ids, &s)
	}
	return ids
}

// View appends the ids that an embedder looks at: all of them up to HeadTokens + TailTokens, else the first HeadTokens
// and the last TailTokens. It reads at most HeadBytes from the text's start and TailBytes from its end, so that a text
// in which this many bytes hold fewer tokens, or which is longer than both together, may give fewer.
func (w *WordPiece) View(ids []int32, text string) []int32 {
	begin := len(ids)
	// A word that is cut off at HeadBytes may read as another. Nothing but a text of blanks gets there.
	s := scanner{text: text[:min(len(text), HeadBytes)], ascii: w.ascii}
	rest := -1 // where the word begins that the head ends in
	for len(ids)-begin <= HeadTokens+TailTokens {
		if !s.next() {
			break
		}
		ids = w.cut(ids, &s)
		if rest < 0 && len(ids)-begin > HeadTokens {
			rest = s.start
		}
	}
	if len(ids)-begin <= HeadTokens+TailTokens && len(s.text) == len(text) {
		return ids
	}
	if rest < 0 {
		rest = len(s.text)
	}
	ids = ids[:min(len(ids), begin+HeadTokens)]
	return w.tail(ids, text[max(rest, lastWords(text)):])
}

// tail appends the last TailTokens of a text of at most TailBytes.
func (w *WordPiece) tail(ids []int32, text string) []int32 {
	begin := len(ids)
	ids = w.Tokens(ids, text)
	if extra := len(ids) - begin - TailTokens; extra > 0 {
		ids = append(ids[:begin], ids[begin+extra:]...)
	}
	return ids
}

// lastWords is where the text's last TailBytes begin, or the first blank in their first half: half a word reads as
// another. Scripts without blanks are cut between two characters.
func lastWords(text string) int {
	start := max(0, len(text)-TailBytes)
	if start == 0 {
		return 0
	}
	if blank := strings.IndexAny(text[start:start+TailBytes/2], " \t\r\n"); blank >= 0 {
		return start + blank
	}
	for start < len(text) && !utf8.RuneStart(text[start]) {
		start++
	}
	return start
}

// cut appends the pieces of the scanner's word, or one unknown when no pieces make it up.
func (w *WordPiece) cut(ids []int32, s *scanner) []int32 {
	if s.long() {
		return append(ids, w.unknown)
	}
	word := s.word[:s.n]
	if id, ok := w.first[string(word)]; ok { // most words are in the vocabulary whole
		return append(ids, id)
	}
	begin := len(ids)
	pieces, longest := w.first, w.maxFirst
	for len(word) > 0 {
		id, n := piece(pieces, word[:min(len(word), longest)])
		if n == 0 {
			return append(ids[:begin], w.unknown)
		}
		ids = append(ids, id)
		word = word[n:]
		pieces, longest = w.next, w.maxNext
	}
	return ids
}

// piece is the longest piece that word begins with, and how many bytes it has; 0 without one.
func piece(pieces map[string]int32, word []byte) (id int32, n int) {
	for n := len(word); n > 0; n-- {
		if n < len(word) && !utf8.RuneStart(word[n]) {
			continue
		}
		if id, ok := pieces[string(word[:n])]; ok {
			return id, n
		}
	}
	return 0, 0
}
