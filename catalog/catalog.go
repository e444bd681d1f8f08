// Package catalog is weir.yaml: which providers, models, cascades and features there are. It parses strictly, reports
// every mistake at once and holds no secrets: a provider names the environment variable of its key.
package catalog

import (
	"encoding/json"
	"time"

	"github.com/weirhq/weir/task"
)

// Catalog is a checked weir.yaml. All names in it resolve; maps are never nil.
type Catalog struct {
	// Hash is the SHA-256 of the parsed configuration in hex, stored on every plan and attempt. Comments, the order of keys,
	// formatting and defaults that are written out do not change it.
	Hash string
	// Providers by name.
	Providers map[string]Provider
	// Models by weir's own name for them.
	Models map[string]Model
	// Cascades are the model names to try for each class, cheapest first; a class without one is absent.
	Cascades map[task.Class][]string
	// Features by name.
	Features map[string]Feature
	// Classifier decides the class of tasks of features without a fixed one.
	Classifier Classifier
	// Embedders by name.
	Embedders map[string]Embedder
	// Lanes are the two ways of working.
	Lanes Lanes
	// Limits bound what is accepted.
	Limits Limits
	// Attachments bound the files that tasks bring.
	Attachments Attachments
	// PriceBook are prices of one's own, by the price book's provider.
	PriceBook map[string]Prices
}

// The wire formats that a provider's API may name.
const (
	APIAnthropic = "anthropic" // Messages
	APIOpenAI    = "openai"    // Chat Completions, which many other servers speak too
	APIResponses = "openai-responses"
	APIGemini    = "gemini" // generateContent of the Gemini Developer API

	APIVoyage = "voyage" // embeddings, and nothing else

	APIDeepL          = "deepl"          // a translation service, which takes a text and no prompt
	APILibreTranslate = "libretranslate" // another, also of servers with NLLB
)

// Provider is one account at one endpoint.
type Provider struct {
	Name string
	// API is the wire format: anthropic, openai, openai-responses, gemini, voyage, deepl or libretranslate.
	API string
	// BaseURL is the endpoint without the method's path; the API's public endpoint when empty.
	BaseURL string
	// KeyEnv names the environment variable that holds the key; empty means that no key is sent.
	KeyEnv string
	// Dialect is which of the servers that speak Chat Completions this one is. Default: that of the base URL's host where
	// it is unmistakable, else compatible. Empty for every other API.
	Dialect string
	// APIVersion is the version of Azure's API that names deployments in its path; empty takes the one that does not.
	APIVersion string
	// HeadersEnv names, by the canonical name of a header, the environment variable with the value that is sent in it.
	HeadersEnv map[string]string
	// Prices names the price book's provider. Default: the one behind the API and the dialect.
	Prices string
	// ConnectTimeout bounds dialling and TLS. Default 10 s.
	ConnectTimeout time.Duration
	// Timeout bounds one call as a whole. Default 120 s.
	Timeout time.Duration
	// IdleTimeout bounds the wait for the next byte of an answer. Default 60 s.
	IdleTimeout time.Duration
	// Concurrency is the most calls in flight from one process. Default 32.
	Concurrency int
	// MaxBodyBytes bounds a decompressed answer. Default 8 MiB.
	MaxBodyBytes int64
	// AllowPrivate permits base URLs on loopback and private networks and plain http.
	AllowPrivate bool
	// CountTokens has the provider asked how many tokens a prompt has where the plan hangs on it.
	CountTokens bool
	// RateLimits are the account's limits by name, shared by all processes. Never nil.
	RateLimits map[string]RateLimit
}

// RateLimit is what an account may call, over all processes together; 0 means no limit.
type RateLimit struct {
	Name string
	// Models share the limit; nil means all of the provider's.
	Models []string
	// Requests, InputTokens and OutputTokens are by the minute.
	Requests     int64
	InputTokens  int64
	OutputTokens int64
	// Tokens is by the minute, input and output together, as some providers count.
	Tokens int64
	// Calls is the most calls in flight.
	Calls int
}

// Tier is a model's price class.
type Tier string

// The tiers, cheapest first.
const (
	Mini     Tier = "mini"
	Mid      Tier = "mid"
	Flagship Tier = "flagship"
)

