package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

type dlqCmd struct {
	List    dlqListCmd    `cmd:"" help:"List what was refused, the newest first."`
	Show    dlqShowCmd    `cmd:"" help:"Show one dead letter with its body."`
	Redrive dlqRedriveCmd `cmd:"" help:"Publish dead letters again, as they came."`
}

type dlqListCmd struct {
	Code  string `help:"Only this code, such as unknown_feature."`
	Open  bool   `help:"Only those that were not published again."`
	Limit int    `default:"50" help:"At most so many."`
	JSON  bool   `name:"json" help:"One JSON object a line."`
}

// maxReasonChars is how much of a reason the table shows; dlq show has all of it.
const maxReasonChars = 80

// Run lists dead letters.
func (c *dlqListCmd) Run(ctx context.Context, a *app) error {
	pool, err := a.openPool(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	letters, err := store.DeadLetters(ctx, pool, store.DeadLetterFilter{Code: c.Code, Open: c.Open}, c.Limit)
	if err != nil {
		return err
	}
	if c.JSON {
		return encodeLines(a.stdout, letters)
	}
	if len(letters) == 0 {
		_, err := fmt.Fprintln(a.stdout, "no dead letters")
		return err
	}
	return writeLetters(a.stdout, letters)
}

func encodeLines[T any](w io.Writer, values []T) error {
	lines := json.NewEncoder(w)
	for _, v := range values {
		if err := lines.Encode(v); err != nil {
			return fmt.Errorf("write line: %w", err)
		}
	}
	return nil
}

func writeLetters(w io.Writer, letters []store.DeadLetterRow) error {
	list := table{columns: []column{
		words("id"), words("received"), words("subject"), words("key"), words("code"), figures("bytes"), words("redriven"),
		words("reason"),
	}}
	for _, l := range letters {
		// what producers wrote is escaped: it may hold what a terminal obeys
		list.rows = append(list.rows, []string{
			l.ID.String(), stamp(&l.ReceivedAt), printable(l.Subject), printableKey(l.Key), l.Code, showCount(l.Bytes),
			stamp(l.RedrivenAt), shorten(printable(l.Reason), maxReasonChars),
		})
	}
	return list.write(w)
}

func stamp(t *time.Time) string {
	if t == nil {
		return none
	}
	return t.UTC().Format(time.DateTime)
}

func printableKey(key *string) string {
	if key == nil {
		return none
	}
	return printable(*key)
}

// printable escapes what is not a visible character.
func printable(s string) string {
	quoted := strconv.Quote(s)
	return quoted[1 : len(quoted)-1]
}

func shorten(s string, limit int) string {
	runes := []rune(s)
	if len(runes) <= limit {
		return s
	}
	return string(runes[:limit-1]) + "…"
}

type dlqShowCmd struct {
	ID string `arg:"" help:"The dead letter's id."`
}

// Run shows one dead letter: what is known of it, and its body as it came.
func (c *dlqShowCmd) Run(ctx context.Context, a *app) error {
	pool, err := a.openPool(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	l, body, err := readLetter(ctx, pool, c.ID)
	if err != nil {
		return err
	}
	list := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{
		{"id", l.ID.String()},
		{"received", stamp(&l.ReceivedAt)},
		{"from", fmt.Sprintf("%s, message %d, member %d", l.Stream, l.Seq, l.Member)},
		{"subject", printable(l.Subject)},
		{"key", printableKey(l.Key)},
		{"code", l.Code},
		{"reason", printable(l.Reason)},
		{"redriven", stamp(l.RedrivenAt)},
		{"bytes", strconv.Itoa(l.Bytes)},
	} {
		_, _ = fmt.Fprintf(list, "%s\t%s\n", row[0], row[1])
	}
	if err := list.Flush(); err != nil {
		return err
	}
	return writeBody(a.stdout, body)
}

// writeBody writes the bytes as they are, except to a terminal, which would obey what a producer wrote.
func writeBody(w io.Writer, body []byte) error {
	text := string(body)
	if isTerminal(w) {
		text = printable(text)
	}
	_, err := fmt.Fprintf(w, "\n%s\n", text)
	return err
}

func readLetter(ctx context.Context, pool *pgxpool.Pool, id string) (store.DeadLetterRow, []byte, error) {
	parsed, err := uuid.Parse(id)
	if err != nil {
		return store.DeadLetterRow{}, nil, fmt.Errorf("%w: %q is not an id of 'weir dlq list'", errUsage, id)
	}
	l, body, err := store.DeadLetterBody(ctx, pool, parsed)
	if errors.Is(err, pgx.ErrNoRows) {
		return l, nil, fmt.Errorf("there is no dead letter %s", parsed)
	}
	return l, body, err
}

type dlqRedriveCmd struct {
	IDs  []string `arg:"" optional:"" name:"id" help:"The dead letters' ids."`
	Code string   `help:"All of this code that were not published again, such as unknown_feature."`
}

// Help is the long help.
func (dlqRedriveCmd) Help() string {
	return `The bytes go to their subject again as they came. What was refused for its body is refused again; what was refused
for the configuration, such as an unknown feature, passes once that has changed.`
}

// Run publishes dead letters again and notes that it did.
func (c *dlqRedriveCmd) Run(ctx context.Context, a *app) error {
	if (len(c.IDs) == 0) == (c.Code == "") {
		return fmt.Errorf("%w: give ids or --code", errUsage)
	}
	pool, err := a.openPool(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	ids := c.IDs
	if c.Code != "" {
		if ids, err = openLetters(ctx, pool, c.Code); err != nil {
			return err
		}
	}
	nc, err := a.reachNATS(ctx)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("open JetStream: %w", err)
	}
	for i, id := range ids {
		if err := redrive(ctx, pool, js, id); err != nil {
			return stopped(err, ctx.Err() != nil, "published %d of %s again before", i, amount(len(ids), "dead letter"))
		}
	}
	_, err = fmt.Fprintf(a.stdout, "published %s again\n", amount(len(ids), "dead letter"))
	return err
}

// openLetters are the ids of a code's dead letters that wait, the oldest first: of two bodies of one id the first stands.
func openLetters(ctx context.Context, pool *pgxpool.Pool, code string) ([]string, error) {
	filter := store.DeadLetterFilter{Code: code, Open: true}
	var ids []string
	for {
		page, err := store.DeadLetters(ctx, pool, filter, tasksPage)
		if err != nil {
			return nil, err
		}
		for _, l := range page {
			ids = append(ids, l.ID.String())
		}
		if len(page) < tasksPage {
			break
		}
		filter.Before = page[len(page)-1].ID
	}
	slices.Reverse(ids)
	return ids, nil
}

// redrive publishes first and notes then: dying in between publishes twice, which weir's own deduplication takes care of.
func redrive(ctx context.Context, pool *pgxpool.Pool, js jetstream.JetStream, id string) error {
	l, body, err := readLetter(ctx, pool, id)
	if err != nil {
		return err
	}
	if err := republish(ctx, js, l.Subject, redriveID(l, body), body); err != nil {
		return fmt.Errorf("publish dead letter %s: %w", l.ID, err)
	}
	return store.MarkRedriven(ctx, pool, time.Now(), l.ID)
}

const (
	// droppedPause and droppedTries outlast the time for which weir allows a stream to drop a repeated id, 10 s.
	droppedPause = 100 * time.Millisecond
	droppedTries = 120
)

// republish waits where the stream has just had another message of the same id, which need not be the same message.
func republish(ctx context.Context, js jetstream.JetStream, subject, msgID string, body []byte) error {
	for range droppedTries {
		message := nats.NewMsg(subject)
		message.Data = body
		if msgID != "" {
			message.Header.Set(jetstream.MsgIDHeader, msgID)
		}
		ack, err := js.PublishMsg(ctx, message)
		if err != nil || !ack.Duplicate {
			return err
		}
		timer := time.NewTimer(droppedPause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
	return errors.New("the stream keeps dropping its id as a duplicate: lower the stream's duplicate window")
}

// redriveID is the message's id. Where the body has no id of its own, the message's is the task's, as it was at first;
// a made-up one would become the task's id.
func redriveID(l store.DeadLetterRow, body []byte) string {
	if l.Key == nil {
		return ""
	}
	items, err := task.DecodeMessage(body, task.Limits{})
	if err == nil && len(items) == 1 && items[0].ID == *l.Key {
		return task.MsgID("redrive", l.ID.String(), body)
	}
	return *l.Key
}
