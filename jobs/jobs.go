// Package jobs holds the arguments of weir's River jobs and the names of their queues, nothing else: ids only, because
// everything a job works on lives in weir's own tables.
package jobs

import (
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
)

// MaxAttempts is River's limit for every job of weir's. It is never meant to be reached: weir counts its own attempts,
// and a job that River gives up would strand its tasks until the sweep.
const MaxAttempts = 10_000

// ClassifyQueue is the queue of classify jobs.
const ClassifyQueue = "classify"

// Classify gives the queued tasks of an ingest batch their class and plan. Running it twice is harmless.
type Classify struct {
	Batch uuid.UUID `json:"batch"`
}

// Kind is River's name of the job.
func (Classify) Kind() string { return "weir_classify" }

// InsertOpts are the defaults of every classify job.
func (Classify) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: ClassifyQueue, MaxAttempts: MaxAttempts}
}

// Stage works a bundle: one attempt for each of its members. Running it twice is harmless.
type Stage struct {
	Bundle uuid.UUID `json:"bundle"`
}

// Kind is River's name of the job.
func (Stage) Kind() string { return "weir_stage" }

// StageOpts are the options of a bundle's job: one queue for each model, so that a slow one holds up no other.
func StageOpts(model string) *river.InsertOpts {
	return &river.InsertOpts{Queue: StageQueue(model), MaxAttempts: MaxAttempts}
}

// StageQueue is the queue of a model. River allows single separators between letters and digits only; two models whose
// names differ in nothing else share a queue, which costs them isolation and nothing more.
func StageQueue(model string) string {
	words := strings.FieldsFunc(strings.ToLower(model), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	return "stage-" + strings.Join(words, "-")
}

// InsertCooldown is the FetchCooldown of clients that insert. River notifies a queue's workers at most once in this time
// per client: a second job within it would wait for the next poll. A millisecond is River's least.
const InsertCooldown = time.Millisecond

// Retention of finished rows in River's table: weir's own tables are the record.
const (
	CompletedRetention = 15 * time.Minute
	DiscardedRetention = 24 * time.Hour
)
