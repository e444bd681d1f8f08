package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"github.com/google/uuid"
	"github.com/invopop/jsonschema"

	"github.com/weirhq/weir/task"
)

// Patterns that mean the same in RE2 and in the regular expressions of ECMA-262.
const (
	patternAmount      = `^-?[0-9]+(\.[0-9]{1,12})?$`
	patternPositive    = `^[0-9]+(\.[0-9]{1,12})?$`
	patternZero        = `^[0.]*$`
	patternName        = `^[A-Za-z0-9_-]+$`
	patternNoControl   = `^[^\x00-\x1f\x7f-\x9f]+$`
	patternVisible     = `\S`
	patternTraceparent = `^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`
	patternNoTrace     = `^ff|-0{32}-|-0{16}-`
	maxAmountChars     = 32
)

// mapType gives the schemas of types that reflection would get wrong, nil for all others.
func mapType(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[task.Pico]():
		return &jsonschema.Schema{Type: "string", Pattern: patternAmount, MaxLength: ptr(maxAmountChars)}
	case reflect.TypeFor[uuid.UUID]():
		return &jsonschema.Schema{Type: "string", Format: "uuid"}
	case reflect.TypeFor[json.RawMessage]():
		return &jsonschema.Schema{Type: "object"}
	case reflect.TypeFor[task.Class]():
		return oneOf(task.L1, task.L2, task.L3)
	case reflect.TypeFor[task.Lane]():
		return oneOf(task.LaneNow, task.LaneBatch, task.LaneAuto)
	case reflect.TypeFor[task.Status]():
		return oneOf(task.Succeeded, task.Failed, task.Expired, task.Cancelled, task.Refused)
	}
	return nil
}

func oneOf[T ~string](values ...T) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, v := range values {
		s.Enum = append(s.Enum, string(v))
	}
	return s
}

// constrain adds to the schema of the named type what Check looks at.
func constrain(typeName string, s *jsonschema.Schema) error {
	rules := map[string]map[string]func(*jsonschema.Schema){
		"Task":    taskRules(),
		"Message": {"role": enum(task.RoleUser, task.RoleAssistant), "content": visible},
		"Tool":    {"name": all(pattern(patternName), chars(1, task.MaxToolChars))},
		"Attachment": {
			"url":        all(pattern(task.PatternAttachmentURL), chars(1, task.MaxURLChars)),
			"media_type": enum(task.MediaTypes()...),
			"sha256":     pattern(task.PatternSHA256),
		},
		"Outcome":  {"id": name(task.MaxIDChars), "reason": chars(0, task.MaxOutcomeReasonChars)},
		"Envelope": {"tasks": members},
		"Result": {
			"attempts": atLeast(0), "cost_usd": pattern(patternPositive), "cost_high_usd": pattern(patternPositive),
		},
	}[typeName]
	for _, field := range slices.Sorted(maps.Keys(rules)) {
		property, ok := s.Properties.Get(field)
		if !ok {
			return fmt.Errorf("type %s has no field %s", typeName, field)
		}
		rules[field](property)
	}
	switch typeName {
	case "Task":
		filled := jsonschema.NewProperties()
		filled.Set("messages", &jsonschema.Schema{MinItems: ptr(1)})
		attached := jsonschema.NewProperties()
		attached.Set("attachments", &jsonschema.Schema{MinItems: ptr(1)})
		s.AnyOf = []*jsonschema.Schema{
			{Required: []string{"input"}},
			{Required: []string{"messages"}, Properties: filled},
			{Required: []string{"attachments"}, Properties: attached},
		}
	case "Outcome":
		s.AnyOf = []*jsonschema.Schema{{Required: []string{"task_id"}}, {Required: []string{"id"}}}
	}
	return nil
}

func taskRules() map[string]func(*jsonschema.Schema) {
	return map[string]func(*jsonschema.Schema){
		"id":                name(task.MaxIDChars),
		"tenant":            all(pattern(patternName), chars(1, task.MaxTokenChars)),
		"feature":           all(pattern(patternName), chars(1, task.MaxTokenChars)),
		"call_path":         name(task.MaxLabelChars),
		"input":             visible,
		"messages":          items(task.MaxMessages),
		"context":           all(items(task.MaxContextBlocks), func(s *jsonschema.Schema) { visible(s.Items) }),
		"tools":             items(task.MaxTools),
		"attachments":       items(task.MaxAttachments),
		"lane":              standard(task.LaneAuto),
		"max_cost_usd":      all(pattern(patternPositive), not(patternZero)),
		"max_output_tokens": all(atLeast(1), atMost(task.MaxOutputTokens)),
		"priority":          all(atLeast(1), atMost(task.LowestPriority), standard(task.DefaultPriority)),
		"batch":             name(task.MaxLabelChars),
		"metadata":          metadata,
		"traceparent":       all(pattern(patternTraceparent), not(patternNoTrace)),
	}
}

func all(rules ...func(*jsonschema.Schema)) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) {
		for _, rule := range rules {
			rule(s)
		}
	}
}

func name(limit int) func(*jsonschema.Schema) { return all(pattern(patternNoControl), chars(1, limit)) }

func visible(s *jsonschema.Schema) { s.Pattern = patternVisible }

func pattern(p string) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) { s.Pattern = p }
}

func not(p string) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) { s.Not = &jsonschema.Schema{Pattern: p} }
}

func chars(least, most int) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) {
		if least > 0 {
			s.MinLength = ptr(least)
		}
		s.MaxLength = ptr(most)
	}
}

func items(most int) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) { s.MaxItems = ptr(most) }
}

func atLeast(n int) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) { s.Minimum = json.Number(strconv.Itoa(n)) }
}

func atMost(n int) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) { s.Maximum = json.Number(strconv.Itoa(n)) }
}

func standard(value any) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) { s.Default = value }
}

func enum(values ...string) func(*jsonschema.Schema) {
	return func(s *jsonschema.Schema) { s.Enum = oneOf(values...).Enum }
}

func metadata(s *jsonschema.Schema) {
	s.MaxProperties = ptr(task.MaxMetadataEntries)
	s.PropertyNames = &jsonschema.Schema{MinLength: ptr(1), MaxLength: ptr(task.MaxMetadataKeyChars)}
	s.AdditionalProperties.MaxLength = ptr(task.MaxMetadataValueChars)
}

// members asks for an id, which a task alone in its message may take from the header.
func members(s *jsonschema.Schema) {
	s.MinItems, s.MaxItems = ptr(1), ptr(task.DefaultEnvelopeTasks)
	s.Items.Required = []string{"id"}
}

func ptr(n int) *uint64 {
	u := uint64(n) //nolint:gosec // all callers pass constants from 0 up
	return &u
}
