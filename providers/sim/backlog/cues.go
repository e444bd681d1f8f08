package backlog

import (
	"slices"
	"strings"
)

// cue is a phrase that gives a text its meaning.
type cue struct {
	phrase string
	// section is what the phrase stands for, in words: category, billing, en.
	section []string
}

func (c cue) kind() string { return c.section[0] }

// word is the i-th word of the section's name, empty when there is none.
func (c cue) word(i int) string {
	if i < len(c.section) {
		return c.section[i]
	}
	return ""
}

// cues are phrases by their first word.
type cues map[string][]cue

// findCues collects the marked phrases of all sections of the given kinds.
func findCues(t texts, kinds ...string) cues {
	index := cues{}
	for name, lines := range t.sections {
		section := strings.Fields(name)
		if !slices.Contains(kinds, section[0]) {
			continue
		}
		for _, line := range lines {
			for _, phrase := range cuesOf(line) {
				first, _, _ := strings.Cut(phrase, " ")
				index[first] = append(index[first], cue{phrase: phrase, section: section})
			}
		}
	}
	return index
}

// found is a cue at its place in a text.
type found struct {
	cue
	at int
}

// in lists the cues of a text in their order. The text is in lower case, with single spaces.
func (c cues) in(text string) []found {
	var hits []found
	start := true
	for i := range len(text) {
		if space := text[i] == ' ' || text[i] == '\n'; space || !start {
			start = space
			continue
		}
		start = false
		first, _, _ := strings.Cut(text[i:], " ")
		for _, candidate := range c[first] {
			if strings.HasPrefix(text[i:], candidate.phrase) {
				hits = append(hits, found{cue: candidate, at: i})
				break
			}
		}
	}
	return hits
}
