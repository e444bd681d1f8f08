package classifier

import (
	"fmt"
	"regexp"
	"slices"
	"unicode/utf8"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/task"
)

// MaxRegexBytes is how much of each text a rule's regex sees, from its start: time per byte depends on the expression,
// and texts come from producers.
const MaxRegexBytes = 64 << 10

// Rules is the way by keywords, expressions and measures: the first rule that matches decides.
type Rules struct {
	rules    []rule
	keywords *trie
}

type rule struct {
	catalog.Rule
	regex *regexp.Regexp // nil without one
}

// NewRules compiles a configuration. It fails on a regex that does not compile, a keyword without a word in it and an
// unknown class, all of which catalog.Parse refuses.
func NewRules(rules []catalog.Rule) (*Rules, error) {
	r := &Rules{keywords: newTrie()}
	for i, configured := range rules {
		compiled, err := compile(configured)
		if err == nil {
			err = r.keywords.addAll(configured.Keywords, i)
		}
		if err != nil {
			return nil, fmt.Errorf("compile rule %q: %w", configured.Name, err)
		}
		r.rules = append(r.rules, compiled)
	}
	return r, nil
}

func compile(configured catalog.Rule) (rule, error) {
	if err := known(configured.Class); err != nil {
		return rule{}, err
	}
	if configured.Regex == "" {
		return rule{Rule: configured}, nil
	}
	regex, err := regexp.Compile(configured.Regex)
	return rule{Rule: configured, regex: regex}, err
}

// Decide implements Way.
func (r *Rules) Decide(s Subject) (Decision, bool) {
	v := view{subject: s, keywords: r.keywords, rules: len(r.rules), chars: chars(s.Task)}
	for i := range r.rules {
		if r.rules[i].matches(&v, i) {
			return Decision{
				Class: r.rules[i].Class, Source: SourceRule,
				Rule: r.rules[i].Name, Confidence: r.rules[i].Confidence,
			}, true
		}
	}
	return Decision{}, false
}

// matches asks the cheap questions first, so that most rules never look at the text.
func (r *rule) matches(v *view, i int) bool {
	return r.fits(v.subject) && r.measures(v) && r.mentions(v, i) && r.resembles(v.subject.Task)
}

func (r *rule) fits(s Subject) bool {
	return oneOf(r.Features, s.Feature.Name) &&
		oneOf(r.CallPaths, s.Task.CallPath) &&
		validatedBy(r.Validators, s.Feature.Validators) &&
		agrees(r.HasSchema, s.Feature.OutputSchema != nil) &&
		agrees(r.HasAttachments, len(s.Task.Attachments) > 0)
}

func (r *rule) measures(v *view) bool {
	return v.chars >= r.MinChars &&
		(r.MaxChars == 0 || v.chars <= r.MaxChars) &&
		len(v.subject.Task.Tools) >= r.MinTools &&
		len(v.subject.Task.Messages) >= r.MinMessages
}

func (r *rule) mentions(v *view, i int) bool {
	return len(r.Keywords) == 0 || v.mentions(i)
}

func (r *rule) resembles(t *task.Task) bool {
	if r.regex == nil || r.regex.MatchString(head(t.Input)) {
		return true
	}
	for i := range t.Messages {
		if r.regex.MatchString(head(t.Messages[i].Content)) {
			return true
		}
	}
	return false
}

func oneOf(allowed []string, name string) bool {
	return len(allowed) == 0 || slices.Contains(allowed, name)
}

func validatedBy(types []string, validators []catalog.Validator) bool {
	return len(types) == 0 || slices.ContainsFunc(validators, func(v catalog.Validator) bool {
		return slices.Contains(types, v.Type)
	})
}

func agrees(want *bool, is bool) bool { return want == nil || *want == is }

// head is at most MaxRegexBytes of a text and never ends inside a character.
func head(s string) string {
	if len(s) <= MaxRegexBytes {
		return s
	}
	end := MaxRegexBytes
	for end > MaxRegexBytes-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// chars is the length of the task's own text in characters.
func chars(t *task.Task) int {
	n := utf8.RuneCountInString(t.Input)
	for _, block := range t.Context {
		n += utf8.RuneCountInString(block)
	}
	for i := range t.Messages {
		n += utf8.RuneCountInString(t.Messages[i].Content)
	}
	return n
}

// view is what the rules have found out about one subject. The search for keywords runs once for all rules, and only
// when a rule needs it.
type view struct {
	subject  Subject
	keywords *trie
	rules    int
	chars    int
	found    []bool // by rule; nil before the search
}

func (v *view) mentions(i int) bool {
	if v.found == nil {
		v.found = make([]bool, v.rules)
		v.keywords.search(v.subject.Task.Input, v.found)
		for m := range v.subject.Task.Messages {
			v.keywords.search(v.subject.Task.Messages[m].Content, v.found)
		}
	}
	return v.found[i]
}
