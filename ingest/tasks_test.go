package ingest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/ingest"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

func TestRun_OneTask(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.run()
	body := `{"id":"one","feature":"triage","input":"text","lane":"auto","batch":"nightly","max_output_tokens":9}`
	b.publish("triage", body)
	b.publish("archive", `{"input":"text","priority":4,"max_cost_usd":"2"}`, jetstream.WithMsgID("two"))
	b.publish("triage", `{"id":"four","attachments":[{"url":"object:files/a.pdf","media_type":"application/pdf"}]}`)
	b.publish("archive", `{"id":"three","input":"text","lane":"now","max_cost_usd":"0.5"}`)
	b.drained(task.StreamTasks)

	require.Equal(t, 1, b.count(`weir.tasks JOIN weir.payloads ON task_id = id WHERE key = 'one' AND tenant = 'acme'
		AND feature = 'triage' AND state = 'queued' AND lane = 'now' AND batch = 'nightly' AND priority = 2
		AND max_output_tokens = 9 AND max_cost_pusd IS NULL AND body = $1`, []byte(body)))
	require.Equal(t, 1, b.count(`weir.tasks WHERE key = 'two' AND lane = 'batch' AND priority = 4
		AND max_cost_pusd = $1`, task.USD), "its id is the message's, its ceiling the feature's lower one")
	require.Equal(t, 1, b.count(`weir.tasks WHERE key = 'three' AND lane = 'now' AND max_cost_pusd = $1`, task.USD/2))
	require.Equal(t, 4, b.count("weir.tasks"))
	require.Zero(t, b.count("weir.dead_letters"))
	b.check()
}

// A lone message is not kept waiting for others. The fastest of a few tells: the machine may be busy with other tests.
func TestRun_ALoneMessageIsNotKeptWaiting(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.run()
	b.publish("triage", `{"id":"warm-up","input":"text"}`)
	b.drained(task.StreamTasks)
	fastest := patience
	for i := range 10 {
		id := fmt.Sprintf("lone-%d", i)
		begin := time.Now()
		b.publish("triage", fmt.Sprintf(`{"id":%q,"input":"text"}`, id))
		require.Eventually(t, func() bool { return b.count("weir.task_keys WHERE key = $1", id) == 1 }, patience, time.Millisecond)
		fastest = min(fastest, time.Since(begin))
	}
	require.Less(t, fastest, 100*time.Millisecond)
}

func TestRun_AnEnvelope(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.run()
	b.publish("triage", `{"tasks":[
		{"id":"good","input":"text"},
		{"id":"bad","input":"text","priority":9},
		{"input":"without an id"},
		{"id":"good too","input":"text"},
		{"id":"unknown","input":"text","colour":"red"},
		{"id":"good","input":"another text"},
		{"id":"elsewhere","feature":"archive","input":"text"}]}`)
	b.publish("triage", `{"tasks":[]}`)
	b.drained(task.StreamTasks)

	require.Equal(t, 2, b.count("weir.tasks WHERE state = 'queued' AND key IN ('good', 'good too')"))
	require.Equal(t, map[string]string{
		"1/1 bad": "invalid_value", "1/2 ": "missing_field", "1/4 unknown": "unknown_field",
		"1/5 good": "idempotency_conflict", "1/6 elsewhere": "subject_mismatch", "2/0 ": "missing_field",
	}, b.letters())
	require.Equal(t, []string{"bad", "unknown"}, b.refusedKeys(), "those who can be answered are")
	require.JSONEq(t, `{"id":"bad","input":"text","priority":9}`,
		scalar[string](b, `SELECT convert_from(body, 'UTF8') FROM weir.dead_letters WHERE key = 'bad'`), "the member alone")
	b.check()
}

