package validators

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unicode"
	"unicode/utf8"
)

// errNoAnswer is the error of a validation without an answer.
var errNoAnswer = errors.New("there is no answer to validate")

// check is the property that a validator judges: an empty reason accepts.
type check interface {
	judge(*subject) (reason string, err error)
}

// checkFunc is a check without configuration.
type checkFunc func(*subject) (string, error)

func (f checkFunc) judge(s *subject) (string, error) { return f(s) }

// named is a check under its registered name: the Validator that others see.
type named struct {
	name    string
	version int
	check   check
}

func (n *named) Name() string { return n.name }

func (n *named) Version() int { return n.version }

// Validate judges one answer. A panic of the check comes back as an error.
func (n *named) Validate(a *Answer) (Verdict, error) {
	if a == nil {
		return Verdict{}, errNoAnswer
	}
	return n.run(newSubject(a))
}

func (n *named) run(s *subject) (v Verdict, err error) {
	defer func() {
		if p := recover(); p != nil {
			v, err = Verdict{}, fmt.Errorf("validator %s panicked: %s", n.label(), panicText(p))
		}
	}()
	reason, err := n.check.judge(s)
	if err != nil {
		return Verdict{}, fmt.Errorf("validator %s: %w", n.label(), err)
	}
	return Verdict{Accepted: reason == "", Validator: n.name, Version: n.version, Reason: cutReason(reason)}, nil
}

func (n *named) label() string { return fmt.Sprintf("%s@%d", n.name, n.version) }

// panicText describes a panic without its value where that could hold a part of a prompt.
func panicText(p any) string {
	if err, ok := p.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", p)
}

// cutReason makes a reason safe to store and to show: printable, valid UTF-8, at most MaxReason characters.
func cutReason(reason string) string {
	reason = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, reason)
	return clip(reason, MaxReason)
}

// clip cuts a text to at most n characters, the last one an ellipsis where something is missing.
func clip(s string, n int) string {
	if len(s) <= n || utf8.RuneCountInString(s) <= n {
		return s
	}
	count := 0
	for i := range s {
		if count == n-1 {
			return s[:i] + "…"
		}
		count++
	}
	return s
}

// quote shows a part of an answer in a reason: short, quoted, control characters escaped.
func quote(s string) string {
	const most = 60
	return fmt.Sprintf("%q", clip(s, most))
}
