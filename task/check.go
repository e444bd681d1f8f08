package task

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The limits of a task's fields. Lengths are in characters (Unicode code points).
const (
	MaxIDChars            = 200
	MaxLabelChars         = 200 // call_path, batch
	MaxContextBlocks      = 64
	MaxMessages           = 1_000
	MaxTools              = 128
	MaxToolChars          = 64 // of a tool's name
	MaxAttachments        = 32
	MaxURLChars           = 2_048 // of an attachment's
	MaxMetadataEntries    = 64
	MaxMetadataKeyChars   = 64
	MaxMetadataValueChars = 1_024
	MaxOutputTokens       = 10_000_000
	LowestPriority        = 4
	DefaultPriority       = 2
	MaxOutcomeReasonChars = 2_000
	RoleUser              = "user"
	RoleAssistant         = "assistant"
)

// Check tells every mistake in a task's values as one *RefusedError, nil when there is none. It is for tasks that are
// complete: decoded and bound to their subject, or built by a producer.
func (t *Task) Check() error {
	c := &checker{}
	c.names(t)
	c.prompt(t)
	c.tools(t.Tools)
	c.routing(t)
	c.metadata(t.Metadata)
	if t.Traceparent != "" && !validTraceparent(t.Traceparent) {
		c.add(CodeInvalidValue, "traceparent is not in the W3C format 00-<32 hex>-<16 hex>-<2 hex>")
	}
	return c.err()
}

// Check tells every mistake in an outcome's values as one *RefusedError, nil when there is none.
func (o *Outcome) Check() error {
	c := &checker{}
	if o.TaskID == nil && o.ID == "" {
		c.add(CodeMissingField, "task_id or id is missing")
	}
	if o.ID != "" {
		if wrong := checkID(o.ID); wrong != "" {
			c.add(CodeInvalidValue, "id %s", wrong)
		}
	}
	c.atMost("reason", o.Reason, MaxOutcomeReasonChars)
	c.text("reason", o.Reason)
	if o.At != nil && o.At.IsZero() {
		c.add(CodeInvalidValue, "at is the zero time")
	}
	return c.err()
}

type checker struct{ mistakes }

func (c *checker) names(t *Task) {
	if wrong := checkID(t.ID); wrong != "" {
		c.add(codeOf(t.ID), "id %s", wrong)
	}
	if t.Tenant != "" {
		c.token("tenant", t.Tenant)
	}
	if t.Feature == "" {
		c.add(CodeMissingField, "feature is missing")
	} else {
		c.token("feature", t.Feature)
	}
	c.label("call_path", t.CallPath)
	c.label("batch", t.Batch)
}

// codeOf distinguishes a value that is absent from one that is wrong.
func codeOf(value string) Code {
	if value == "" {
		return CodeMissingField
	}
	return CodeInvalidValue
}

func (c *checker) token(field, value string) {
	if err := checkToken(field, value); err != nil {
		c.add(CodeInvalidValue, "%s", err)
	}
}

func (c *checker) label(field, value string) {
	c.atMost(field, value, MaxLabelChars)
	c.text(field, value)
	if strings.ContainsFunc(value, unicode.IsControl) {
		c.add(CodeInvalidValue, "%s holds a control character", field)
	}
}

func (c *checker) atMost(field, value string, limit int) {
	if utf8.RuneCountInString(value) > limit {
		c.add(CodeInvalidValue, "%s is longer than %d characters", field, limit)
	}
}

// text refuses what Postgres or JSON cannot carry. Decoded tasks have passed this; those that a producer builds have not.
func (c *checker) text(field, value string) {
	if strings.IndexByte(value, 0) >= 0 {
		c.add(CodeInvalidText, "%s holds a NUL character", field)
	}
	if !utf8.ValidString(value) {
		c.add(CodeInvalidText, "%s is not valid UTF-8", field)
	}
}

