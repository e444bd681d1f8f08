package classifier

import (
	"fmt"
	"slices"
)

// trie holds the keywords of all rules, word by word. One walk over a text finds the rules that any keyword of theirs
// occurs in, however many keywords there are.
type trie struct {
	root    *node
	longest int // bytes of the longest word
	// starts has, for each byte that a keyword begins with, a bit for each length of such a first word. Most words of a text
	// are passed over by it without a look-up.
	starts [256]uint64
}

type node struct {
	next  map[string]*node
	rules []int // whose keyword ends here
}

func newTrie() *trie { return &trie{root: &node{}} }

func (t *trie) addAll(keywords []string, rule int) error {
	for _, keyword := range keywords {
		if !t.add(keyword, rule) {
			return fmt.Errorf("keyword %q has no word in it", keyword)
		}
	}
	return nil
}

func (t *trie) add(keyword string, rule int) bool {
	at := t.root
	walk := words{text: fold(keyword)}
	for {
		word, _ := walk.next()
		if word == "" {
			break
		}
		if at == t.root {
			t.starts[lowerByte(word[0])] |= lengthBit(word)
		}
		t.longest = max(t.longest, len(word))
		at = at.child(string(lower(nil, word)))
	}
	if at == t.root {
		return false
	}
	if !slices.Contains(at.rules, rule) {
		at.rules = append(at.rules, rule)
	}
	return true
}

func (n *node) child(word string) *node {
	if n.next == nil {
		n.next = map[string]*node{}
	}
	if n.next[word] == nil {
		n.next[word] = &node{}
	}
	return n.next[word]
}

// search marks the rules that have a keyword in the text. The cost is at most one look-up for each word, and a few more
// where a phrase begins.
func (t *trie) search(text string, found []bool) {
	if len(t.root.next) == 0 {
		return
	}
	var buffer [64]byte
	walk := words{text: fold(text)}
	for {
		word, _ := walk.next()
		if word == "" {
			return
		}
		if t.starts[lowerByte(word[0])]&lengthBit(word) == 0 {
			continue
		}
		if n := t.step(t.root, word, buffer[:0]); n != nil {
			n.mark(found)
			t.follow(n, walk, buffer[:0], found)
		}
	}
}

// follow goes on along a phrase; walk is a copy, so the search itself stays where it was.
func (t *trie) follow(n *node, walk words, buffer []byte, found []bool) {
	for len(n.next) > 0 {
		word, joined := walk.next()
		if word == "" || !joined {
			return
		}
		if n = t.step(n, word, buffer); n == nil {
			return
		}
		n.mark(found)
	}
}

func (t *trie) step(n *node, word string, buffer []byte) *node {
	if len(word) > t.longest {
		return nil
	}
	return n.next[string(lower(buffer, word))] // the conversion inside an index does not allocate
}

func (n *node) mark(found []bool) {
	for _, rule := range n.rules {
		found[rule] = true
	}
}

// lengthBit is one bit for each length up to 62 bytes, and one for all above.
func lengthBit(word string) uint64 { return 1 << min(len(word), 63) }

// lower appends a word with its ASCII letters in lower case; fold has dealt with all others.
func lower(buffer []byte, word string) []byte {
	for i := range len(word) {
		buffer = append(buffer, lowerByte(word[i]))
	}
	return buffer
}

func lowerByte(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
