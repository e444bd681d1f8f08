package catalog

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/weirhq/weir/task"
)

// The ways to a task's class.
const (
	WayPrior = "prior" // how earlier tasks of the call path went
	WayRules = "rules" // the first rule that matches
	WayModel = "model" // the trained model, where one is in use
)

// DefaultOrder is the order in which the ways are asked: experience, then what somebody wrote down, then a guess.
func DefaultOrder() []string { return []string{WayPrior, WayRules, WayModel} }

func readClassifier(o *object) Classifier {
	c := Classifier{Default: task.Class(o.word("default", string(DefaultClass), classNames()...))}
	c.InJobs = o.flag("in_jobs")
	c.Order = readOrder(o)
	n := o.get("rules")
	o.close()
	if n == nil {
		n = exampleRules(o.r)
	}
	c.Rules = readRules(n, o.at("rules"), o.r)
	return c
}

func readOrder(o *object) []string {
	if !o.has("order") {
		return DefaultOrder()
	}
	order, seen := o.some("order", 0), map[string]bool{}
	for _, way := range order {
		switch {
		case !slices.Contains(DefaultOrder(), way):
			o.r.add(o.at("order"), "%q is no way to a class; the ways are %s", clip(way), listed(DefaultOrder()))
		case seen[way]:
			o.r.add(o.at("order"), "names %s twice", way)
		}
		seen[way] = true
	}
	return order
}

func classNames() []string { return []string{string(task.L1), string(task.L2), string(task.L3)} }

func readRules(n *yaml.Node, path string, r *report) []Rule {
	if n == nil || n.Kind != yaml.SequenceNode {
		if n != nil {
			r.addAt(n.Line, path, "is %s; it must be a list, which may be []", kindOf(n))
		}
		return nil
	}
	if len(n.Content) > MaxRules {
		r.addAt(n.Line, path, "has %d rules; at most %d are allowed", len(n.Content), MaxRules)
		return nil
	}
	var rules []Rule
	seen := map[string]bool{}
	for i, item := range n.Content {
		at := index(path, i)
		r.see(at, item.Line)
		rule := readRule(readObject(item, at, r))
		if rule.Name != "" && seen[rule.Name] {
			r.add(at+".name", "another rule is named %q already", clip(rule.Name))
		}
		seen[rule.Name] = true
		rules = append(rules, rule)
	}
	return rules
}

func readRule(o *object) Rule {
	o.require("name", "a decision is recorded with its rule's name")
	o.require("class", "write "+listed(classNames()))
	rule := Rule{
		Name:           o.text("name", 0),
		Class:          task.Class(o.word("class", "", classNames()...)),
		Confidence:     o.fraction("confidence", DefaultConfidence),
		Features:       o.some("features", 0),
		CallPaths:      o.some("call_paths", maxIDChars),
		Validators:     o.some("validators", MaxNameChars),
		Keywords:       readKeywords(o),
		Regex:          readRegex(o),
		MinChars:       o.count("min_chars", 0, 0, maxChars),
		MaxChars:       o.count("max_chars", 0, 0, maxChars),
		MinTools:       o.count("min_tools", 0, 0, maxTools),
		MinMessages:    o.count("min_messages", 0, 0, maxMessages),
		HasSchema:      o.boolean("has_schema"),
		HasAttachments: o.boolean("has_attachments"),
	}
	o.close()
	checkRule(rule, o)
	return rule
}

func checkRule(rule Rule, o *object) {
	if o.has("name") && rule.Name != "" && !validName(rule.Name) {
		o.r.add(o.at("name"), "%q is no name; %s", clip(rule.Name), nameRule)
	}
	if rule.MaxChars > 0 && rule.MinChars > rule.MaxChars {
		o.r.add(o.at("min_chars"), "is %d, above max_chars, which is %d: no task is both", rule.MinChars, rule.MaxChars)
	}
	if !conditional(o) && !o.r.broken[o.path] {
		o.r.add(o.path, "has no condition and would match every task; set classifier.default instead")
	}
}

// conditional says whether the file names any condition, also one with a mistake in it.
func conditional(o *object) bool {
	for _, key := range o.keys {
		if key != "name" && key != "class" && key != "confidence" {
			return true
		}
	}
	return false
}

func readKeywords(o *object) []string {
	words := o.some("keywords", MaxKeywordChars)
	if len(words) > MaxKeywords {
		o.r.add(o.at("keywords"), "has %d keywords; at most %d are allowed", len(words), MaxKeywords)
		return nil
	}
	for _, w := range words {
		if mistake := checkKeyword(w); mistake != "" {
			o.r.add(o.at("keywords"), "%q %s", w, mistake)
		}
	}
	return words
}

// checkKeyword refuses what would match more than it says: between words punctuation does not count, so c++ would be c.
func checkKeyword(w string) string {
	if strings.IndexFunc(w, func(c rune) bool { return unicode.IsLetter(c) || unicode.IsNumber(c) }) < 0 {
		return "has no letter or digit"
	}
	if i := strings.IndexFunc(w, func(c rune) bool { return !keywordRune(c) }); i >= 0 {
		c, _ := utf8.DecodeRuneInString(w[i:])
		return "holds " + string(c) + ", which is no part of a word; use a regex for it"
	}
	if len(strings.FieldsFunc(w, wordGap)) > MaxKeywordWords {
		return "has too many words; use a regex for it"
	}
	return ""
}

func keywordRune(c rune) bool {
	return unicode.IsLetter(c) || unicode.IsNumber(c) || unicode.IsMark(c) || c == '_' || wordGap(c)
}

func wordGap(c rune) bool { return c == ' ' || c == '-' || c == '\'' || c == '’' }

func readRegex(o *object) string {
	expr := o.text("regex", MaxRegexChars)
	if _, err := regexp.Compile(expr); err != nil {
		o.r.add(o.at("regex"), "is no regular expression of RE2: %s", describeRegex(err))
		return ""
	}
	return expr
}

func describeRegex(err error) string {
	if parse := new(syntax.Error); errors.As(err, &parse) {
		return parse.Code.String() + " at " + parse.Expr
	}
	return err.Error()
}
