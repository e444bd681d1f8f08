package validators

import (
	"encoding/json"
	"errors"
)

// jsonSchemaParams are the parameters of json_schema.
type jsonSchemaParams struct {
	// Schema is the JSON Schema of the answer.
	Schema json.RawMessage `json:"schema"`
}

// jsonSchema accepts answers that fit a JSON Schema. An answer of tool calls without text has nothing to fit it yet and
// is accepted when its task has tools.
type jsonSchema struct{ schema *schema }

func newJSONSchema(p jsonSchemaParams) (check, error) {
	if len(p.Schema) == 0 {
		return nil, errors.New(`parameter "schema" is missing`)
	}
	compiled, err := compileSchema(p.Schema)
	if err != nil {
		return nil, err
	}
	return jsonSchema{schema: compiled}, nil
}

func (j jsonSchema) judge(s *subject) (string, error) {
	if s.onlyCalls() {
		return "", nil
	}
	doc, reason := s.document()
	if reason != "" {
		return reason, nil
	}
	reason, err := j.schema.reject(doc, len(s.text), &s.schemaWork)
	if reason == "" || err != nil {
		return "", err
	}
	return "the answer " + reason, nil
}

// onlyCalls tells whether the answer is a turn of tool calls that its task asked for.
func (s *subject) onlyCalls() bool {
	return len(s.answer.ToolCalls) > 0 && s.text == "" && s.answer.Task != nil && len(s.answer.Task.Tools) > 0
}
