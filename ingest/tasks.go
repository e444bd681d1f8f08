package ingest

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/riverqueue/river"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/jobs"
	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
	"github.com/weirhq/weir/validators"
)

// tasks takes task messages in: one transaction for a batch, then the acks.
type tasks struct {
	pool    *pgxpool.Pool
	client  *river.Client[pgx.Tx]
	catalog *catalog.Catalog
	planner *planner.Planner // nil: every task is left to its classify job
	limits  task.Limits
	now     func() time.Time
	logger  *slog.Logger
	chaos   func(point string)
}

const (
	// txTasks and txBytes bound one transaction by what is in its messages: an envelope counts with all of its tasks.
	txTasks = 500
	txBytes = 4 << 20
)

// origin is where a task or dead letter came from.
type origin struct {
	meta    *jetstream.MsgMetadata
	subject string
	member  int
}

// address is whom a refusal is answered to, as far as it can be read.
type address struct {
	tenant  string
	feature string
	key     string
	batch   string
}

// offer is one member of a batch: a task to insert, or a dead letter.
type offer struct {
	origin origin
	task   store.NewTask
	plan   *store.StoredPlan // of a task that is planned already
	dead   *store.DeadLetter
}

func (o offer) size() int { return len(o.task.Body) }

func (o offer) seq() uint64 { return o.origin.meta.Sequence.Stream }

// handle takes a batch of messages in and answers each: Ack for what is in Postgres, Term for a message that holds
// nothing but dead letters.
func (h *tasks) handle(ctx context.Context, batch []jetstream.Msg) error {
	h.chaos("fetched")
	var offers []offer
	hopeless := make([]bool, len(batch))
	for i, msg := range batch {
		read, err := h.read(ctx, msg)
		if err != nil {
			return err
		}
		hopeless[i] = true
		for _, o := range read {
			hopeless[i] = hopeless[i] && o.dead != nil
		}
		offers = append(offers, read...)
	}
	if err := h.insertAll(ctx, offers); err != nil {
		return err
	}
	h.chaos("committed")
	for i, msg := range batch {
		err := h.answer(msg, hopeless[i])
		if err != nil { // a lost answer brings the message back as a duplicate
			h.logger.DebugContext(ctx, "ack was lost", slog.Any("err", err))
		}
	}
	h.chaos("acked")
	return nil
}

func (h *tasks) answer(msg jetstream.Msg, hopeless bool) error {
	if hopeless {
		return msg.TermWithReason("stored as a dead letter")
	}
	return msg.Ack()
}

// read decodes a message into its tasks and dead letters.
func (h *tasks) read(ctx context.Context, msg jetstream.Msg) ([]offer, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return nil, fmt.Errorf("read message metadata: %w", err)
	}
	from := origin{meta: meta, subject: msg.Subject()}
	_, tenant, feature, err := task.ParseSubject(msg.Subject())
	if err != nil {
		return []offer{h.refuse(from, "", msg.Data(), err)}, nil
	}
	items, err := task.DecodeMessage(msg.Data(), h.limits)
	if err != nil {
		return []offer{h.refuse(from, "", msg.Data(), err)}, nil
	}
	// in an envelope the message's id names none of its members
	var msgID string
	if len(items) == 1 {
		msgID = msg.Headers().Get(jetstream.MsgIDHeader)
	}
	offers := make([]offer, len(items))
	for i, item := range items {
		from.member = i
		offers[i] = h.offer(ctx, from, tenant, feature, msgID, item)
	}
	return offers, nil
}

