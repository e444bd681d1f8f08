package validators

import (
	"encoding/json"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// exponentWeight is what a bound on a number with an exponent costs: a fraction of up to MaxExponent digits.
const exponentWeight = 100

// affordable tells whether validating an instance stays within the budget, and takes its work from it: the library takes
// no deadline, and a schema of a few lines can need years for an answer of a few bytes. Where the expansion times the
// size, which no validation exceeds, does not fit, it walks schema and instance together as validation does, without
// its shortcuts, and stops when the budget is spent.
func (s *schema) affordable(instance any, size int, budget *int) bool {
	if most := s.expansion * size; !s.recursive && most <= *budget {
		*budget -= most
		return true
	}
	w := &worker{schema: s, budget: *budget}
	w.visit(s.compiled, instance)
	*budget = w.budget
	return w.budget >= 0
}

// worker counts the evaluations of one validation.
type worker struct {
	schema *schema
	budget int
}

func (w *worker) spend(n int) bool {
	w.budget -= n
	return w.budget >= 0
}

func (w *worker) visit(s *jsonschema.Schema, instance any) {
	if !w.spend(1 + w.schema.compare[s]) {
		return
	}
	for _, part := range w.schema.inPlace[s] {
		w.visit(part, instance)
	}
	switch v := instance.(type) {
	case string:
		w.text(s, v)
	case json.Number:
		w.number(s, v)
	case []any:
		w.array(s, v)
	case map[string]any:
		w.object(s, v)
	}
}

func (w *worker) text(s *jsonschema.Schema, text string) {
	w.spend(len(text) / cheapLookups / cheapLookups)
	w.spend(patternWeight(s.Pattern) * len(text) / cheapLookups)
	if isRegexFormat(s) {
		w.spend(regexWeight * (1 + min(len(text), MaxPatternChars)))
	}
}

func (w *worker) number(s *jsonschema.Schema, n json.Number) {
	if hasExponent(n) {
		w.spend(exponentWeight)
	}
	if comparesNumbers(s) {
		w.spend(numberWeight)
	}
}

func (w *worker) array(s *jsonschema.Schema, items []any) {
	if s.UniqueItems {
		w.compare(items)
	}
	for i, item := range items {
		w.item(s, i, item)
		if w.budget < 0 {
			return
		}
	}
}

func (w *worker) item(s *jsonschema.Schema, i int, item any) {
	for _, part := range []*jsonschema.Schema{s.Contains, s.UnevaluatedItems} {
		if part != nil {
			w.visit(part, item)
		}
	}
	if i < len(s.PrefixItems) {
		w.visit(s.PrefixItems[i], item)
	} else if s.Items2020 != nil {
		w.visit(s.Items2020, item)
	}
	switch some := s.Items.(type) {
	case *jsonschema.Schema:
		w.visit(some, item)
	case []*jsonschema.Schema:
		if i < len(some) {
			w.visit(some[i], item)
		} else if rest, ok := s.AdditionalItems.(*jsonschema.Schema); ok {
			w.visit(rest, item)
		}
	}
}

func (w *worker) object(s *jsonschema.Schema, object map[string]any) {
	for name, value := range object {
		if w.budget < 0 {
			return
		}
		w.property(s, name, value)
	}
}

func (w *worker) property(s *jsonschema.Schema, name string, value any) {
	part, known := s.Properties[name]
	if known {
		w.visit(part, value)
	}
	for re, part := range s.PatternProperties {
		if !w.spend(1 + patternWeight(re)*len(name)/cheapLookups) {
			return
		}
		if re.MatchString(name) {
			known = true
			w.visit(part, value)
		}
	}
	if rest, ok := s.AdditionalProperties.(*jsonschema.Schema); ok && !known {
		w.visit(rest, value)
	}
	if s.PropertyNames != nil {
		w.visit(s.PropertyNames, name)
	}
	if s.UnevaluatedProperties != nil {
		w.visit(s.UnevaluatedProperties, value)
	}
}

// compare charges what uniqueItems reads: everything below, about twenty times.
func (w *worker) compare(value any) {
	if !w.spend(uniqueWeight) {
		return
	}
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			w.compare(item)
		}
	case map[string]any:
		for _, item := range v {
			w.compare(item)
		}
	case string:
		w.spend(len(v) / cheapLookups)
	case json.Number:
		if hasExponent(v) {
			w.spend(exponentWeight)
		}
	}
}