// letters are the codes of the dead letters by their origin and key.
func (b *testBundle) letters() map[string]string {
	b.tb.Helper()
	letters, err := store.DeadLetters(b.tb.Context(), b.pool, store.DeadLetterFilter{}, 1_000)
	require.NoError(b.tb, err)
	codes := map[string]string{}
	for _, l := range letters {
		key := ""
		if l.Key != nil {
			key = *l.Key
		}
		codes[fmt.Sprintf("%d/%d %s", l.Seq, l.Member, key)] = l.Code
	}
	return codes
}

func (b *testBundle) refusedKeys() []string {
	b.tb.Helper()
	rows, err := b.pool.Query(b.tb.Context(), `
		SELECT t.key FROM weir.results r JOIN weir.tasks t ON t.id = r.task_id
		WHERE r.status = 'refused' AND t.state = 'refused' ORDER BY t.key`)
	require.NoError(b.tb, err)
	keys, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(b.tb, err)
	return keys
}

func TestRun_Refuses(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	tests := []struct {
		name    string
		feature string
		body    string
		code    task.Code
		answer  string // the id under which a result says why; "" when nobody can be answered
	}{
		{"NotJSON", "triage", `not json`, task.CodeInvalidJSON, ""},
		{"NothingAtAll", "triage", ``, task.CodeInvalidJSON, ""},
		{"UnknownFeature", "poetry", `{"id":"a","input":"x"}`, task.CodeUnknownFeature, "a"},
		{"UnknownField", "triage", `{"id":"b","input":"x","colour":"red"}`, task.CodeUnknownField, "b"},
		{"WrongType", "triage", `{"id":"c","input":7}`, task.CodeWrongType, "c"},
		{"NoInput", "triage", `{"id":"d"}`, task.CodeMissingField, "d"},
		{"NoID", "triage", `{"input":"x"}`, task.CodeMissingField, ""},
		{"ANULCharacter", "triage", `{"id":"e","input":"\u0000"}`, task.CodeInvalidText, "e"},
		{"HalfASurrogate", "triage", `{"id":"f","input":"\ud800"}`, task.CodeInvalidText, "f"},
		{"InvalidUTF8", "triage", "{\"id\":\"g\",\"input\":\"\xff\"}", task.CodeInvalidText, ""},
		{"TooDeep", "triage", `{"id":"h","input":"x","tools":[{"name":"f","parameters":` + deep + `}]}`, task.CodeTooDeep, "h"},
		{"TooLarge", "triage", `{"id":"i","input":"` + strings.Repeat("x", 1<<20) + `"}`, task.CodeTooLarge, "i"},
		{"BadToolSchema", "triage", `{"id":"j","input":"x","tools":[{"name":"f","parameters":{"type":7}}]}`, task.CodeInvalidValue, "j"},
		{"AnotherTenant", "triage", `{"id":"k","tenant":"globex","input":"x"}`, task.CodeSubjectMismatch, ""},
		{"AForeignHost", "triage", `{"id":"m","attachments":[{"url":"https://a.example/b.pdf","media_type":"application/pdf"}]}`, task.CodeAttachments, "m"},
		{"AForeignBucket", "triage", `{"id":"n","attachments":[{"url":"object:other/b.pdf","media_type":"application/pdf"}]}`, task.CodeAttachments, "n"},
		{"AttachedText", "triage", `{"id":"o","attachments":[{"url":"object:files/b.txt","media_type":"text/plain"}]}`, task.CodeInvalidValue, "o"},
		{"AnotherFeature", "triage", `{"id":"l","feature":"archive","input":"x"}`, task.CodeSubjectMismatch, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			terminated := b.terminated(task.StreamTasks)
			b.run()
			b.publish(tt.feature, tt.body)
			b.drained(task.StreamTasks)

			letters, err := store.DeadLetters(t.Context(), b.pool, store.DeadLetterFilter{}, 10)
			require.NoError(t, err)
			require.Len(t, letters, 1)
			require.Equal(t, string(tt.code), letters[0].Code, letters[0].Reason)
			_, body, err := store.DeadLetterBody(t.Context(), b.pool, letters[0].ID)
			require.NoError(t, err)
			require.Equal(t, tt.body, string(body), "every byte is kept")
			require.EqualValues(t, 1, <-terminated, "a hopeless message is terminated")
			require.Zero(t, b.count("weir.task_keys"))
			if tt.answer == "" {
				require.Zero(t, b.count("weir.results"))
				require.Zero(t, b.count("weir.tasks"))
			} else {
				require.Equal(t, []string{tt.answer}, b.refusedKeys())
				require.Equal(t, letters[0].Reason, scalar[string](b, `SELECT reason FROM weir.results`))
				require.Equal(t, task.RefusalID("acme", tt.answer, []byte(tt.body)), scalar[uuid.UUID](b, `SELECT id FROM weir.results`))
			}
			b.check()
		})
	}
}

