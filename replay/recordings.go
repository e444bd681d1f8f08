// Package replay judges policies by recorded outcomes: prompts whose answers by many models are on file, with what each
// cost and whether it was right. Policies run through weir's own decisions and validators and see the answers alone; what
// was right is known to a Judge, whom nothing that decides is given.
package replay

import (
	"slices"
	"time"

	"github.com/weirhq/weir/task"
)

// Answer is what a model answered to a prompt, as far as it was recorded: all that a decision may go by. Whether it was
// right is no part of it.
type Answer struct {
	// Text is what the model put out; nil where only the verdict was recorded.
	Text *string
	// In and Out are its provider's token counts; nil where unknown.
	In, Out *int64
	// Cost is what the call cost; nil where unknown.
	Cost *task.Pico
	// Latency is how long the call took; nil where unknown.
	Latency *time.Duration
}

// Row is one prompt with the answers of all models.
type Row struct {
	ID string
	// Task is the kind of the prompt: the call path.
	Task   string
	Prompt string
	// Functions are those that the models were offered.
	Functions []Function
	// Answers stand in the order of the recordings' models.
	Answers []Answer
}

// Recordings are the rows of one file. Every row has an answer of every model.
type Recordings struct {
	// Suite is the suite that the rows name.
	Suite string
	// Models are in alphabetical order.
	Models []string
	Rows   []Row
}

// Model is the place of a model, -1 when it was not recorded.
func (r *Recordings) Model(name string) int {
	at, found := slices.BinarySearch(r.Models, name)
	if !found {
		return -1
	}
	return at
}

// Tasks are the kinds of prompts, in alphabetical order.
func (r *Recordings) Tasks() []string {
	var tasks []string
	for i := range r.Rows {
		tasks = append(tasks, r.Rows[i].Task)
	}
	slices.Sort(tasks)
	return slices.Compact(tasks)
}

// Priced reports whether the cost of every answer is known.
func (r *Recordings) Priced() bool {
	return r.everyAnswer(func(a *Answer) bool { return a.Cost != nil })
}

// Timed reports whether the latency of every answer is known.
func (r *Recordings) Timed() bool {
	return r.everyAnswer(func(a *Answer) bool { return a.Latency != nil })
}

// Texts reports whether the text of every answer is known: without it nothing can be validated or compared.
func (r *Recordings) Texts() bool {
	return r.everyAnswer(func(a *Answer) bool { return a.Text != nil })
}

func (r *Recordings) everyAnswer(holds func(*Answer) bool) bool {
	for i := range r.Rows {
		for j := range r.Rows[i].Answers {
			if !holds(&r.Rows[i].Answers[j]) {
				return false
			}
		}
	}
	return true
}

// Select is the rows that are kept, with the judge of them.
func Select(r *Recordings, j *Judge, keep func(*Row) bool) (*Recordings, *Judge) {
	rows := &Recordings{Suite: r.Suite, Models: r.Models}
	judge := &Judge{}
	for i := range r.Rows {
		if keep(&r.Rows[i]) {
			rows.Rows = append(rows.Rows, r.Rows[i])
			judge.right = append(judge.right, j.right[i])
		}
	}
	return rows, judge
}

// Judge knows which answers were right. It is apart from the recordings so that no policy can ask it.
type Judge struct {
	right [][]float64 // by row and model
}

// Right is how right a model's answer was, from 0 to 1.
func (j *Judge) Right(row, model int) float64 { return j.right[row][model] }
