package validators

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"unicode/utf8"
)

// pattern is a compiled regular expression (RE2) with its cost.
type pattern struct {
	*regexp.Regexp
	// program is about the number of instructions.
	program int
}

// compilePattern compiles within MaxPatternChars and MaxProgram. The program's size is computed from the parsed
// expression, because compiling one that is too large is itself what costs.
func compilePattern(expr string) (*pattern, error) {
	if utf8.RuneCountInString(expr) > MaxPatternChars {
		return nil, fmt.Errorf("the pattern is longer than %d characters", MaxPatternChars)
	}
	parsed, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, patternError(err)
	}
	size := programSize(parsed)
	if size > MaxProgram {
		return nil, fmt.Errorf("the pattern compiles to more than %d instructions", MaxProgram)
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, patternError(err)
	}
	return &pattern{Regexp: re, program: size}, nil
}

// patternError says what is wrong, and which wish RE2 cannot meet.
func patternError(err error) error {
	var wrong *syntax.Error
	if errors.As(err, &wrong) && wrong.Code == syntax.ErrInvalidPerlOp {
		return fmt.Errorf("the pattern uses %q: look-around is not supported (RE2)", wrong.Expr)
	}
	return fmt.Errorf("the pattern does not compile: %w", err)
}

// tooLong tells whether matching a text takes more than MaxMatchWork.
func (p *pattern) tooLong(text string) bool { return len(text) > MaxMatchWork/p.program }

// programSize is about the number of instructions of an expression, at least 1 and at most just above MaxProgram.
func programSize(re *syntax.Regexp) int {
	size := 1
	switch re.Op { //nolint:exhaustive // all others are one instruction and their parts
	case syntax.OpLiteral:
		size = len(re.Rune)
	case syntax.OpCapture:
		size = 2
	case syntax.OpConcat, syntax.OpRepeat:
		size = 0
	}
	for _, sub := range re.Sub {
		size = min(size+programSize(sub), MaxProgram+1)
	}
	if re.Op == syntax.OpRepeat {
		size = (size + 1) * max(re.Min, re.Max, 1)
	}
	return max(1, min(size, MaxProgram+1))
}

// whole is the pattern that matches whole texts only. It is compiled on its own before: what a pair of parentheses
// around it would repair is refused by then.
func (p *pattern) whole() (*pattern, error) {
	re, err := regexp.Compile(`\A(?:` + p.String() + `)\z`)
	if err != nil {
		return nil, patternError(err)
	}
	return &pattern{Regexp: re, program: p.program}, nil
}