// terminated receives the stream sequences of messages that the ingester gives up.
func (b *testBundle) terminated(stream string) <-chan uint64 {
	b.tb.Helper()
	seqs := make(chan uint64, 100)
	conn := b.server.Connect(b.tb)
	_, err := conn.Subscribe("$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED."+stream+".weir-ingest", func(m *nats.Msg) {
		var advisory struct {
			Seq uint64 `json:"stream_seq"`
		}
		if json.Unmarshal(m.Data, &advisory) == nil {
			seqs <- advisory.Seq
		}
	})
	require.NoError(b.tb, err)
	require.NoError(b.tb, conn.Flush())
	return seqs
}

func TestRun_ACorrectedBodyMayUseTheID(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.run()
	b.publish("triage", `{"id":"a","input":"x","priority":9}`)
	b.publish("triage", `{"id":"a","input":"x","priority":8}`)
	b.publish("triage", `{"id":"a","input":"x","priority":1}`)
	b.drained(task.StreamTasks)
	require.Equal(t, []string{"a", "a"}, b.refusedKeys(), "each refusal has a result of its own")
	require.Equal(t, 1, b.count("weir.tasks WHERE key = 'a' AND state = 'queued'"))
	b.check()
}

func TestRun_AnIDIsUsedOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.run()
	b.publish("triage", `{"id":"a","input":"text"}`)
	b.publish("triage", `{ "input" : "text", "id" : "a" }`) // the same task, written in another way
	b.publish("triage", `{"id":"a","input":"another text"}`)
	b.publish("archive", `{"id":"a","input":"text"}`)
	_, err := b.js.Publish(t.Context(), task.Subject("globex", "triage"), []byte(`{"id":"a","input":"text"}`))
	require.NoError(t, err)
	b.drained(task.StreamTasks)

	require.Equal(t, 2, b.count("weir.tasks"), "an id is a tenant's own")
	require.Equal(t, map[string]string{"3/0 a": "idempotency_conflict", "4/0 a": "idempotency_conflict"}, b.letters())
	require.Zero(t, b.count("weir.results"), "the first body stands, and its result will come")
	require.Equal(t, 1, scalar[int](b, `SELECT sum(duplicates) FROM weir.ingest_batches`))
	b.check()
}

func TestRun_AHostileSubject(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.run()
	long := strings.Repeat("f", 100)
	for _, feature := range []string{"\xff\xfe", long, "naïve", "a$b"} {
		b.publish(feature, `{"id":"a","input":"text"}`)
	}
	b.publish("triage", `{"id":"good","input":"text"}`)
	b.drained(task.StreamTasks)
	require.Equal(t, 1, b.count("weir.tasks WHERE key = 'good'"))
	require.Equal(t, 4, b.count("weir.dead_letters WHERE code = 'invalid_subject'"))
	require.Equal(t, 1, b.count("weir.tasks"))
	b.check()
}

