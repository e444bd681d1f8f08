package validators

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// noRefusalParams are the parameters of no_refusal.
type noRefusalParams struct {
	// Phrases are what a refusal begins with; the built-in English ones when there are none.
	Phrases []string `json:"phrases"`
}

// noRefusal rejects answers that the provider marked as refused, or that begin as a refusal does. Only the beginning
// counts: a letter to a customer may well say later on that something cannot be done.
type noRefusal struct {
	phrases []string
	// start is how many characters of an answer are looked at: folding may shorten them.
	start int
}

func newNoRefusal(p noRefusalParams) (check, error) {
	if len(p.Phrases) == 0 {
		p.Phrases = refusalPhrases()
	}
	mistakes := []error{checkList("phrases", p.Phrases, 1)}
	n := noRefusal{}
	const slack = 4 // characters of an answer per character of a phrase
	for i, phrase := range p.Phrases {
		folded := foldText(phrase)
		if folded == "" {
			mistakes = append(mistakes, fmt.Errorf(`parameter "phrases": entry %d is empty`, i+1))
		}
		n.phrases = append(n.phrases, folded)
		n.start = max(n.start, slack*utf8.RuneCountInString(folded)+1)
	}
	return n, errors.Join(mistakes...)
}

func (n noRefusal) judge(s *subject) (string, error) {
	if s.answer.Refused {
		return noRefusalStop(s)
	}
	start := answerStart(s.text, n.start)
	for _, phrase := range n.phrases {
		if rest, found := strings.CutPrefix(start, phrase); found {
			next, _ := utf8.DecodeRuneInString(rest)
			last, _ := utf8.DecodeLastRuneInString(phrase)
			if !joined(last, next, true) {
				return fmt.Sprintf("the answer begins as a refusal: %s", quote(phrase)), nil
			}
		}
	}
	return "", nil
}

// answerStart is the folded beginning of an answer, without what may stand before words.
func answerStart(text string, most int) string {
	text = strings.TrimLeftFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	return foldText(clip(text, most))
}

// refusalPhrases are the usual beginnings of a refusal in English. They are complete enough not to hit an answer that
// only regrets something.
func refusalPhrases() []string {
	openings := []string{
		"", "sorry, ", "sorry, but ", "i'm sorry, ", "i'm sorry, but ", "i am sorry, but ", "i'm sorry but ",
		"i apologize, but ", "unfortunately, ",
	}
	bodies := []string{
		"i can't help with", "i cannot help with", "i can't assist", "i cannot assist", "i can't comply",
		"i cannot comply", "i can't fulfill", "i cannot fulfill", "i can't do that", "i cannot do that",
		"i'm unable to help", "i am unable to help", "i'm unable to assist", "i am unable to assist",
		"i'm not able to help", "i am not able to help", "i must decline", "as an ai",
	}
	phrases := make([]string, 0, len(openings)*len(bodies))
	for _, opening := range openings {
		for _, body := range bodies {
			phrases = append(phrases, opening+body)
		}
	}
	return phrases
}