// Model is one model at one provider.
type Model struct {
	Name string
	// Provider is the name of the model's provider.
	Provider string
	// ID is the provider's name for the model.
	ID string
	// PriceModel is the price book's name for the model. Default: the ID.
	PriceModel string
	// Tier is the model's price class.
	Tier Tier
	// MaxInput is the input limit in tokens, of a translation service's model in characters; 0 takes the price book's.
	MaxInput int64
	// MaxOutput is the output limit in tokens; 0 takes the price book's.
	MaxOutput int64
	// Sideways are models of equal price tier to fall back to when this one is down.
	Sideways []string
	// JSONSchema overrides whether the model takes a schema for structured output; nil takes the price book's flag.
	JSONSchema *bool
	// Effort is how hard the model is to think, one of the words of its API; empty says nothing.
	Effort string
	// ThinkingTokens is a budget for thinking at models that take a number; 0 says nothing.
	ThinkingTokens int
	// ServiceTier is the tier that is asked for, one of the words of its API; empty says nothing. The tier that the reply
	// names decides the price.
	ServiceTier string
	// Input is what the model reads beside text; nil takes the price book's flags.
	Input []Input
}

// Success says what makes a task of a feature useful.
type Success string

// The two ways.
const (
	SuccessValidated Success = "validated" // an accepted answer is a success
	SuccessOutcome   Success = "outcome"   // only a reported outcome is
)

// Policy is what follows a refusal by a model or a content filter.
type Policy string

// The refusal policies.
const (
	RefusalEscalate Policy = "escalate"
	RefusalSideways Policy = "sideways"
	RefusalFail     Policy = "fail"
)

// Away is what a feature does while a model is away: its provider is down, limits its calls for long, or has refused the
// account.
type Away string

// The ways. Sideways and wait cost nothing more.
const (
	AwaySideways Away = "sideways" // a model of equal tier, where there is one; else wait
	AwayEscalate Away = "escalate" // the next, dearer stage where no model of equal tier is left
	AwayWait     Away = "wait"     // wait for the model
)

// Cache says for how long a provider is to keep a feature's stable prefix: its tools, system prompt, context and examples.
type Cache string

// The cache policies.
const (
	CacheAuto Cache = "auto" // as the model has it: five minutes where a prefix has to be marked
	CacheNone Cache = "none" // nothing is written, and no write is paid
	Cache5m   Cache = "5m"
	Cache30m  Cache = "30m"
	Cache1h   Cache = "1h"
	Cache12h  Cache = "12h"
)

// Example is an input with the answer that is wanted for it.
type Example struct {
	Input  string
	Output string
}

// Feature is one cost centre.
type Feature struct {
	Name string
	// System is the system prompt.
	System string
	// Context is stable text that precedes every input.
	Context []string
	// Examples are shown to the model as turns of a conversation, after the context and before every input.
	Examples []Example
	// OutputSchema is the JSON Schema of the answer in canonical form, its keys sorted; a json_schema validator for it is
	// implied. Nil means plain text.
	OutputSchema json.RawMessage
	// Validators run in order after the implied ones; the first rejection decides.
	Validators []Validator
	// Class is the fixed class; empty means that the classifier decides.
	Class task.Class
	// Cascade overrides the class's cascade; nil means the class's.
	Cascade []string
	// Lane is the lane of tasks that say auto. Default now.
	Lane task.Lane
	// MaxOutputTokens limits one answer. Default 1,024.
	MaxOutputTokens int
	// MaxAttempts limits the counted attempts of one task over its whole cascade. Default 8.
	MaxAttempts int
	// MaxCost is the default ceiling of one task's cost; nil means none.
	MaxCost *task.Pico
	// Success says what counts as useful. Default validated.
	Success Success
	// FailureCost is what a task without success costs the business.
	FailureCost task.Pico
	// Retention is how long texts are kept. Default 30 days.
	Retention time.Duration
	// RepairHint gives the next model the validator's complaint. Default false.
	RepairHint bool
	// Cache is the policy of prompt caching. Default auto. A model that does not have the lifetime takes the next shorter one
	// that it has, or else its shortest; one without a rate for writes is not asked for any.
	Cache Cache
	// Effort overrides the effort of every model of the feature's cascade; empty keeps the models'.
	Effort string
	// Temperature is sent to the models that take one; nil says nothing.
	Temperature *float64
	// MinSuccess is the share of tasks, 0 to 1, that must be expected to end with a good answer: plans then leave models out
	// where that is expected to cost less, by the pass rates of the call path. nil keeps to the cascade as it is.
	MinSuccess *float64
	// Agree is how many models of the cascade before the last must give the same answer for it to be accepted, 2 or more.
	// They are asked one after another; where they cannot agree any more, the last one decides. 0 accepts a valid answer of
	// any of them.
	Agree int
	// ShadowShare is the share of accepted answers of models before the last that is held against the next model's, asked in
	// shadow, 0 to 1. Default 0.
	ShadowShare float64
	// Refusal is what follows a refusal. Default escalate.
	Refusal Policy
	// WhenAway is what follows while a model is away. Default sideways.
	WhenAway Away
	// Translate says into what translation services of the cascade translate; nil means that there is none in it. What
	// they are sent is a task's input alone, without system and context.
	Translate *Translate
	// Weight is the feature's share in dispatch. Default 1.
	Weight int
	// CallTimeout bounds one call and overrides the provider's; 0 keeps the provider's.
	CallTimeout time.Duration
}

