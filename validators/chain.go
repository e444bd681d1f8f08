package validators

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/weirhq/weir/catalog"
)

// Chain is the validators of one feature in their order. It is safe for concurrent use.
type Chain struct {
	validators []*named
}

// Compile builds the chain of a feature: not_truncated and no_refusal_stop, then not_empty (or allow_empty in its place,
// where specs name it), then json_schema when there is a schema, then the specs in their order. The error joins every
// mistake, each with the position, from 1, and the type of its validator.
func Compile(specs []catalog.Validator, schema json.RawMessage) (*Chain, error) {
	chain := &Chain{}
	err := chain.imply(specs, schema)
	mistakes := []error{err}
	for i, spec := range specs {
		v, err := newNamed(spec)
		for _, mistake := range split(err) {
			mistakes = append(mistakes, fmt.Errorf("validator %d (%s): %w", i+1, spec.Type, mistake))
		}
		if spec.Type != allowEmptyName { // it stands at the front already
			chain.validators = append(chain.validators, v)
		}
	}
	if err := errors.Join(mistakes...); err != nil {
		return nil, err
	}
	return chain, nil
}

// imply appends the validators that come before the configured ones.
func (c *Chain) imply(specs []catalog.Validator, schema json.RawMessage) error {
	types := registry()
	has := func(name string) bool {
		return slices.ContainsFunc(specs, func(s catalog.Validator) bool { return s.Type == name })
	}
	c.append("not_truncated", types, checkFunc(notTruncated))
	c.append("no_refusal_stop", types, checkFunc(noRefusalStop))
	var mistakes []error
	if has(allowEmptyName) {
		c.append(allowEmptyName, types, checkFunc(allowEmpty))
		if has("not_empty") {
			mistakes = append(mistakes, errors.New("not_empty and allow_empty exclude each other"))
		}
	} else {
		c.append("not_empty", types, checkFunc(notEmpty))
	}
	if len(schema) > 0 {
		fits, err := newJSONSchema(jsonSchemaParams{Schema: schema})
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("output schema: %w", err))
		}
		c.append("json_schema", types, fits)
	}
	return errors.Join(mistakes...)
}

func (c *Chain) append(name string, types map[string]registered, check check) {
	c.validators = append(c.validators, &named{name: name, version: types[name].version, check: check})
}

// split takes apart what errors.Join put together.
func split(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, split(e)...)
	}
	return all
}

// Validate judges an answer. The first rejection decides; an accepted answer has the verdict of the last validator. An
// error means that a validator broke or that the task lacks what it needs, and says nothing about the answer.
func (c *Chain) Validate(a *Answer) (Verdict, error) {
	if a == nil {
		return Verdict{}, errNoAnswer
	}
	s := newSubject(a)
	verdict := Verdict{Accepted: true}
	for _, v := range c.validators {
		var err error
		if verdict, err = v.run(s); err != nil || !verdict.Accepted {
			return verdict, err
		}
		if v.name == allowEmptyName && s.empty() {
			return verdict, nil
		}
	}
	return verdict, nil
}

// Names are the chain's validators in order, each as name@version.
func (c *Chain) Names() []string {
	names := make([]string, 0, len(c.validators))
	for _, v := range c.validators {
		names = append(names, v.label())
	}
	return names
}
