package catalog

import (
	"time"

	"github.com/weirhq/weir/task"
)

// The defaults of keys that weir.yaml leaves out.
const (
	DefaultConnectTimeout  = 10 * time.Second
	DefaultTimeout         = 120 * time.Second
	DefaultIdleTimeout     = 60 * time.Second
	DefaultConcurrency     = 32
	DefaultMaxBodyBytes    = 8 * mebibyte
	DefaultMaxOutputTokens = 1024
	DefaultMaxAttempts     = 8
	DefaultRetention       = 30 * day
	DefaultWeight          = 1
	DefaultConfidence      = 0.8
	DefaultClass           = task.L2
	DefaultBundleTasks     = 200
	DefaultBundleBytes     = 16 * mebibyte
	DefaultBundleWindow    = 5 * time.Minute
	DefaultPayloadBytes    = 1 * mebibyte
	DefaultEnvelopeTasks   = 500
	DefaultDepth           = 32
	DefaultNumberChars     = 64
	DefaultAttachments     = 8
	DefaultFetchTimeout    = 30 * time.Second

	DefaultEmbedConcurrency = 4
)

// The bounds of weir.yaml itself.
const (
	// MaxConfigBytes is the largest file that Parse reads.
	MaxConfigBytes = 1 * mebibyte
	// MaxConfigDepth is the deepest nesting of mappings and lists, which an output schema needs most of.
	MaxConfigDepth = 64
	// MaxNameChars is the longest name; a name is one token of a NATS subject and may become a River queue's name.
	MaxNameChars = 64
	// MaxMistakes is the most mistakes that one error of Parse names.
	MaxMistakes = 100
	// MaxRules is the most classifier rules.
	MaxRules = 200
	// MaxKeywords is the most keywords of one rule.
	MaxKeywords = 1000
	// MaxKeywordChars is the longest keyword, and MaxKeywordWords the most words in it.
	MaxKeywordChars = 100
	MaxKeywordWords = 8
	// MaxRegexChars is the longest regular expression.
	MaxRegexChars = 1000
)

const (
	kibibyte = 1 << 10
	mebibyte = 1 << 20
	day      = 24 * time.Hour

	minTimeout = time.Millisecond // tests use short ones
	maxTimeout = time.Hour

	maxConcurrency  = 10_000
	minBodyBytes    = kibibyte
	maxBodyBytes    = 256 * mebibyte
	maxTokens       = 100_000_000
	maxPerMinute    = 1_000_000_000_000
	maxOutputTokens = 1_000_000
	maxAttempts     = 100
	maxUSD          = 1_000_000 * task.USD // far above any task, and sums of many stay inside an int64
	minRetention    = time.Hour
	maxRetention    = 3650 * day
	maxWeight       = 1000
	maxTemperature  = 2
	minAgree        = 2
	maxAgree        = 5
	minThinking     = 128 // the least that any API takes
	maxChars        = 100_000_000
	maxTools        = 1000
	maxMessages     = 10_000
	maxIDChars      = 200
	maxKeyChars     = 200
	maxPathBytes    = 1000
	maxKeyEnvChars  = 128
	maxURLChars     = 2000
	maxVersionChars = 30
	maxHeaders      = 20

	maxDimensions = 65_536
	maxInputs     = 100_000

	maxBundleTasks   = 1000
	minBundleBytes   = kibibyte
	maxBundleBytes   = 256 * mebibyte
	minBundleWindow  = 10 * time.Millisecond
	maxBundleWindow  = time.Hour
	maxReleasedTasks = 1_000_000

	minPayloadBytes  = kibibyte
	maxPayloadBytes  = 8 * mebibyte // the largest NATS message that weir's own server takes
	maxEnvelopeTasks = 1000
	maxDepth         = 128
	maxNumberChars   = 1000

	minAttachmentBytes = kibibyte
	maxAttachmentBytes = 36 * mebibyte // as base64 what the most generous provider takes, 48 MiB
	maxFetchTimeout    = 5 * time.Minute
)
