package validators

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemaURL is the address of every schema. The private scheme keeps relative references inside the schema: without one
// they resolve to files of the working directory.
const schemaURL = "weir:///schema.json"

// errOutside is why a schema that points out of itself does not compile.
var errOutside = errors.New("a schema may refer only to itself")

// denyLoader refuses every document. The library's default reads file:// references, and shows what it read in its
// error texts. The drafts' own metaschemas are built in and need no loader.
type denyLoader struct{}

func (denyLoader) Load(string) (any, error) { return nil, errOutside }

// schema is a compiled JSON Schema whose cost is known.
type schema struct {
	compiled *jsonschema.Schema
	// inPlace are the parts that judge the same place of an instance as the one that holds them.
	inPlace map[*jsonschema.Schema][]*jsonschema.Schema
	// compare is what comparing with enum and const costs.
	compare map[*jsonschema.Schema]int
	// expansion is the weight of all evaluations that one place of an instance can take.
	expansion int
	// recursive says that a schema contains itself, so that its cost depends on the instance alone.
	recursive bool
}

// compileSchema compiles a JSON Schema (draft 2020-12 unless $schema names an older one) with format as an assertion.
// The error says in words which limit or rule it breaks.
func compileSchema(raw json.RawMessage) (compiled *schema, err error) {
	defer func() {
		if p := recover(); p != nil {
			compiled, err = nil, fmt.Errorf("the schema does not compile: panic: %s", panicText(p))
		}
	}()
	doc, err := parseJSON(string(raw), schemaLimits())
	if err != nil {
		return nil, fmt.Errorf("the schema %w", err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(denyLoader{})
	c.UseRegexpEngine(func(expr string) (jsonschema.Regexp, error) { return compilePattern(expr) })
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, fmt.Errorf("the schema does not compile: %w", err)
	}
	root, err := c.Compile(schemaURL)
	if err != nil {
		return nil, fmt.Errorf("the schema does not compile: %w", schemaError(err))
	}
	return measure(root)
}

// schemaError shortens what the library says: its text grows with the schema.
func schemaError(err error) error {
	if errors.Is(err, errOutside) {
		return errOutside
	}
	if invalid, ok := errors.AsType[*jsonschema.SchemaValidationError](err); ok {
		if wrong, ok := errors.AsType[*jsonschema.ValidationError](invalid.Err); ok {
			return errors.New(explain(wrong))
		}
	}
	return errors.New(clip(err.Error(), MaxReason))
}

// reject validates an instance and says in words why it is not valid; empty means that it is. size is the length of the
// instance's text. The work is taken from the budget, which starts as MaxSchemaWork.
func (s *schema) reject(instance any, size int, budget *int) (string, error) {
	if !s.affordable(instance, size, budget) {
		return fmt.Sprintf("takes more than %d evaluations of its schema to check", MaxSchemaWork), nil
	}
	err := s.compiled.Validate(instance)
	if err == nil {
		return "", nil
	}
	wrong, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return "", fmt.Errorf("validate: %w", err)
	}
	return "does not fit its schema: " + explain(wrong), nil
}