func (h *tasks) offer(ctx context.Context, from origin, tenant, feature, msgID string, item task.Item) offer {
	who := address{tenant: tenant, feature: feature, key: item.ID}
	if who.key == "" {
		who.key = msgID
	}
	if item.Err != nil {
		return h.refuseTask(from, who, item.Raw, item.Err)
	}
	t := item.Task
	if err := t.Bind(tenant, feature, msgID); err != nil {
		return h.refuse(from, who.key, item.Raw, err)
	}
	who.batch = t.Batch
	if err := t.Check(); err != nil {
		return h.refuseTask(from, who, item.Raw, err)
	}
	if err := validators.CheckTools(t.Tools); err != nil {
		err := task.Refuse(task.CodeInvalidValue, "tools: %s", err)
		return h.refuseTask(from, who, item.Raw, err)
	}
	f, ok := h.catalog.Features[feature]
	if !ok {
		err := task.Refuse(task.CodeUnknownFeature, "the feature %q is not configured", feature)
		return h.refuseTask(from, who, item.Raw, err)
	}
	if err := h.catalog.Attachments.Check(t.Attachments); err != nil {
		return h.refuseTask(from, who, item.Raw, err)
	}
	hash := task.RequestHash(t)
	o := offer{origin: from, task: store.NewTask{
		ID: newID(), Tenant: tenant, Feature: feature, Key: t.ID, Hash: hash[:], CallPath: t.CallPath, Batch: t.Batch,
		Lane: resolveLane(t.Lane, f.Lane), Priority: priority(t.Priority), Deadline: t.Deadline,
		MaxCost: ceiling(t.MaxCostUSD, f.MaxCost), MaxOutput: t.MaxOutputTokens, Body: item.Raw,
	}}
	h.plan(ctx, &o, t)
	return o
}

// plan gives a task its class and plan. One that cannot be planned is left to its classify job, which ends it and says
// why; so is one whose plan hangs on a provider's count or embedding.
func (h *tasks) plan(ctx context.Context, o *offer, t *task.Task) {
	if h.planner == nil {
		return
	}
	planned, err := h.planner.Plan(ctx, o.task.ID, t, t.MaxOutputTokens)
	if err != nil {
		h.logger.DebugContext(ctx, "task was not planned", slog.String("task_id", o.task.ID.String()), slog.Any("err", err))
		return
	}
	if planned.Pending || len(planned.Doubts) > 0 { // its classify job asks the provider: nothing of that may hold up the intake
		return
	}
	o.task.Classified, o.plan = &planned.Classified, &planned.Plan
}

// resolveLane turns auto into the feature's lane.
func resolveLane(asked, feature task.Lane) task.Lane {
	if asked != "" && asked != task.LaneAuto {
		return asked
	}
	if feature == task.LaneBatch {
		return task.LaneBatch
	}
	return task.LaneNow
}

func priority(asked int) int {
	if asked == 0 {
		return task.DefaultPriority
	}
	return asked
}

// ceiling is the lower of the task's and the feature's.
func ceiling(asked, feature *task.Pico) *task.Pico {
	if asked == nil || (feature != nil && *feature < *asked) {
		return feature
	}
	return asked
}

// refuse makes a dead letter that nobody is answered for.
func (h *tasks) refuse(from origin, key string, body []byte, err error) offer {
	code := task.CodeInvalidJSON
	if refused, ok := task.IsRefused(err); ok {
		code = refused.Code
	}
	return offer{origin: from, dead: &store.DeadLetter{
		ID: newID(), Stream: from.meta.Stream, Seq: from.meta.Sequence.Stream, Member: from.member,
		StoredAt: from.meta.Timestamp, Subject: from.subject, Key: key, Code: string(code), Reason: err.Error(), Body: body,
	}}
}

// refuseTask makes a dead letter and, where the id can be read, a result that says so.
func (h *tasks) refuseTask(from origin, who address, body []byte, err error) offer {
	o := h.refuse(from, who.key, body, err)
	if who.key != "" {
		o.dead.Refusal = &store.Refusal{
			TaskID: newID(), ResultID: task.RefusalID(who.tenant, who.key, body), Tenant: who.tenant, Feature: who.feature,
			Batch: who.batch,
		}
	}
	return o
}

// insertAll inserts offers in transactions of bounded size, in the order of the stream.
func (h *tasks) insertAll(ctx context.Context, offers []offer) error {
	slices.SortStableFunc(offers, func(a, b offer) int { return cmp.Compare(a.seq(), b.seq()) })
	for start := 0; start < len(offers); {
		end, bytes := start, 0
		for end < len(offers) && end-start < txTasks && (end == start || bytes+offers[end].size() <= txBytes) {
			bytes += offers[end].size()
			end++
		}
		if err := h.insert(ctx, offers[start:end]); err != nil {
			return err
		}
		start = end
	}
	return nil
}

