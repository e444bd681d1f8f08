// Package providers is what weir asks of a model provider: one HTTP request is one attempt, its bytes are counted before
// it leaves and its usage is kept as it came. One package per wire format implements it; nothing here retries.
package providers

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/task"
)

// Provider turns calls into requests of one wire format. Implementations are safe for concurrent use and pass the
// conformance suite in providertest.
type Provider interface {
	// Prepare encodes a call. The same call gives the same bytes.
	Prepare(Call) (Request, error)
	// Do sends a request once and reads the answer whole. Every error is a *CallError; a Reply may come with it when the
	// answer was metered although it cannot be used.
	Do(context.Context, Request) (Reply, error)
}

// TokenCounter is a Provider whose API tells for nothing how many tokens the prompt of a call has. It is the provider's own
// estimate of what it would bill: no usage, and never booked as one.
type TokenCounter interface {
	// PrepareCount encodes the question about a call, with the same prompt as Prepare. Every error wraps ErrCall.
	PrepareCount(Call) (Request, error)
	// Count asks once, in a few seconds at most. Every error is a *CallError.
	Count(context.Context, Request) (int64, error)
}

// Call is one question to one model, independent of any wire format.
type Call struct {
	// AttemptID goes along as the client's request id.
	AttemptID uuid.UUID
	// Model is the provider's name of the model.
	Model string
	// System, Context and Tools are stable: they are put first and byte for byte, so that a prompt cache can match.
	System  string
	Context []string
	Tools   []task.Tool
	// StableContext is how many of Context belong to every call of the feature: the prefix that Cache is about ends with
	// them, or with the examples when there are any. The others are the task's own; there are none beside examples.
	StableContext int
	// Examples are turns of user and assistant that every call of the feature has before its own messages: pairs, and the
	// last part of the stable prefix.
	Examples []task.Message
	// Cache asks the provider to keep the stable prefix.
	Cache Cache
	// CacheKey is the same for calls with the same stable prefix, for APIs that route by it; empty sends none.
	CacheKey string
	// Messages is the variable part, ending with a user's turn.
	Messages []task.Message
	// Attachments are files that stand before the text of the last message. That text may be empty then.
	Attachments []Attachment
	// Schema asks for structured output where JSONSchema says that the model takes it.
	Schema     json.RawMessage
	JSONSchema bool
	// MaxOutputTokens is mandatory for a model: a call without it has no bounded cost.
	MaxOutputTokens int
	// Effort is how hard the model is to think, in the API's own word; empty says nothing.
	Effort string
	// ThinkingTokens is a budget for thinking; 0 says nothing. An API without budgets ignores it.
	ThinkingTokens int
	// Temperature is nil where nothing is said.
	Temperature *float64
	// ServiceTier is the tier that is asked for; empty says nothing.
	ServiceTier string
	// Translate asks a translation service for the translation of the one message, and for nothing else; see
	// CheckTranslation. It is nil in calls of models, whose system prompt says what to do.
	Translate *Translate
	// Timeout overrides the provider's total timeout when it is above 0.
	Timeout time.Duration
	// Tenant, Feature and TaskID say whose call it is. Gateways that keep such labels beside a request are told; they are
	// never part of the prompt.
	Tenant  string
	Feature string
	TaskID  uuid.UUID
}

// Translate is what a translation service is told beside the text.
type Translate struct {
	// Source is the language of the text, such as de; empty lets the service find out.
	Source string
	// Target is the language to translate into, such as en or pt-BR.
	Target string
	// Formality is DeepL's: less, more, prefer_less or prefer_more; empty is the service's default.
	Formality string
	// Glossary is the service's id of a glossary, empty for none.
	Glossary string
}

// Attachment is an image or a PDF with its content, which must not be changed.
type Attachment struct {
	// MediaType is one of task.MediaTypes.
	MediaType string
	Data      []byte
}

// Cache is for how long a provider is asked to keep the stable prefix of a call.
type Cache string

// The ways to ask. A wire format takes those that its API has, see Lifetimes, and ignores the others.
const (
	CacheUnasked Cache = ""     // nothing is said: what the provider does by itself
	CacheNone    Cache = "none" // nothing is to be written, where the provider writes unasked and bills it
	Cache5m      Cache = "5m"   // marked for five minutes
	Cache30m     Cache = "30m"  // marked for half an hour
	Cache1h      Cache = "1h"   // marked for an hour
	Cache12h     Cache = "12h"  // marked for twelve hours
)

// Marks says that the end of the stable prefix is to be marked.
func (c Cache) Marks() bool { return c != CacheUnasked && c != CacheNone }

// Lifetime is how long a marked prefix is kept after it was last used; 0 where nothing is marked.
func (c Cache) Lifetime() time.Duration {
	switch c {
	case Cache5m:
		return 5 * time.Minute
	case Cache30m:
		return 30 * time.Minute
	case Cache1h:
		return time.Hour
	case Cache12h:
		return 12 * time.Hour
	case CacheUnasked, CacheNone:
	}
	return 0
}

// Lifetimes are the marks that an API takes, shortest first; none for an API whose cache takes no word.
func Lifetimes(api string) []Cache {
	switch api {
	case catalog.APIAnthropic:
		return []Cache{Cache5m, Cache1h}
	case catalog.APIOpenAI:
		return []Cache{Cache30m}
	case catalog.APIResponses:
		return []Cache{Cache30m, Cache12h}
	}
	return nil
}

// Request is an encoded call.
type Request struct {
	AttemptID uuid.UUID
	Model     string
	// Path follows the endpoint's own path and needs no escaping; empty where all calls are posted to the same URL.
	Path string
	// Header is sent with this request only, beside what every request has. It holds nothing secret.
	Header  map[string]string
	Body    []byte
	Timeout time.Duration
	// Characters are the Unicode code points of the text that is sent to a translation service, and 0 for a model: what is
	// paid by the character costs this much and no more.
	Characters int64
}

// StopReason is why a model stopped, in one vocabulary for all providers.
type StopReason string

// The stop reasons.
const (
	StopEnd       StopReason = "end"
	StopTools     StopReason = "tool_use"
	StopMaxTokens StopReason = "max_tokens"
	StopContext   StopReason = "context_window"
	StopRefusal   StopReason = "refusal"
	StopFilter    StopReason = "content_filter"
	StopOther     StopReason = "other"
)

// Reply is a provider's answer.
type Reply struct {
	Output    string
	ToolCalls []task.ToolCall
	// Model is the model that answered, in the provider's words.
	Model string
	Stop  StopReason
	// RawStop is the provider's own word.
	RawStop string
	// Usage is nil when the answer carries none or one that contradicts itself.
	Usage *task.Usage
	// RawUsage is the usage object's own bytes, nil when there is none.
	RawUsage json.RawMessage
	// ServiceTier, Speed and Geo decide the price when the provider names them.
	ServiceTier string
	Speed       string
	Geo         string
	// RequestID is the provider's id of the request, for support.
	RequestID string
	// RateLimits are what the provider says of its limits.
	RateLimits RateLimits
	// ReportedCost is what the provider says that it billed, nil when it does not say. It stands beside the cost that
	// follows from the usage, and is never taken for it.
	ReportedCost *task.Pico
}

// CallError is a call that brought no usable answer.
type CallError struct {
	Class task.FailureClass
	// Status is the HTTP status, 0 when there was none.
	Status int
	// RetryAfter is the wait that the provider asked for, 0 when it named none.
	RetryAfter time.Duration
	RateLimits RateLimits
	RequestID  string
	// Message is safe to store and to show: it holds no key and at most 500 characters of the provider's words.
	Message string
	Err     error
}

func (e *CallError) Error() string {
	if e.Status == 0 {
		return fmt.Sprintf("%s: %s", e.Class, e.Message)
	}
	return fmt.Sprintf("%s (HTTP %d): %s", e.Class, e.Status, e.Message)
}

func (e *CallError) Unwrap() error { return e.Err }