// Validator is one configured validator.
type Validator struct {
	// Type is the validator's registered name, such as enum.
	Type string
	// Params are its parameters as a canonical JSON object; {} when there are none.
	Params json.RawMessage
}

// Classifier is the configuration of classification. Rules run in order; the first that matches decides.
type Classifier struct {
	Rules []Rule
	// Default is the safe class of tasks that no rule knows. Default L2.
	Default task.Class
	// Order is the ways to a class after the task's own and the feature's; the first that is sure decides. Default
	// DefaultOrder.
	Order []string
	// InJobs leaves every task to a classify job instead of planning it while it is taken in. Default false.
	InJobs bool
}

// Rule gives a class to the tasks that meet all of its conditions.
type Rule struct {
	Name  string
	Class task.Class
	// Confidence is stored with the decision, 0 to 1. Default 0.8.
	Confidence float64
	// Features limits the rule to these features; empty means all.
	Features []string
	// CallPaths limits the rule to these call paths; empty means all.
	CallPaths []string
	// Validators limits the rule to features with one of these validator types, such as enum; empty means all.
	Validators []string
	// Keywords matches when one of them occurs as a word or phrase in a message or the input, without regard to case.
	Keywords []string
	// Regex matches a message or the input (RE2), each by itself.
	Regex string
	// MinChars and MaxChars bound the length of the task's own text (context, messages and input) in characters; 0 means
	// no bound. What the feature adds to every prompt is not counted, as it says nothing about one task.
	MinChars int
	MaxChars int
	// MinTools is the least number of tools.
	MinTools int
	// MinMessages is the least number of messages.
	MinMessages int
	// HasSchema asks for a feature with (true) or without (false) an output schema.
	HasSchema *bool
	// HasAttachments asks for a task with (true) or without (false) attachments.
	HasAttachments *bool
}

// Lanes are the lanes' settings.
type Lanes struct {
	Now   Lane
	Batch Lane
}

// Lane bounds how work of a lane is bundled.
type Lane struct {
	// BundleTasks is the most tasks in one bundle. Default 200.
	BundleTasks int
	// BundleBytes is the most payload bytes in one bundle. Default 16 MiB.
	BundleBytes int64
	// BundleWindow is how long a bundle may start new calls. Default 5 minutes.
	BundleWindow time.Duration
	// ReleasedTasks is the most tasks of one model that are released to River at once, over all processes; 0 means
	// twice the provider's concurrency and at least 400.
	ReleasedTasks int
}

// Limits bound what is accepted from producers.
type Limits struct {
	// PayloadBytes is the most bytes of one task. Default 1 MiB.
	PayloadBytes int
	// EnvelopeTasks is the most tasks in one message. Default 500.
	EnvelopeTasks int
	// Depth is the deepest nesting of JSON. Default 32.
	Depth int
	// NumberChars is the longest number literal. Default 64.
	NumberChars int
}
