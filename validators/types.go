package validators

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/weirhq/weir/catalog"
)

// Description is what there is to know about a registered type without its parameters.
type Description struct {
	// Name is the type's name in weir.yaml.
	Name string
	// Version rises when a type judges any answer differently than before.
	Version int
	// Text says in one line what the type accepts.
	Text string
}

// registered is one type of validator.
type registered struct {
	version int
	text    string
	build   func(json.RawMessage) (check, error)
}

// registry is every type by its name.
func registry() map[string]registered {
	return map[string]registered{
		allowEmptyName:    {1, "an empty answer is accepted at once", build(plain(allowEmpty))},
		"checksum":        {1, "check digits (luhn, iban, isbn, ean) or the task's SHA-256", build(newChecksum)},
		"enum":            {1, "one of a finite set of texts", build(newEnum)},
		"forbidden_text":  {1, "none of the texts occurs", build(newForbiddenText)},
		"grounded":        {1, "the fields occur in what the task gave the model", build(newGrounded)},
		"json":            {1, "one well-formed JSON value without duplicate keys", build(newJSON)},
		"json_schema":     {1, "JSON that fits a schema", build(newJSONSchema)},
		"language_script": {1, "enough of the letters are of the scripts", build(newLanguageScript)},
		"length":          {1, "a bounded number of characters, words, tokens or items", build(newLength)},
		"no_refusal":      {1, "not refused, and not worded as a refusal", build(newNoRefusal)},
		"no_refusal_stop": {1, "not refused by the model or a content filter", build(plain(noRefusalStop))},
		"not_empty":       {1, "at least one visible character or a tool call", build(plain(notEmpty))},
		"not_truncated":   {1, "not stopped at the output limit", build(plain(notTruncated))},
		"number":          {1, "a number in a range, a whole number, the sum of its items", build(newNumber)},
		"regex":           {1, "a match of a regular expression (RE2)", build(newRegex)},
		"required_text":   {1, "all or any of the texts occur", build(newRequiredText)},
		"tool_calls":      {1, "calls of the task's tools with arguments that fit", build(newToolCalls)},
	}
}

// plain is the constructor of a check that takes no parameters.
func plain(f checkFunc) func(none) (check, error) {
	return func(none) (check, error) { return f, nil }
}

// Types are the names of the registered types, sorted.
func Types() []string { return slices.Sorted(maps.Keys(registry())) }

// Describe describes every registered type, sorted by name.
func Describe() []Description {
	types := registry()
	described := make([]Description, 0, len(types))
	for _, name := range slices.Sorted(maps.Keys(types)) {
		described = append(described, Description{Name: name, Version: types[name].version, Text: types[name].text})
	}
	return described
}

// New makes one validator. The error joins every mistake of its parameters.
func New(spec catalog.Validator) (Validator, error) {
	v, err := newNamed(spec)
	if err != nil {
		return nil, err
	}
	return v, nil
}

func newNamed(spec catalog.Validator) (*named, error) {
	known, ok := registry()[spec.Type]
	if !ok {
		return nil, fmt.Errorf("unknown type %q", spec.Type)
	}
	c, err := known.build(spec.Params)
	if err != nil {
		return nil, err
	}
	return &named{name: spec.Type, version: known.version, check: c}, nil
}
