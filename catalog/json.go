package catalog

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// canonicalJSON turns a mapping of free form, such as a JSON Schema, into JSON with sorted keys and no spare spaces.
// Without some keys it is what remains after the caller has read those. It is nil when a value has no JSON form.
func canonicalJSON(n *yaml.Node, path string, r *report, without ...string) json.RawMessage {
	before := len(r.mistakes)
	tree := jsonObject(n, path, r)
	for _, key := range without {
		delete(tree, key)
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false) // a pattern is easier to read in the database as it was written
	if err := encoder.Encode(tree); err != nil {
		r.add(path, "has no JSON form: %s", err)
	}
	if len(r.mistakes) > before {
		return nil
	}
	return bytes.TrimSpace(out.Bytes())
}

func jsonObject(n *yaml.Node, path string, r *report) map[string]any {
	o := readObject(n, path, r)
	tree := make(map[string]any, len(o.keys))
	for _, key := range o.keys {
		tree[key] = jsonValue(o.get(key), o.at(key), r)
	}
	return tree
}

func jsonValue(n *yaml.Node, path string, r *report) any {
	switch {
	case n.Kind == yaml.MappingNode:
		return jsonObject(n, path, r)
	case n.Kind == yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = jsonValue(item, index(path, i), r)
		}
		return list
	case isText(n):
		return n.Value
	case isNull(n):
		return nil
	}
	if value, ok := boolOf(n); ok {
		return value
	}
	number, ok := jsonNumber(n.Value)
	if !ok {
		r.addAt(n.Line, path, "is %s; write a number in plain decimal, or put it in quotes if it is text", shown(n))
		return nil
	}
	return number
}

// jsonNumber gives numbers that mean the same one spelling: 1.50 becomes 1.5. Whole numbers keep all their digits.
func jsonNumber(literal string) (json.Number, bool) {
	if !json.Valid([]byte(literal)) {
		return "", false
	}
	if literal != "-0" && !strings.ContainsAny(literal, ".eE") {
		return json.Number(literal), true
	}
	value, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		return "", false
	}
	spelled, err := json.Marshal(value + 0)
	return json.Number(spelled), err == nil
}
