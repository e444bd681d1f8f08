package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

// send publishes bytes as any client may.
func (b *testBundle) send(subject, msgID, body string) {
	b.tb.Helper()
	message := nats.NewMsg(subject)
	message.Data = []byte(body)
	if msgID != "" {
		message.Header.Set(jetstream.MsgIDHeader, msgID)
	}
	_, err := b.js.PublishMsg(b.tb.Context(), message)
	require.NoError(b.tb, err)
}

func (b *testBundle) waitForLetters(n int) {
	b.tb.Helper()
	require.Eventually(b.tb, func() bool { return b.count(`SELECT count(*) FROM weir.dead_letters`) == n },
		20*time.Second, 20*time.Millisecond)
}

func (b *testBundle) letters(args ...string) []store.DeadLetterRow {
	b.tb.Helper()
	out := b.mustRun(append([]string{"dlq", "list", "--json"}, args...)...)
	var rows []store.DeadLetterRow
	for line := range strings.Lines(out.stdout) {
		var row store.DeadLetterRow
		require.NoError(b.tb, json.Unmarshal([]byte(line), &row))
		rows = append(rows, row)
	}
	return rows
}

func TestDlq(t *testing.T) {
	t.Parallel()
	b := newTestBundle(t)
	require.Equal(t, "no dead letters\n", b.mustRun("dlq", "list").stdout)
	stop := b.startIngest()
	subject := task.Subject("default", "later")
	b.send(subject, "", `{"id":"in-body","input":"1"}`)
	b.send(subject, "in-header", `{"input":"2"}`)
	b.send(task.Subject("default", "ticket-triage"), "", "{\"id\":\"broken\x1b[2J")
	b.waitForLetters(3)
	stop()

	out := b.mustRun("dlq", "list", "--code", "unknown_feature")
	require.Contains(t, out.stdout, "in-body")
	require.Contains(t, out.stdout, "in-header")
	require.NotContains(t, out.stdout, "invalid_json")
	require.Len(t, b.letters(), 3)
	require.Len(t, b.letters("--limit", "1"), 1)
	broken := b.letters("--code", "invalid_json")[0]
	out = b.mustRun("dlq", "show", broken.ID.String())
	require.Contains(t, out.stdout, "\n{\"id\":\"broken\x1b[2J\n", "the bytes as they came")
	require.Contains(t, out.stdout, broken.Reason)

	// the feature is configured now
	b.startIngest("later")
	require.Contains(t, b.mustRun("dlq", "redrive", "--code", "unknown_feature").stdout, "published 2 dead letters again")
	require.Eventually(t, func() bool {
		return b.count(`
			SELECT count(*) FROM weir.task_keys JOIN weir.tasks t ON t.id = task_id
			WHERE t.state = 'queued' AND t.feature = 'later' AND t.key IN ('in-body', 'in-header')`) == 2
	}, 20*time.Second, 20*time.Millisecond)
	require.Contains(t, b.mustRun("dlq", "redrive", "--code", "unknown_feature").stdout, "published 0 dead letters again")
	require.Len(t, b.letters("--open"), 1)

	require.Contains(t, b.mustRun("dlq", "redrive", broken.ID.String()).stdout, "published 1 dead letter again")
	b.waitForLetters(4)
	require.Len(t, b.letters("--open"), 1, "what is broken is refused again")
}

func TestDlq_Usage(t *testing.T) {
	t.Parallel()
	b := newTestBundle(t)
	id := uuid.NewString()
	for _, args := range [][]string{
		{"dlq", "redrive"}, {"dlq", "redrive", id, "--code", "too_large"}, {"dlq", "show", "5"}, {"dlq", "redrive", "5"},
	} {
		_, err := b.run(nil, args...)
		require.ErrorIs(t, err, errUsage, args)
	}
	for _, args := range [][]string{{"dlq", "show", id}, {"dlq", "redrive", id}} {
		_, err := b.run(nil, args...)
		require.ErrorContains(t, err, "there is no dead letter "+id)
	}
}

func TestRedriveID(t *testing.T) {
	t.Parallel()
	id := uuid.New()
	tests := []struct {
		name string
		key  *string
		body string
		want string
	}{
		{"InBody", new("a"), `{"id":"a","input":"1"}`, task.MsgID("redrive", id.String(), []byte(`{"id":"a","input":"1"}`))},
		{"InHeader", new("a"), `{"input":"1"}`, "a"},
		{"InHeaderOfGarbage", new("a"), `{`, "a"},
		{"Unreadable", nil, `{`, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, redriveID(store.DeadLetterRow{ID: id, Key: test.key}, []byte(test.body)))
		})
	}
}

func TestOutcome(t *testing.T) {
	t.Parallel()
	b := newTestBundle(t)
	b.startIngest()
	b.publishLabel("night", 2)
	file := mustWrite(t, filepath.Join(t.TempDir(), "outcomes.jsonl"),
		`{"id":"night-1","success":true,"value_usd":"1.50"}`+"\n"+`{"id":"night-2","success":false,"reason":"wrong queue"}`)

	out := b.mustRun("outcome", "--feature", "ticket-triage", file)

	require.Regexp(t, `^published 2 outcomes in `, out.stdout)
	require.Eventually(t, func() bool {
		return b.count(`
			SELECT count(*) FROM weir.outcomes o JOIN weir.tasks t ON t.id = o.task_id
			WHERE (t.key = 'night-1' AND o.success AND o.value_pusd = 1500000000000)
			   OR (t.key = 'night-2' AND NOT o.success AND o.reason = 'wrong queue')`) == 2
	}, 20*time.Second, 20*time.Millisecond)

	bad := mustWrite(t, filepath.Join(t.TempDir(), "bad.jsonl"), `{"id":"night-1"}`)
	out, err := b.run(nil, "outcome", "--feature", "ticket-triage", bad)
	require.Error(t, err)
	require.Contains(t, out.stderr, "published nothing; there are mistakes:\n  "+bad+" line 1: success is missing")
	out, err = b.run(strings.NewReader(`{"id":"night-2","success":true}`+"\n{}"), "outcome", "--feature", "ticket-triage", "-")
	require.Error(t, err)
	require.Contains(t, out.stderr, "published 1 outcome; there are mistakes:\n  standard input line 2: ")
}
