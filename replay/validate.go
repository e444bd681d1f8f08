package replay

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/weirhq/weir/cascade"
	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/validators"
)

// kind is what a prompt asks for. It is read off the prompt, as a feature's configuration would say it.
type kind int

const (
	// kindText is anything else: valid when it is not empty.
	kindText kind = iota
	// kindCalls are function calls, where the prompt offers functions.
	kindCalls
	// kindChoice is a letter out of a list.
	kindChoice
	// kindCode is a Python function.
	kindCode
)

// codePattern is what an answer that holds a Python function has: its head.
const codePattern = `(?m)^[ \t]*(async )?def \w+[ \t]*\(`

// checker judges recorded answers by weir's validators and brings them into canonical form. It belongs to one goroutine.
type checker struct {
	allowEmpty []string
	chains     map[string]*validators.Chain
	option     *regexp.Regexp
	asksCode   *regexp.Regexp
}

func newChecker(allowEmpty []string) *checker {
	return &checker{
		allowEmpty: allowEmpty,
		chains:     map[string]*validators.Chain{},
		option:     regexp.MustCompile(`(?m)^\(?([A-J])[).:]\s`),
		asksCode:   regexp.MustCompile(`(?i)^write a (python )?function\b`),
	}
}

// kind also names the letters that a choice is among.
func (c *checker) kind(row *Row) (asked kind, letters string) {
	if len(row.Functions) > 0 {
		return kindCalls, ""
	}
	if c.asksCode.MatchString(strings.TrimSpace(row.Prompt)) {
		return kindCode, ""
	}
	// An example's list may come first: the last one begins with its A.
	for _, found := range c.option.FindAllStringSubmatch(row.Prompt, -1) {
		if found[1] == "A" {
			letters = ""
		}
		letters += found[1]
	}
	if len(letters) > 1 && strings.HasPrefix("ABCDEFGHIJ", letters) {
		return kindChoice, letters
	}
	return kindText, ""
}

// reply is what the validators make of an answer of a model, and its canonical form. An answer whose text was not recorded
// is taken for valid: nothing is known against it.
func (c *checker) reply(row *Row, model string, answer *Answer) (cascade.Reply, error) {
	if answer.Text == nil {
		return cascade.Reply{Valid: true}, nil
	}
	asked, letters := c.kind(row)
	judged := &validators.Answer{Output: *answer.Text, Task: &task.Task{Input: row.Prompt}}
	var specs []catalog.Validator
	var value string
	switch asked {
	case kindCalls:
		specs = c.calls(row, model, judged)
		value = cascade.CanonicalCalls(judged.ToolCalls)
	case kindChoice:
		specs = choice(letters)
		value = cascade.CanonicalChoice(*answer.Text, letters)
	case kindCode:
		specs = []catalog.Validator{spec("regex", map[string]any{"pattern": codePattern, "match": "partial"})}
	case kindText:
		value = cascade.CanonicalNumber(*answer.Text)
		if value == "" {
			value = cascade.CanonicalLabel(*answer.Text)
		}
	}
	chain, err := c.chain(specs)
	if err != nil {
		return cascade.Reply{}, err
	}
	verdict, err := chain.Validate(judged)
	if err != nil {
		return cascade.Reply{}, fmt.Errorf("row %s, model %s: %w", row.ID, model, err)
	}
	return cascade.Reply{Valid: verdict.Accepted, Value: value}, nil
}

// calls reads an answer's function calls and says what they have to be. Entries whose name ends in -FC and gemini were told
// names without dots. The java and javascript prompts declare types of those languages, which no JSON value has.
func (c *checker) calls(row *Row, model string, judged *validators.Answer) []catalog.Validator {
	underscore := strings.HasSuffix(model, "-FC") || strings.HasPrefix(model, "gemini")
	typed := row.Task != "java" && row.Task != "javascript"
	judged.Task.Tools = tools(row.Functions, typed, underscore)
	calls, err := readCalls(judged.Output)
	if err == nil {
		judged.ToolCalls = calls
	}
	least := 1
	if slices.Contains(c.allowEmpty, row.Task) {
		least = 0
	}
	return []catalog.Validator{spec("tool_calls", map[string]any{"min": least})}
}

func choice(letters string) []catalog.Validator {
	return []catalog.Validator{spec("enum", map[string]any{
		"values": strings.Split(letters, ""), "trim": true, "strip_punctuation": true, "case_fold": true,
	})}
}

func spec(name string, params map[string]any) catalog.Validator {
	raw, err := json.Marshal(params)
	if err != nil { // cannot happen: texts, numbers and lists of texts
		raw = nil
	}
	return catalog.Validator{Type: name, Params: raw}
}

func (c *checker) chain(specs []catalog.Validator) (*validators.Chain, error) {
	var name strings.Builder
	for _, s := range specs {
		name.WriteString(s.Type + string(s.Params))
	}
	key := name.String()
	if chain := c.chains[key]; chain != nil {
		return chain, nil
	}
	chain, err := validators.Compile(specs, nil)
	if err != nil {
		return nil, fmt.Errorf("validators of recorded answers: %w", err)
	}
	c.chains[key] = chain
	return chain, nil
}
