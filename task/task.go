// Package task is weir's contract with its producers: what is published (Task), what comes back (Result) and what is
// reported later (Outcome), as Go types and as JSON. It holds no behaviour beyond decoding, checking and identity.
package task

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// Task is one piece of LLM work. A producer needs only ID, Feature and Input.
type Task struct {
	// ID is the producer's idempotency key, unique per tenant. The Nats-Msg-Id header is used when it is absent.
	ID string `json:"id,omitempty"`
	// Tenant is set from the subject weir.tasks.<tenant>.<feature>; a body that names another tenant is refused.
	Tenant string `json:"tenant,omitempty"`
	// Feature is the cost centre, defined in weir.yaml. The subject decides; a body that disagrees is refused.
	Feature string `json:"feature,omitempty"`
	// CallPath names the place in the producer's code that asks, for finer reports.
	CallPath string `json:"call_path,omitempty"`
	// Input is the variable text of the task. Input, Messages or Attachments are needed.
	Input string `json:"input,omitempty"`
	// Messages is a conversation; Input, if also given, follows it as the last user message.
	Messages []Message `json:"messages,omitempty"`
	// Context is stable text that precedes the input, best first: what many tasks share can be cached by the provider.
	Context []string `json:"context,omitempty"`
	// Tools are functions that the model may call.
	Tools []Tool `json:"tools,omitempty"`
	// Attachments are images and PDFs by reference. They stand before the text of the last user message.
	Attachments []Attachment `json:"attachments,omitempty"`
	// Class is L1, L2 or L3 when the producer knows it; classification is skipped then.
	Class Class `json:"class,omitempty"`
	// Lane is now, batch or auto (the default).
	Lane Lane `json:"lane,omitempty"`
	// Deadline is the latest useful time of a result; an unfinished task expires then.
	Deadline *time.Time `json:"deadline,omitempty"`
	// MaxCostUSD is a ceiling for all attempts of the task together, as a decimal string.
	MaxCostUSD *Pico `json:"max_cost_usd,omitempty"`
	// MaxOutputTokens limits one answer; the feature's limit applies when it is absent or higher.
	MaxOutputTokens int `json:"max_output_tokens,omitempty"`
	// Priority orders tasks inside a feature: 1 (first) to 4, default 2.
	Priority int `json:"priority,omitempty"`
	// Batch is a label to follow, fetch, cancel and re-run tasks by.
	Batch string `json:"batch,omitempty"`
	// Metadata is returned with the result, untouched.
	Metadata map[string]string `json:"metadata,omitempty"`
	// Traceparent is the W3C trace context of the producer.
	Traceparent string `json:"traceparent,omitempty"`
}

// Message is one turn of a conversation.
type Message struct {
	// Role is user or assistant.
	Role string `json:"role"`
	// Content is the text of the turn.
	Content string `json:"content"`
}

// Tool is a function that a model may call.
type Tool struct {
	// Name is the function's name: letters, digits, _ and -.
	Name string `json:"name"`
	// Description tells the model when to call it.
	Description string `json:"description,omitempty"`
	// Parameters is the JSON Schema of the arguments.
	Parameters json.RawMessage `json:"parameters,omitempty"`
}

// Attachment is a file by reference: an image or a PDF.
type Attachment struct {
	// URL is where the file is: https://host/path, or object:bucket/name for NATS's object store.
	URL string `json:"url"`
	// MediaType is the file's type: image/png, image/jpeg, image/webp, image/gif or application/pdf.
	MediaType string `json:"media_type"`
	// SHA256 is the file's digest in lower-case hex. A file with another one is refused.
	SHA256 string `json:"sha256,omitempty"`
}

