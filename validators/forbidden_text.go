package validators

import (
	"fmt"
	"strings"
)

// forbiddenTextParams are the parameters of forbidden_text.
type forbiddenTextParams struct {
	// Texts must not occur.
	Texts []string `json:"texts"`
	// CaseFold ignores case.
	CaseFold bool `json:"case_fold"`
}

// forbiddenText accepts answers that contain none of the texts.
type forbiddenText struct{ texts textList }

func newForbiddenText(p forbiddenTextParams) (check, error) {
	texts, err := newTextList(p.Texts, p.CaseFold)
	return forbiddenText{texts: texts}, err
}

func (f forbiddenText) judge(s *subject) (string, error) {
	answer := f.texts.normal(s.answer.Output)
	for i, text := range f.texts.normalised {
		if strings.Contains(answer, text) {
			return fmt.Sprintf("the answer contains %s", quote(f.texts.shown[i])), nil
		}
	}
	return "", nil
}
