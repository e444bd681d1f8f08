package sim

import (
	"errors"
	"time"
)

// Batches is how batches of requests are worked off, in all APIs that have them. A batch has no goroutine: what is due by
// the clock happens before the next request to the server, whatever that asks for, and before the ledger is read.
type Batches struct {
	// Turnaround is the time from the creation of a batch to its end where nothing holds it up: a tenth goes by until work
	// begins, a tenth after it has ended. Default a minute, divided by Speed; no time with Instant.
	Turnaround time.Duration
	// Window is the time after which a batch expires. Default 24 hours, in Gemini's API 48.
	Window time.Duration
	// Kept is how long results and files can be had. Default: 29 days in Anthropic's API, 30 in OpenAI's, 48 hours in
	// Gemini's.
	Kept time.Duration
	// MaxLines and MaxBytes bound one batch. Default: the provider's own limits.
	MaxLines, MaxBytes int
	// EnqueuedTokens is the most prompt tokens that the unfinished batches of one model may have. Default: no limit.
	EnqueuedTokens int
	// Faults are shares of all lines, in thousandths, that meet a fault by chance: error answers, no_usage, line_missing and
	// line_twice.
	Faults map[Fault]int
}

// The limits of the providers, and what else their APIs say of batches.
const (
	anthropicMaxLines = 100_000
	anthropicMaxBytes = 256 << 20
	anthropicWindow   = 24 * time.Hour
	anthropicKept     = 29 * 24 * time.Hour

	openAIMaxLines  = 50_000
	openAIMaxBytes  = 200 << 20
	openAIMaxInputs = 50_000 // texts of all embeddings in a batch
	openAIWindow    = 24 * time.Hour
	openAIKept      = 30 * 24 * time.Hour

	geminiMaxLines  = 200_000 // the simulator's own: the API bounds bytes only
	geminiMaxInline = 20 << 20
	geminiMaxFile   = 2 << 30
	geminiWindow    = 48 * time.Hour
	geminiKept      = 48 * time.Hour

	// maxBatches is how many batches are remembered, maxStored how many bytes of files, both the simulator's own.
	maxBatches = 1_000
	maxStored  = 4 << 30
)

const defaultTurnaround = time.Minute

func (b Batches) withDefaults(instant bool, speed int) Batches {
	if b.Turnaround == 0 && !instant {
		b.Turnaround = defaultTurnaround / time.Duration(speed)
	}
	return b
}

func (b Batches) check() error {
	err := checkShares(b.Faults, Fault.meetsLine)
	if b.Turnaround < 0 || b.Window < 0 || b.Kept < 0 || b.MaxLines < 0 || b.MaxBytes < 0 || b.EnqueuedTokens < 0 {
		err = errors.Join(err, errors.New("the settings of batches must not be negative"))
	}
	return err
}
