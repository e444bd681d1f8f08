// Package store is weir's SQL: each statement stands beside its one function and takes the DB that it runs on, so that
// the caller owns the transaction. It knows nothing of River, NATS or providers.
package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/weirhq/weir/task"
)

// DB is what a statement runs on: a pool, a connection or a transaction.
type DB interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error)
	SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults
}

// The states of a task that is not finished. A finished task's state is its status.
const (
	StateQueued    = "queued"    // accepted, not classified
	StateReady     = "ready"     // waits for the dispatcher
	StateParked    = "parked"    // ready again at not_before
	StateReleased  = "released"  // in a bundle
	StateSubmitted = "submitted" // in a provider's batch
)

// The states of an attempt.
const (
	AttemptInFlight = "in_flight"
	AttemptClosed   = "closed"
	AttemptLost     = "lost"
	AttemptNotSent  = "not_sent"
)

// The verdicts of a closed attempt.
const (
	VerdictAccepted = "accepted"
	VerdictRejected = "rejected"
	VerdictErrored  = "errored"
)

// DataError reports whether Postgres refused the data itself (SQLSTATE classes 22 and 23, and 54: beyond its limits, such
// as JSON that is nested too deeply): trying again does not help, and one row of many may be the cause.
func DataError(err error) bool {
	code := sqlState(err)
	if len(code) != 5 || missingPartition(err) {
		return false
	}
	switch code[:2] {
	case "22", "23", "54":
		return true
	}
	return false
}

// Retryable reports whether the same transaction may succeed later: the connection broke (also before an answer to a
// commit, which leaves its end unknown), a serialization failure, deadlock or lock timeout, too few resources, a server
// that goes down, is a standby, breaks inside or cannot reach its disk, a transaction that stood idle for too long, a
// cached statement that a migration has outdated, a partition that is yet to be made.
func Retryable(err error) bool {
	code := sqlState(err)
	if code == "" {
		return err != nil && !errors.Is(err, context.Canceled)
	}
	switch code {
	case "0A000", "25006", "25P03", "55P03":
		return true
	}
	switch code[:2] {
	case "08", "40", "53", "57", "58", "XX":
		return true
	}
	return missingPartition(err)
}

// missingPartition tells a row for which no partition has been made from one that breaks a CHECK constraint: Postgres has
// one SQLSTATE for both, but only the latter has a constraint's name. Partitions are made by maintenance, so such a row
// is late, not poisoned.
func missingPartition(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == "23514" && pgErr.ConstraintName == ""
}

func sqlState(err error) string {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pgErr.Code
	}
	return ""
}

// millis is a duration for "now() + @x * interval '1 ms'".
func millis(d time.Duration) int64 { return d.Milliseconds() }

// nullText is nil for an empty string: an absent text is NULL, never ”.
func nullText[S ~string](s S) *string {
	if s == "" {
		return nil
	}
	text := string(s)
	return &text
}

func picoArg(p *task.Pico) *int64 {
	if p == nil {
		return nil
	}
	n := int64(*p)
	return &n
}

func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}