// One task of 500 is one that Postgres refuses although it passed every check: it becomes a dead letter, and the others
// go their way.
func TestRun_APoisonedTaskHarmsOnlyItself(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		poison   string // what Postgres refuses
		answered []string
	}{
		{"ItsProducerIsAnswered", `CHECK (call_path <> 'poison')`, []string{"t-321"}},
		{"NotEvenItsRefusalCanBeStored", `CHECK (key <> 't-321')`, []string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.exec(`ALTER TABLE weir.tasks ADD CONSTRAINT poison_check ` + tt.poison)
			tasks := numbered("t", 500)
			tasks[321].CallPath = "poison"
			b.publishAll(tasks)
			b.run()
			b.drained(task.StreamTasks)

			require.Equal(t, 499, b.count("weir.tasks WHERE state = 'queued'"))
			require.Equal(t, 1, b.count("weir.dead_letters WHERE code = 'invalid_value'"))
			require.Equal(t, tt.answered, b.refusedKeys())
			require.Equal(t, 500, scalar[int](b, `SELECT sum(messages) FROM weir.ingest_batches`))
			b.check()
		})
	}
}

func TestRun_ManyTasks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const n = 5_000
	b.publishMany("t", n)
	b.run()
	b.run() // two processes share the stream
	b.drained(task.StreamTasks)

	require.Equal(t, n, b.count("weir.tasks WHERE state = 'queued'"))
	require.Equal(t, n, b.count("weir.payloads"))
	require.Equal(t, []int{n, n, 0, 0}, b.totals(), "messages, tasks, duplicates, dead letters")
	require.Less(t, b.count("weir.ingest_batches"), n/10)
	b.check()
}

// totals are the sums of the batches' messages, tasks, duplicates and dead letters.
func (b *testBundle) totals() []int {
	b.tb.Helper()
	return scalar[[]int](b, `
		SELECT ARRAY[sum(messages), sum(tasks), sum(duplicates), sum(dead_letters)]::int[] FROM weir.ingest_batches`)
}

// Envelopes count with all of their tasks: one message may need several transactions.
func TestRun_LargeEnvelopes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for e := range 3 {
		members := make([]string, 500)
		for i := range members {
			members[i] = fmt.Sprintf(`{"id":"e%d-%d","input":%q}`, e, i, strings.Repeat("x", 10_000))
		}
		b.publish("triage", `{"tasks":[`+strings.Join(members, ",")+`]}`)
	}
	b.run()
	b.drained(task.StreamTasks)
	require.Equal(t, []int{3, 1_500, 0, 0}, b.totals())
	require.Zero(t, b.count(`(SELECT sum(payload_bytes) AS bytes, count(*) AS tasks FROM weir.tasks GROUP BY ingest_batch) s
		WHERE bytes > 4 * 1024 * 1024 OR tasks > 500`), "transactions stay bounded")
	b.check()
}

// A burst of envelopes takes longer than JetStream waits for an ack: they are taken in once all the same.
func TestRun_ABurstLongerThanTheAckWaitIsNotDeliveredAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const envelopes = 6
	for e := range envelopes {
		members := make([]string, 450)
		for i := range members {
			members[i] = fmt.Sprintf(`{"id":"e%d-%d","input":%q}`, e, i, strings.Repeat("x", 500))
		}
		b.publish("triage", `{"tasks":[`+strings.Join(members, ",")+`]}`)
	}
	b.run(impatient, func(c *ingest.Config) {
		c.Chaos = func(at string) {
			if at == "fetched" {
				<-time.After(2500 * time.Millisecond)
			}
		}
	})
	b.drained(task.StreamTasks)
	require.Equal(t, []int{envelopes, 450 * envelopes, 0, 0}, b.totals(), "messages, tasks, duplicates, dead letters")
	c, err := b.js.Consumer(t.Context(), task.StreamTasks, "weir-ingest")
	require.NoError(t, err)
	require.EqualValues(t, envelopes, c.CachedInfo().Delivered.Consumer, "each was delivered once")
	b.check()
}
