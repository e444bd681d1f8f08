package ingest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/ledgertest"
	"github.com/weirhq/weir/task"
)

func (b *testBundle) report(feature, body string) {
	b.tb.Helper()
	_, err := b.js.Publish(b.tb.Context(), task.OutcomeSubject("acme", feature), []byte(body))
	require.NoError(b.tb, err)
}

func TestRun_Outcomes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	terminated := b.terminated(task.StreamOutcomes)
	b.publish("triage", `{"id":"a","input":"text"}`)
	b.run()
	b.drained(task.StreamTasks)

	b.report("triage", `{"id":"a","success":true,"value_usd":"1.5","reason":"closed","at":"2026-03-01T12:00:00Z"}`)
	b.report("triage", `{"id":"a"}`) // silence is no failure
	b.report("triage", `{"id":"a","success":false}`)
	b.report("triage", `not json`)
	b.report("triage", `{"id":"unknown yet","success":true}`)
	b.report("\xff", `{"id":"a","success":true}`)
	b.report("triage", ``)
	b.drained(task.StreamOutcomes)

	require.Equal(t, 1, b.count(`weir.outcomes o JOIN weir.tasks t ON t.id = o.task_id WHERE stream_seq = 1 AND success
		AND value_pusd = 1500000000000 AND o.reason = 'closed' AND at = '2026-03-01T12:00:00Z'`))
	require.Equal(t, 1, b.count(`weir.outcomes WHERE stream_seq = 3 AND NOT success AND at = stored_at`),
		"an outcome without a time is of when it was published")
	require.Equal(t, 1, b.count("weir.outcomes WHERE stream_seq = 5 AND task_id IS NULL"))
	require.Equal(t, 3, b.count("weir.outcomes"))
	require.Equal(t, map[string]string{
		"2/0 ": "missing_field", "4/0 ": "invalid_json", "6/0 ": "invalid_subject", "7/0 ": "invalid_json",
	}, b.letters())
	seqs := []uint64{<-terminated, <-terminated, <-terminated, <-terminated}
	require.ElementsMatch(t, []uint64{2, 4, 6, 7}, seqs)
	require.Zero(t, b.count("weir.results"), "nobody waits for the answer to an outcome")
	ledgertest.Check(t, b.pool)
}

func TestRun_APoisonedOutcomeHarmsOnlyItself(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(`ALTER TABLE weir.outcomes ADD CONSTRAINT poison_check CHECK (reason <> 'poison')`)
	for range 10 {
		b.report("triage", `{"id":"a","success":true}`)
	}
	b.report("triage", `{"id":"a","success":true,"reason":"poison"}`)
	for range 10 {
		b.report("triage", `{"id":"a","success":true}`)
	}
	b.run()
	b.drained(task.StreamOutcomes)
	require.Equal(t, 20, b.count("weir.outcomes"))
	require.Equal(t, map[string]string{"11/0 ": "invalid_value"}, b.letters(), "and is not lost")
}
