package sim

import (
	"regexp/syntax"
	"strings"
	"unicode"

	"github.com/weirhq/weir/providers/sim/dice"
)

// matching makes a text that a regular expression matches. It is false for one that does not compile, or has parts
// such as word boundaries that no text can be made from.
func matching(d *dice.Dice, pattern string) (string, bool) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return "", false
	}
	var b strings.Builder
	ok := write(d, &b, re.Simplify())
	return b.String(), ok
}

// maxPatternText bounds the text that is made.
const maxPatternText = 10_000

func write(d *dice.Dice, b *strings.Builder, re *syntax.Regexp) bool {
	if b.Len() > maxPatternText {
		return false
	}
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText:
		return true
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
		return true
	case syntax.OpCharClass:
		return writeClass(d, b, re.Rune)
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte("abcdefghij"[d.Below(10)])
		return true
	case syntax.OpAlternate:
		return write(d, b, dice.Pick(d, re.Sub))
	case syntax.OpCapture:
		return write(d, b, re.Sub[0])
	case syntax.OpConcat:
		return repeat(d, b, re.Sub)
	case syntax.OpQuest:
		return repeat(d, b, re.Sub[:d.Below(2)])
	case syntax.OpStar:
		return repeat(d, b, times(re.Sub[0], d.Below(4)))
	case syntax.OpPlus:
		return repeat(d, b, times(re.Sub[0], d.Between(1, 4)))
	case syntax.OpRepeat, syntax.OpNoMatch, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
	}
	return false // what simplifying takes out, and what nothing can be written for
}

func times(re *syntax.Regexp, n int) []*syntax.Regexp {
	all := make([]*syntax.Regexp, n)
	for i := range all {
		all[i] = re
	}
	return all
}

func repeat(d *dice.Dice, b *strings.Builder, parts []*syntax.Regexp) bool {
	for _, part := range parts {
		if !write(d, b, part) {
			return false
		}
	}
	return true
}

// writeClass writes one character of a class, one that can be seen where there is one.
func writeClass(d *dice.Dice, b *strings.Builder, ranges []rune) bool {
	if len(ranges) == 0 {
		return false
	}
	for range 20 {
		i := d.Below(len(ranges)/2) * 2
		r := ranges[i] + rune(d.Below(int(min(ranges[i+1]-ranges[i], 1000))+1)) //nolint:gosec // at most 1000
		if unicode.IsPrint(r) && r < unicode.MaxASCII {
			b.WriteRune(r)
			return true
		}
	}
	b.WriteRune(ranges[0])
	return true
}
