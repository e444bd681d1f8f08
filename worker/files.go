package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/weirhq/weir/attachments"
	"github.com/weirhq/weir/planner"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/store"
	"github.com/weirhq/weir/task"
)

const (
	// filePatience is how long after its acceptance a task waits for files that cannot be fetched: then it fails.
	filePatience = 24 * time.Hour
	// fileWait and fileWaitMost bound the wait between two fetches. It is a quarter of the task's age, so it grows without
	// anybody counting.
	fileWait     = time.Second
	fileWaitMost = time.Minute
	fileWaitPart = 4
	// fileSpread is the largest share that is added to it, so that tasks of one host do not come back together.
	fileSpread = 0.25
)

// load fetches the files of an attempt. Where that fails, done says that the task has been sent away or ended, with ok for
// whether that was written. It holds no connection to Postgres while it fetches.
func (a *attempts) load(ctx context.Context, at *attempt) (done, ok bool) {
	files, err := a.files.Fetch(ctx, at.task.Attachments)
	if err == nil {
		at.files = files
		return false, true
	}
	m, now := at.member, a.now()
	age := now.Sub(m.AcceptedAt)
	failed, known := errors.AsType[*attachments.FetchError](err)
	if !known || !failed.Passing || age >= filePatience {
		return true, a.end(ctx, at.ending(task.Failed, err.Error()))
	}
	wait := min(max(age/fileWaitPart, fileWait), fileWaitMost)
	wait += time.Duration(float64(wait) * fileSpread * jitter())
	parked, err := store.Park(ctx, a.pool, m.TaskID, at.bundle, wait, failed.Reason)
	if err != nil {
		a.logger.WarnContext(ctx, "task was not parked", slog.String("task_id", m.TaskID.String()), slog.Any("err", err))
		return true, false
	}
	if parked {
		a.logger.DebugContext(ctx, "file was not fetched", slog.String("task_id", m.TaskID.String()),
			slog.String("reason", failed.Reason), slog.Duration("wait", wait))
	}
	return true, true
}

// ending is the end of an attempt that never became one.
func (at *attempt) ending(status task.Status, reason string) store.Ending {
	return store.Ending{
		TaskID: at.member.TaskID, ResultID: resultID(at.member), BundleID: at.bundle, Status: status, Reason: reason,
	}
}

// promptBound is the most tokens that a call's prompt can have: no token of a text has less than a byte, and a file has as
// many as its pixels and pages come to. Where a file does not tell, it is the most that the provider takes; false when
// that is not known either.
func promptBound(models *planner.Models, model, id string, body int, files []providers.Attachment) (int64, bool) {
	bound := int64(body + boundSlack)
	limit, meter := models.PromptLimit(model), models.Meter(model)
	for _, file := range files {
		most, known := meter.Most(id, file.MediaType, file.Data)
		if !known {
			return limit, limit > 0
		}
		bound += most - encodedLen(len(file.Data))
	}
	if len(files) > 0 && limit > 0 {
		bound = min(bound, limit)
	}
	return bound, true
}

// encodedLen is how many bytes of a request a file takes in base64, in every format.
func encodedLen(n int) int64 { return int64((n + 2) / 3 * 4) }
