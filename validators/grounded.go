package validators

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// groundedParams are the parameters of grounded.
type groundedParams struct {
	// Fields must occur in the task; without any, the whole answer must.
	Fields   []string `json:"fields"`
	Optional bool     `json:"optional"`
}

// grounded accepts answers whose named fields occur in what the task gave the model: it catches invented totals, names
// and numbers. Of an array or object every text and number inside must occur. It says nothing of tasks that bring files:
// what is not in their texts may well be in those.
type grounded struct{ places []place }

func newGrounded(p groundedParams) (check, error) {
	if len(p.Fields) == 0 {
		if p.Optional {
			return nil, errors.New(`parameter "optional" needs "fields"`)
		}
		return grounded{places: []place{{}}}, nil
	}
	mistakes := []error{checkList("fields", p.Fields, 1)}
	g := grounded{}
	for i, field := range p.Fields {
		if field == "" {
			mistakes = append(mistakes, fmt.Errorf(`parameter "fields": entry %d is empty`, i+1))
			continue
		}
		place, err := target{Field: field, Optional: p.Optional}.place()
		mistakes = append(mistakes, err)
		g.places = append(g.places, place)
	}
	return g, errors.Join(mistakes...)
}

func (g grounded) judge(s *subject) (string, error) {
	if s.answer.Task != nil && len(s.answer.Task.Attachments) > 0 {
		return "", nil
	}
	source, err := s.source()
	if err != nil {
		return "", err
	}
	budget := MaxItems
	for _, place := range g.places {
		if reason := place.grounded(s, source, &budget); reason != "" {
			return reason, nil
		}
	}
	return "", nil
}

func (p place) grounded(s *subject, source *source, budget *int) string {
	if p.path == nil {
		return source.missing(p.what(), strings.TrimSpace(s.text), budget)
	}
	value, ok, reason := p.value(s)
	if !ok {
		return reason
	}
	return source.missing(p.what(), value, budget)
}

// missing is the reason why a value is not grounded in the source; empty when it is. Booleans and nulls are words of JSON,
// not of the source. The budget bounds the values that are looked for.
func (s *source) missing(what string, value any, budget *int) string {
	if *budget--; *budget < 0 {
		return fmt.Sprintf("the answer has more than %d values to look for", MaxItems)
	}
	switch v := value.(type) {
	case string:
		return s.missingText(what, v)
	case json.Number:
		if !s.hasNumber(readLiteral(v.String())) {
			return fmt.Sprintf("%s: %s does not occur in the task", what, v)
		}
	case []any:
		for _, item := range v {
			if reason := s.missing(what, item, budget); reason != "" {
				return reason
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if reason := s.missing(what, v[name], budget); reason != "" {
				return reason
			}
		}
	}
	return ""
}

func (s *source) missingText(what, text string) string {
	if utf8.RuneCountInString(text) > MaxGroundedChars {
		return fmt.Sprintf("%s is longer than the %d characters that are looked for", what, MaxGroundedChars)
	}
	const readings = 2 // of the text as it is and without spaces
	if s.searched += readings * len(s.text); s.searched > MaxSearchBytes {
		return fmt.Sprintf("%s takes more than %d bytes of search", what, MaxSearchBytes)
	}
	if s.hasText(text) || s.hasNumber(readAmount(text)) {
		return ""
	}
	return fmt.Sprintf("%s: %s does not occur in the task", what, quote(text))
}

// readLiteral is the plain decimal form of a JSON number.
func readLiteral(literal string) []string {
	literal = strings.TrimPrefix(literal, "-")
	if strings.ContainsAny(literal, "eE") {
		r, ok := new(big.Rat).SetString(literal)
		if !ok {
			return nil
		}
		literal = r.FloatString(MaxExponent + MaxNumberChars) // exact: no literal has more decimals
	}
	whole, fraction, _ := strings.Cut(literal, ".")
	return plainNumber(whole, fraction)
}

// readAmount are the readings of a text that is one number and at most a currency or unit; none for any other text.
func readAmount(text string) []string {
	const unit = 3 // letters
	folded := foldText(text)
	clusters := findClusters(folded)
	letters := 0
	for _, r := range folded {
		if unicode.IsLetter(r) {
			letters++
		}
	}
	if len(clusters) == 0 || clusters[0].glued || letters > unit {
		return nil
	}
	if len(clusters) == 1 {
		return readCluster(clusters[0].text)
	}
	if len(clusters) > maxGroups {
		return nil
	}
	return wholeSpaced(clusters)
}

// wholeSpaced reads clusters as one number with spaces between thousands, all of them or none.
func wholeSpaced(clusters []cluster) []string {
	readings := readSpaced(clusters)
	if len(readings) != len(clusters)-1 {
		return nil
	}
	return readings[len(readings)-1:]
}
