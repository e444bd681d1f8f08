package replay

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/weirhq/weir/task"
)

// errNoCalls is why a text is not read as function calls.
var errNoCalls = errors.New("is no list of function calls")

// readCalls reads a recorded text as function calls: a JSON list of objects with name and arguments, or a list of calls
// in Python's syntax, whose arguments are literals by keyword. An empty list has no calls and is no error.
func readCalls(text string) ([]task.ToolCall, error) {
	text = strings.TrimSpace(text)
	var listed []struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&listed); err == nil && decoder.InputOffset() == int64(len(text)) && text != "null" {
		calls := make([]task.ToolCall, 0, len(listed))
		for _, call := range listed {
			if call.Name == "" || len(call.Arguments) == 0 {
				return nil, errNoCalls
			}
			calls = append(calls, task.ToolCall{Name: call.Name, Arguments: string(call.Arguments)})
		}
		return calls, nil
	}
	return readPython(text)
}