func (c *checker) prompt(t *Task) {
	if t.Input == "" && len(t.Messages) == 0 && len(t.Attachments) == 0 {
		c.add(CodeMissingField, "input is missing: a task needs input, messages or attachments")
	}
	if t.Input != "" {
		c.filled("input", t.Input)
	}
	if len(t.Context) > MaxContextBlocks {
		c.add(CodeInvalidValue, "context has more than %d blocks", MaxContextBlocks)
	}
	for i, block := range t.Context {
		c.filled(fmt.Sprintf("context[%d]", i), block)
	}
	c.messages(t)
	c.attachments(t.Attachments)
}

// filled refuses text without a visible character: providers answer it with an error.
func (c *checker) filled(field, value string) {
	if strings.TrimSpace(value) == "" {
		c.add(CodeInvalidValue, "%s is blank", field)
	}
	c.text(field, value)
}

func (c *checker) messages(t *Task) {
	if len(t.Messages) == 0 {
		return
	}
	if len(t.Messages) > MaxMessages {
		c.add(CodeInvalidValue, "messages has more than %d turns", MaxMessages)
	}
	for i, m := range t.Messages {
		if m.Role != RoleUser && m.Role != RoleAssistant {
			c.add(CodeInvalidValue, "messages[%d].role must be user or assistant", i)
		}
		c.filled(fmt.Sprintf("messages[%d].content", i), m.Content)
	}
	if t.Messages[0].Role == RoleAssistant {
		c.add(CodeInvalidValue, "messages must begin with a user's turn")
	}
	if last := len(t.Messages) - 1; t.Input == "" && t.Messages[last].Role == RoleAssistant {
		c.add(CodeInvalidValue, "messages must end with a user's turn, or input must follow them")
	}
}

func (c *checker) tools(tools []Tool) {
	if len(tools) > MaxTools {
		c.add(CodeInvalidValue, "tools has more than %d entries", MaxTools)
	}
	for i, tool := range tools {
		if !validToken(tool.Name, MaxToolChars) {
			c.add(codeOf(tool.Name), "tools[%d].name must be 1 to %d letters, digits, _ or -", i, MaxToolChars)
		}
		c.text(fmt.Sprintf("tools[%d].description", i), tool.Description)
		if p := bytes.TrimSpace(tool.Parameters); tool.Parameters != nil && !bytes.HasPrefix(p, []byte("{")) {
			c.add(CodeInvalidValue, "tools[%d].parameters must be a JSON object", i)
		} else if tool.Parameters != nil && !json.Valid(tool.Parameters) {
			c.add(CodeInvalidJSON, "tools[%d].parameters is not valid JSON", i)
		}
	}
}

func (c *checker) routing(t *Task) {
	switch t.Class {
	case "", L1, L2, L3:
	default:
		c.add(CodeInvalidValue, "class must be L1, L2 or L3")
	}
	switch t.Lane {
	case "", LaneNow, LaneBatch, LaneAuto:
	default:
		c.add(CodeInvalidValue, "lane must be now, batch or auto")
	}
	if t.Priority < 0 || t.Priority > LowestPriority {
		c.add(CodeInvalidValue, "priority must be from 1 (first) to %d", LowestPriority)
	}
	if t.MaxOutputTokens < 0 || t.MaxOutputTokens > MaxOutputTokens {
		c.add(CodeInvalidValue, "max_output_tokens must be from 1 to %d", MaxOutputTokens)
	}
	if t.MaxCostUSD != nil && *t.MaxCostUSD <= 0 {
		c.add(CodeInvalidValue, "max_cost_usd must be above 0")
	}
	if t.Deadline != nil && t.Deadline.IsZero() {
		c.add(CodeInvalidValue, "deadline is the zero time")
	}
}

func (c *checker) metadata(metadata map[string]string) {
	if len(metadata) > MaxMetadataEntries {
		c.add(CodeInvalidValue, "metadata has more than %d entries", MaxMetadataEntries)
		return
	}
	for key, value := range metadata {
		field := "metadata." + short(key)
		if key == "" || utf8.RuneCountInString(key) > MaxMetadataKeyChars {
			c.add(CodeInvalidValue, "%s: a key has 1 to %d characters", field, MaxMetadataKeyChars)
		}
		c.text(field, key)
		c.atMost(field, value, MaxMetadataValueChars)
		c.text(field, value)
	}
}
