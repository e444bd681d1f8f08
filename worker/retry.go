package worker

import (
	"time"

	"github.com/riverqueue/river/rivertype"
)

// retryPolicy is for errors of weir's own, such as a Postgres that is away: River's default would wait minutes after a
// few of them. It never retries a model call: those are not errors of a job.
type retryPolicy struct {
	now func() time.Time
}

const (
	retryBase = 500 * time.Millisecond
	retryCap  = 10 * time.Second
)

// NextRetry doubles from retryBase to retryCap.
func (p retryPolicy) NextRetry(job *rivertype.JobRow) time.Time {
	wait := retryCap
	if n := len(job.Errors); n < 5 {
		wait = min(retryCap, retryBase<<n)
	}
	return p.now().Add(wait)
}
