package validators

import (
	"errors"
	"fmt"
)

// regexParams are the parameters of regex.
type regexParams struct {
	target
	// Pattern is a regular expression (RE2).
	Pattern string `json:"pattern"`
	// Match is full (the default), when the pattern must match the whole text, or partial.
	Match string `json:"match"`
}

// regex accepts texts that match a regular expression.
type regex struct {
	place   place
	pattern *pattern
}

func newRegex(p regexParams) (check, error) {
	if p.Match == "" {
		p.Match = "full"
	}
	place, err := p.rawPlace()
	mistakes := errors.Join(err, checkWord("match", p.Match, "full", "partial"))
	if p.Pattern == "" {
		return nil, errors.Join(mistakes, errors.New(`parameter "pattern" is missing`))
	}
	compiled, err := compilePattern(p.Pattern)
	if err == nil && p.Match == "full" {
		compiled, err = compiled.whole()
	}
	return regex{place: place, pattern: compiled}, errors.Join(mistakes, err)
}

func (r regex) judge(s *subject) (string, error) {
	text, ok, reason := r.place.text(s)
	if !ok {
		return reason, nil
	}
	if r.pattern.tooLong(text) {
		return fmt.Sprintf("%s is too long for its pattern", r.place.what()), nil
	}
	if !r.pattern.MatchString(text) {
		return fmt.Sprintf("%s does not match its pattern: %s", r.place.what(), quote(text)), nil
	}
	return "", nil
}
