// Package audit reads the usage logs that people have of their LLM calls and works out what the calls cost, call path by call
// path, and what they would cost after routing, caching and batching. It reads files and the price book, and calls nobody.
package audit

import (
	"time"

	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

// MaxText is how much of a prompt is looked at, in bytes: class and shared beginning show in less.
const MaxText = 64 << 10

// Call is one row of a usage log: a call, or several that the log has added up.
type Call struct {
	At time.Time
	// Path is where the call comes from, as well as the log says: a feature, a prompt's name, a key or a project.
	Path     string
	Provider string // the price book's; empty when the log does not say
	Model    string // as the log names it
	Mode     pricing.Mode
	// Count is how many calls the row is of. It is 0 for a row that has their cost alone.
	Count  int64
	Failed bool
	// Usage is nil when the log has no tokens, Cost when it has no cost.
	Usage *task.Usage
	Cost  *task.Pico
	// System and Prompt are the texts that were sent, cut to MaxText; empty when the log does not have them.
	System string
	Prompt string
	// TaskID names the work that the call was made for, so that several calls of it can be told from one.
	TaskID string
	// Tools and Schema say that the call offered tools, or asked for a schema.
	Tools  bool
	Schema bool
	// Latency is 0 when the log does not have it.
	Latency time.Duration
}

// BadRow is a row that could not be read as a call.
type BadRow struct {
	File   string `json:"file"`
	Line   int64  `json:"line"` // of a CSV or JSON Lines file; the number of the record in other JSON
	Reason string `json:"reason"`
}
