package features

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Names says which word or pair of words of a text is behind each bucket; of several it is the first.
func Names(text string) map[uint16]string {
	names := map[uint16]string{}
	before := ""
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool {
		return r == utf8.RuneError || !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r)
	}) {
		word = strings.Map(unicode.ToLower, word)
		name(names, word)
		if before != "" {
			name(names, before+" "+word)
		}
		before = word
	}
	return names
}

func name(names map[uint16]string, text string) {
	hash := fnvOffset
	for i := range len(text) {
		hash = (hash ^ uint64(text[i])) * fnvPrime
	}
	if _, ok := names[fold(hash)]; !ok {
		names[fold(hash)] = text
	}
}
