package validators

import (
	"errors"
	"fmt"
	"strings"
)

// requiredTextParams are the parameters of required_text.
type requiredTextParams struct {
	// Texts are looked for.
	Texts []string `json:"texts"`
	// Match is all (the default) or any.
	Match string `json:"match"`
	// CaseFold ignores case.
	CaseFold bool `json:"case_fold"`
}

// requiredText accepts answers that contain all, or any, of the texts.
type requiredText struct {
	texts textList
	any   bool
}

func newRequiredText(p requiredTextParams) (check, error) {
	if p.Match == "" {
		p.Match = "all"
	}
	texts, err := newTextList(p.Texts, p.CaseFold)
	err = errors.Join(err, checkWord("match", p.Match, "all", "any"))
	return requiredText{texts: texts, any: p.Match == "any"}, err
}

func (r requiredText) judge(s *subject) (string, error) {
	answer := r.texts.normal(s.answer.Output)
	missing := ""
	for i, text := range r.texts.normalised {
		found := strings.Contains(answer, text)
		if found && r.any {
			return "", nil
		}
		if !found && missing == "" {
			missing = r.texts.shown[i]
		}
	}
	switch {
	case missing == "":
		return "", nil
	case r.any:
		return fmt.Sprintf("the answer contains none of the %d required texts", len(r.texts.shown)), nil
	default:
		return fmt.Sprintf("the answer does not contain %s", quote(missing)), nil
	}
}

// textList is a list of texts to look for, as configured and as compared.
type textList struct {
	shown      []string
	normalised []string
	caseFold   bool
}

func newTextList(texts []string, caseFold bool) (textList, error) {
	list := textList{shown: texts, caseFold: caseFold}
	mistakes := []error{checkList("texts", texts, 1)}
	for i, text := range texts {
		if text == "" {
			mistakes = append(mistakes, fmt.Errorf(`parameter "texts": entry %d is empty`, i+1))
		}
		list.normalised = append(list.normalised, list.normal(text))
	}
	return list, errors.Join(mistakes...)
}

func (t textList) normal(s string) string {
	if t.caseFold {
		return foldCase(s)
	}
	return canonical(s)
}