// Result is the one answer to a task.
type Result struct {
	// ResultID is the result's identity: the same for every delivery of this result.
	ResultID uuid.UUID `json:"result_id"`
	// TaskID is weir's id of the task.
	TaskID uuid.UUID `json:"task_id"`
	// ID is the producer's idempotency key.
	ID string `json:"id"`
	// Tenant is the tenant of the subject that the task was published on.
	Tenant string `json:"tenant"`
	// Feature is the cost centre.
	Feature string `json:"feature"`
	// Status is how the task ended.
	Status Status `json:"status"`
	// Reason says in words why the task did not succeed.
	Reason string `json:"reason,omitempty"`
	// Class is the class that the task was given.
	Class Class `json:"class,omitempty"`
	// Model is the model whose answer was accepted.
	Model string `json:"model,omitempty"`
	// Output is the accepted answer.
	Output string `json:"output,omitempty"`
	// ToolCalls are the function calls of the accepted answer.
	ToolCalls []ToolCall `json:"tool_calls,omitempty"`
	// Attempts is the number of provider calls that counted.
	Attempts int `json:"attempts"`
	// CostUSD is the known cost of all attempts.
	CostUSD Pico `json:"cost_usd"`
	// CostHighUSD is above CostUSD when a call's cost is not known exactly: the cost lies between the two.
	CostHighUSD Pico `json:"cost_high_usd"`
	// Batch is the task's label.
	Batch string `json:"batch,omitempty"`
	// Metadata is the task's own.
	Metadata map[string]string `json:"metadata,omitempty"`
	// Traceparent is the task's own.
	Traceparent string `json:"traceparent,omitempty"`
	// AcceptedAt is when weir took the task.
	AcceptedAt time.Time `json:"accepted_at"`
	// FinishedAt is when the task ended.
	FinishedAt time.Time `json:"finished_at"`
}

// ToolCall is one function call in a model's answer.
type ToolCall struct {
	// Name is the function's name.
	Name string `json:"name"`
	// Arguments is the JSON object of arguments as the model wrote it.
	Arguments string `json:"arguments"`
}

// Outcome is the business success of a task, reported by the producer when it is known, days later if need be. The
// last one wins.
type Outcome struct {
	// TaskID names the task by weir's id. Either TaskID or ID is needed.
	TaskID *uuid.UUID `json:"task_id,omitempty"`
	// ID names the task by the producer's idempotency key.
	ID string `json:"id,omitempty"`
	// Success is true when the result was useful to the business.
	Success bool `json:"success"`
	// ValueUSD is what the result was worth, as a decimal string.
	ValueUSD *Pico `json:"value_usd,omitempty"`
	// Reason says why, in the producer's words.
	Reason string `json:"reason,omitempty"`
	// At is when it was known; the time of publishing when absent.
	At *time.Time `json:"at,omitempty"`
}

// Class is the reasoning that a task requires.
type Class string

// The three classes.
const (
	L1 Class = "L1" // mechanical: no reasoning, a finite set of answers or a change of format
	L2 Class = "L2" // compositional: a few steps over given data
	L3 Class = "L3" // expert: multi-step reasoning, long context, many tools
)

// Lane is how soon a task has to be worked.
type Lane string

// The lanes. Auto is resolved by the planner and never stored as a task's lane.
const (
	LaneNow   Lane = "now"
	LaneBatch Lane = "batch"
	LaneAuto  Lane = "auto"
)

// Status is how a task ended.
type Status string

// The terminal states of a task.
const (
	Succeeded Status = "succeeded"
	Failed    Status = "failed"
	Expired   Status = "expired"
	Cancelled Status = "cancelled"
	Refused   Status = "refused"
)

// Usage is what a provider metered for one attempt: disjoint classes of tokens, except Reasoning, which is a part of
// Output, and what is not metered in tokens: Characters and WebSearches. A nil *Usage means unknown, which is never the
// same as zero.
type Usage struct {
	Input         int64 `json:"input"` // neither read from nor written to a cache
	CacheRead     int64 `json:"cache_read,omitempty"`
	CacheWrite5m  int64 `json:"cache_write_5m,omitempty"`
	CacheWrite30m int64 `json:"cache_write_30m,omitempty"`
	CacheWrite1h  int64 `json:"cache_write_1h,omitempty"`
	CacheWrite12h int64 `json:"cache_write_12h,omitempty"`
	InputAudio    int64 `json:"input_audio,omitempty"`
	InputImage    int64 `json:"input_image,omitempty"`
	Output        int64 `json:"output"` // includes Reasoning, excludes OutputAudio
	Reasoning     int64 `json:"reasoning,omitempty"`
	OutputAudio   int64 `json:"output_audio,omitempty"`
	WebSearches   int64 `json:"web_searches,omitempty"`
	Characters    int64 `json:"characters,omitempty"` // of a text that was translated, in Unicode code points
}

// Prompt is the total of prompt tokens, cached and written ones included: the figure that chooses a price band.
func (u Usage) Prompt() int64 {
	return u.Input + u.CacheRead + u.CacheWrite5m + u.CacheWrite30m + u.CacheWrite1h + u.CacheWrite12h +
		u.InputAudio + u.InputImage
}
