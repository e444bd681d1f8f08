package replay

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/weirhq/weir/task"
)

// Function is a function that a prompt offers, as its recording describes it: nearly a JSON Schema, with the type names of
// the programming language that it was written for.
type Function struct {
	Name       string          `json:"name"`
	Parameters json.RawMessage `json:"parameters"`
}

// underscored is a function's name as providers that allow no dots are told it.
func underscored(name string) string { return strings.ReplaceAll(name, ".", "_") }

// tools are the functions as a task of weir's offers them: each parameter with the JSON type that the function declares,
// where typed, none beside them. A description that repeats a name is left out: the first stands.
func tools(functions []Function, typed, underscore bool) []task.Tool {
	var all []task.Tool
	for _, f := range functions {
		name := f.Name
		if underscore {
			name = underscored(name)
		}
		if slices.ContainsFunc(all, func(t task.Tool) bool { return t.Name == name }) {
			continue
		}
		all = append(all, task.Tool{Name: name, Parameters: f.schema(typed)})
	}
	return all
}

// parameters are a function's parameters as they are described.
type parameters struct {
	Properties map[string]json.RawMessage `json:"properties"`
	Required   []string                   `json:"required"`
}

// parameter is one of them.
type parameter struct {
	Type json.RawMessage   `json:"type"`
	Enum []json.RawMessage `json:"enum"`
}

// schema is the JSON Schema of a function's arguments. What its description has beyond names, types and allowed values
// is left out, since it follows no standard.
func (f Function) schema(typed bool) json.RawMessage {
	var described parameters
	if len(f.Parameters) == 0 || json.Unmarshal(f.Parameters, &described) != nil {
		return nil
	}
	properties := map[string]any{}
	for name, raw := range described.Properties {
		var p parameter
		_ = json.Unmarshal(raw, &p) // a parameter without a readable description takes anything
		properties[name] = p.schema(typed)
	}
	schema := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(described.Required) > 0 {
		schema["required"] = described.Required
	}
	raw, err := json.Marshal(schema)
	if err != nil { // cannot happen: all of it came out of JSON
		return nil
	}
	return raw
}

func (p parameter) schema(typed bool) any {
	schema := map[string]any{}
	if name := p.jsonType(); typed && name != "" {
		schema["type"] = name
	}
	if len(p.Enum) > 0 && typed {
		if schema["type"] == "array" { // then the values are those of its items
			schema["items"] = map[string]any{"enum": p.Enum}
			return schema
		}
		schema["enum"] = p.Enum
	}
	return schema
}

// jsonType is the JSON type of a declared one; empty for those that say nothing.
func (p parameter) jsonType() string {
	var declared string
	if json.Unmarshal(p.Type, &declared) != nil {
		return ""
	}
	switch declared {
	case "string", "integer", "boolean", "array", "object":
		return declared
	case "dict":
		return "object"
	case "float", "number":
		return "number"
	case "tuple", "list":
		return "array"
	}
	return ""
}