// insert inserts offers in one transaction. Offers that Postgres refuses for their data are halved until the poisoned one
// is alone, and that one becomes a dead letter.
func (h *tasks) insert(ctx context.Context, offers []offer) error {
	err := h.insertTx(ctx, offers)
	if err == nil || !store.DataError(err) {
		return err
	}
	if len(offers) == 1 {
		o := offers[0]
		if o.dead != nil { // its words do not fit: keep the bytes without them
			o.dead.Key, o.dead.Reason, o.dead.Refusal = "", "refused, and its reason cannot be stored", nil
			return h.insertTx(ctx, []offer{o})
		}
		if o.plan != nil { // perhaps it is the plan: its classify job will know
			o.plan, o.task.Classified = nil, nil
			return h.insert(ctx, []offer{o})
		}
		who := address{tenant: o.task.Tenant, feature: o.task.Feature, key: o.task.Key, batch: o.task.Batch}
		dead := h.refuseTask(o.origin, who, o.task.Body,
			task.Refuse(task.CodeInvalidValue, "Postgres refuses the task's data"))
		h.logger.WarnContext(ctx, "poisoned task refused", slog.Any("err", err))
		return h.insert(ctx, []offer{dead})
	}
	half := len(offers) / 2
	if err := h.insert(ctx, offers[:half]); err != nil {
		return err
	}
	return h.insert(ctx, offers[half:])
}

func (h *tasks) insertTx(ctx context.Context, offers []offer) error {
	batch, now := newID(), h.now()
	fresh := make([]store.NewTask, 0, len(offers))
	from := make([]origin, 0, len(offers))
	plans := map[uuid.UUID]store.StoredPlan{}
	var dead []store.DeadLetter
	for _, o := range offers {
		if o.plan != nil {
			plans[o.plan.ID] = *o.plan
		}
		if o.dead != nil {
			dead = append(dead, *o.dead)
			continue
		}
		fresh, from = append(fresh, o.task), append(from, o.origin)
	}
	err := pgx.BeginFunc(ctx, h.pool, func(tx pgx.Tx) error {
		record := store.IngestBatch{
			ID: batch, Stream: offers[0].origin.meta.Stream, Seqs: seqsOf(offers), Messages: messagesOf(offers),
		}
		if len(fresh) > 0 {
			if err := store.InsertPlans(ctx, tx, now, slices.Collect(maps.Values(plans))); err != nil {
				return err
			}
			conflicts, err := h.insertFresh(ctx, tx, &record, fresh, from)
			if err != nil {
				return err
			}
			dead = append(dead, conflicts...)
		}
		record.DeadLetters = len(dead)
		h.chaos("in_tx")
		if err := store.InsertDeadLetters(ctx, tx, batch, now, dead); err != nil {
			return err
		}
		return store.InsertIngestBatch(ctx, tx, now, record)
	})
	if err != nil {
		return fmt.Errorf("take in batch: %w", err)
	}
	return nil
}

func seqsOf(offers []offer) []uint64 {
	seqs := make([]uint64, len(offers))
	for i, o := range offers {
		seqs[i] = o.seq()
	}
	return slices.Compact(seqs)
}

// messagesOf counts messages. One whose members need several transactions counts in the first one.
func messagesOf(offers []offer) int {
	n := 0
	for i, o := range offers {
		if o.origin.member == 0 && (i == 0 || o.seq() != offers[i-1].seq()) {
			n++
		}
	}
	return n
}

// insertFresh inserts tasks and their classify job; it returns dead letters for keys that belong to another body.
func (h *tasks) insertFresh(
	ctx context.Context, tx pgx.Tx, record *store.IngestBatch, fresh []store.NewTask, from []origin,
) ([]store.DeadLetter, error) {
	intakes, err := store.InsertTasks(ctx, tx, record.ID, h.now(), fresh)
	if err != nil {
		return nil, err
	}
	var conflicts []store.DeadLetter
	for i, intake := range intakes {
		switch intake {
		case store.Inserted:
			record.Tasks++
		case store.Duplicate:
			record.Duplicates++
		case store.Conflict:
			o := h.refuse(from[i], fresh[i].Key, fresh[i].Body,
				task.Refuse(task.CodeConflict, "the id was accepted before with another body; its first body stands"))
			conflicts = append(conflicts, *o.dead)
		}
	}
	if record.Tasks == 0 {
		return conflicts, nil
	}
	params := []river.InsertManyParams{{Args: jobs.Classify{Batch: record.ID}}}
	if _, err := h.client.InsertManyFastTx(ctx, tx, params); err != nil {
		return nil, fmt.Errorf("insert classify job: %w", err)
	}
	return conflicts, nil
}

// newID makes a UUIDv7. It only fails when the system has no randomness, and then nothing of weir is safe.
func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }
