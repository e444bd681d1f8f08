package openai

import (
	"encoding/json"
	"slices"
)

// maxStrictDepth is the deepest schema that is looked through; the API's own limit is lower.
const maxStrictDepth = 32

// Strict says whether a schema is one that the API takes in strict mode: an object at the root, every object closed and
// with all its properties required, and no keyword outside the supported subset. A schema that is not is sent all the
// same, as a hint; the validators check the answer in either case.
func Strict(schema json.RawMessage) bool {
	var root map[string]json.RawMessage
	if json.Unmarshal(schema, &root) != nil || root["anyOf"] != nil {
		return false
	}
	return string(root["type"]) == `"object"` && strictNode(schema, 0)
}

func strictNode(raw json.RawMessage, depth int) bool {
	var node map[string]json.RawMessage
	if depth > maxStrictDepth || json.Unmarshal(raw, &node) != nil || node == nil {
		return false
	}
	for keyword, value := range node {
		if !strictKeyword(keyword, value, depth) {
			return false
		}
	}
	return !isObject(node) || closed(node)
}

func strictKeyword(keyword string, value json.RawMessage, depth int) bool {
	switch keyword {
	case "properties", "$defs", "definitions":
		var nodes map[string]json.RawMessage
		if json.Unmarshal(value, &nodes) != nil {
			return false
		}
		for _, node := range nodes {
			if !strictNode(node, depth+1) {
				return false
			}
		}
		return true
	case "anyOf":
		var nodes []json.RawMessage
		return json.Unmarshal(value, &nodes) == nil &&
			!slices.ContainsFunc(nodes, func(node json.RawMessage) bool { return !strictNode(node, depth+1) })
	case "items":
		return strictNode(value, depth+1)
	case "type", "required", "additionalProperties", "enum", "const", "$ref", "$schema", "title", "description",
		"pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
		"minItems", "maxItems":
		return true
	}
	return false
}

func isObject(node map[string]json.RawMessage) bool {
	if node["properties"] != nil {
		return true
	}
	var one string
	var many []string
	_ = json.Unmarshal(node["type"], &one)  // type is a name
	_ = json.Unmarshal(node["type"], &many) // or a list of names
	return one == "object" || slices.Contains(many, "object")
}

func closed(node map[string]json.RawMessage) bool {
	var properties map[string]json.RawMessage
	var required []string
	if string(node["additionalProperties"]) != "false" || json.Unmarshal(node["properties"], &properties) != nil {
		return false
	}
	if node["required"] != nil && json.Unmarshal(node["required"], &required) != nil {
		return false
	}
	for name := range properties {
		if !slices.Contains(required, name) {
			return false
		}
	}
	return true
}
