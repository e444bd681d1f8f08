package validators

import (
	"errors"
	"fmt"
	"strings"

	"github.com/weirhq/weir/task"
)

// toolCallsParams are the parameters of tool_calls.
type toolCallsParams struct {
	// Min and Max bound the number of calls, both inclusive. Defaults 1 and MaxToolCalls.
	Min *int `json:"min"`
	Max *int `json:"max"`
}

// toolCalls accepts answers whose function calls name tools of the task, with arguments that are a JSON object and fit
// the tool's parameters.
type toolCalls struct {
	min, max int
	schemas  *schemaCache
}

func newToolCalls(p toolCallsParams) (check, error) {
	t := &toolCalls{min: 1, max: MaxToolCalls, schemas: newSchemaCache(MaxToolSchemas)}
	if p.Min != nil {
		t.min = *p.Min
	}
	if p.Max != nil {
		t.max = *p.Max
	}
	switch {
	case t.min < 0 || t.max < 0:
		return nil, errors.New(`parameters "min" and "max" must not be negative`)
	case t.max > MaxToolCalls:
		return nil, fmt.Errorf(`parameter "max" is above %d`, MaxToolCalls)
	case t.min > t.max:
		return nil, errors.New(`parameter "min" is above "max"`)
	}
	return t, nil
}

// CheckTools reports every tool whose parameters are no JSON Schema within the limits, and every name that is given
// twice. Answers to a task with such tools cannot be judged by tool_calls.
func CheckTools(tools []task.Tool) error {
	var mistakes []error
	seen := make(map[string]bool, len(tools))
	for _, tool := range tools {
		if seen[tool.Name] {
			mistakes = append(mistakes, fmt.Errorf("tool %s is given twice", quote(tool.Name)))
		}
		seen[tool.Name] = true
		if len(tool.Parameters) == 0 {
			continue
		}
		if _, err := compileSchema(tool.Parameters); err != nil {
			mistakes = append(mistakes, fmt.Errorf("tool %s: %w", quote(tool.Name), err))
		}
	}
	return errors.Join(mistakes...)
}

func (t *toolCalls) judge(s *subject) (string, error) {
	if s.answer.Task == nil {
		return "", errNoTask
	}
	calls := s.answer.ToolCalls
	if len(calls) < t.min {
		return fmt.Sprintf("the answer has %d tool calls, fewer than %d", len(calls), t.min), nil
	}
	if len(calls) > t.max {
		return fmt.Sprintf("the answer has %d tool calls, more than %d", len(calls), t.max), nil
	}
	for i, call := range calls {
		reason, err := t.judgeCall(s, call)
		if err != nil {
			return "", err
		}
		if reason != "" {
			return fmt.Sprintf("tool call %d (%s) %s", i+1, quote(call.Name), reason), nil
		}
	}
	return "", nil
}

func (t *toolCalls) judgeCall(s *subject, call task.ToolCall) (string, error) {
	tool := findTool(s.answer.Task.Tools, call.Name)
	if tool == nil {
		return "names no tool of the task", nil
	}
	text := call.Arguments
	if strings.TrimSpace(text) == "" {
		text = "{}" // some servers leave the arguments of a function without parameters empty
	}
	arguments, reason := readJSON(text)
	if reason != "" {
		return "has arguments that are wrong: the text " + reason, nil
	}
	if _, ok := arguments.(map[string]any); !ok {
		return "has arguments that are " + kindOf(arguments) + ", not an object", nil
	}
	if len(tool.Parameters) == 0 {
		return "", nil
	}
	compiled, err := t.schemas.get(tool.Parameters)
	if err != nil {
		return "", fmt.Errorf("tool %s: %w", quote(tool.Name), err)
	}
	reason, err = compiled.reject(arguments, len(text), &s.schemaWork)
	if reason == "" || err != nil {
		return "", err
	}
	return "has arguments whose value " + reason, nil
}

func findTool(tools []task.Tool, name string) *task.Tool {
	for i := range tools {
		if tools[i].Name == name {
			return &tools[i]
		}
	}
	return nil
}
