package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weirhq/weir/classifier/train"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// labelPage is how many tasks are read at once.
const labelPage = 1_000

// errNoLabels means that nothing recorded tells what class a task required.
var errNoLabels = errors.New("no recorded task tells what it required: a label needs an accepted answer of a mini model, or one " +
	"of a dearer model after every cheaper tier was asked and rejected")

// recordedRows makes labelled prompts of recorded tasks, and the hash of what they are made of. A group is a call path of a
// feature, or the feature where tasks name none.
func recordedRows(ctx context.Context, db store.DB, since time.Time) ([]train.Row, string, error) {
	var rows []train.Row
	sum := sha256.New()
	for after := uuid.Nil; ; {
		page, err := store.LabelledTasks(ctx, db, since, after, labelPage)
		if err != nil {
			return nil, "", err
		}
		for _, l := range page {
			row, ok := recordedRow(l)
			if !ok {
				continue
			}
			rows = append(rows, row)
			fmt.Fprintf(sum, "%s %d\n", l.ID, l.Level)
			sum.Write(l.Body)
		}
		if len(page) < labelPage {
			break
		}
		after = page[len(page)-1].ID
	}
	if len(rows) == 0 {
		return nil, "", errNoLabels
	}
	return rows, hex.EncodeToString(sum.Sum(nil)), nil
}

// recordedRow passes over tasks without a label or a text.
func recordedRow(l store.LabelledTask) (train.Row, bool) {
	var t task.Task
	if l.Level == 0 || len(l.Body) == 0 || json.Unmarshal(l.Body, &t) != nil {
		return train.Row{}, false
	}
	prompt := t.Input
	if prompt == "" && len(t.Messages) > 0 {
		prompt = t.Messages[len(t.Messages)-1].Content
	}
	if strings.TrimSpace(prompt) == "" {
		return train.Row{}, false
	}
	group := l.CallPath
	if group == "" {
		group = l.Feature
	}
	return train.Row{
		Prompt: prompt, Level: l.Level, Source: l.Feature, Task: group, Context: t.Context, Tools: t.Tools,
	}, true
}
