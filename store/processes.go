package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrReaped says that the others have given this process up: its work is theirs now.
var ErrReaped = errors.New("this process was silent for longer than its lease and has been given up by the others: " +
	"start it again; its unfinished tasks go on elsewhere")

// Process is one running weir.
type Process struct {
	ID      uuid.UUID // the boot id: a new one for each start
	Host    string
	Roles   []string
	Version string
}

// Register enters a process.
func Register(ctx context.Context, db DB, now time.Time, p Process) error {
	_, err := db.Exec(ctx, `
		INSERT INTO weir.processes (id, host, roles, version, started_at, beat_at)
		VALUES (@id, @host, @roles, @version, @now, now())`,
		pgx.NamedArgs{"id": p.ID, "host": p.Host, "roles": p.Roles, "version": p.Version, "now": now})
	if err != nil {
		return fmt.Errorf("register process: %w", err)
	}
	return nil
}

// Rate is what a process tells of its calls under a rate limit.
type Rate struct {
	// Demand is the calls that wait and those under way.
	Demand int `json:"demand"`
	// Part is to which part of its share refusals have slowed it down since Since; nil when they have not.
	Part  *float64   `json:"part,omitempty"`
	Since *time.Time `json:"since,omitempty"`
}

// Peer is another process that has beaten lately.
type Peer struct {
	ID    uuid.UUID
	Rates map[string]Rate
}

// Fleet is what a beat learns of the others.
type Fleet struct {
	Peers []Peer
	Gates []Gate
}

// Beat renews the lease and tells the process's rates; ErrReaped when there is no lease left. It reads the other
// processes that have beaten within the given time, and the gates.
func Beat(ctx context.Context, db DB, id uuid.UUID, rates map[string]Rate, within time.Duration) (Fleet, error) {
	if rates == nil {
		rates = map[string]Rate{}
	}
	var fleet Fleet
	renewed := false
	batch := &pgx.Batch{}
	batch.Queue(`UPDATE weir.processes SET beat_at = now(), rates = @rates WHERE id = @id`,
		pgx.NamedArgs{"id": id, "rates": rates}).
		Exec(func(tag pgconn.CommandTag) error {
			renewed = tag.RowsAffected() > 0
			return nil
		})
	batch.Queue(`SELECT id, rates FROM weir.processes WHERE id <> @id AND beat_at > now() - @within::bigint * interval '1 ms'`,
		pgx.NamedArgs{"id": id, "within": millis(within)}).
		Query(func(rows pgx.Rows) (err error) {
			fleet.Peers, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Peer])
			return err
		})
	batch.Queue(readGates).Query(func(rows pgx.Rows) (err error) {
		fleet.Gates, err = pgx.CollectRows(rows, scanGate)
		return err
	})
	if err := db.SendBatch(ctx, batch).Close(); err != nil {
		return Fleet{}, fmt.Errorf("beat: %w", err)
	}
	if !renewed {
		return Fleet{}, ErrReaped
	}
	return fleet, nil
}

// Deregister removes a process that ended its work.
func Deregister(ctx context.Context, db DB, id uuid.UUID) error {
	if _, err := db.Exec(ctx, `DELETE FROM weir.processes WHERE id = @id`, pgx.NamedArgs{"id": id}); err != nil {
		return fmt.Errorf("deregister process: %w", err)
	}
	return nil
}

// DeadProcesses takes the processes that were silent for longer than the lease, and the owners of open attempts that
// have no process: one that was given up may have started a last attempt. Another reaper's are skipped, and so is self:
// whoever asks is alive.
func DeadProcesses(ctx context.Context, tx DB, self uuid.UUID, lease time.Duration) ([]uuid.UUID, error) {
	rows, err := tx.Query(ctx, `
		WITH silent AS (
		    SELECT id FROM weir.processes
		    WHERE beat_at < now() - @lease * interval '1 ms' AND id <> @self
		    FOR UPDATE SKIP LOCKED),
		removed AS (
		    DELETE FROM weir.processes p USING silent s WHERE p.id = s.id),
		orphaned AS (
		    SELECT DISTINCT a.owner AS id
		    FROM weir.attempts a
		    WHERE a.state = 'in_flight'
		      AND a.started_at < now() - @lease * interval '1 ms'
		      AND a.owner <> @self
		      AND NOT EXISTS (SELECT FROM weir.processes p WHERE p.id = a.owner))
		SELECT id FROM silent UNION SELECT id FROM orphaned`,
		pgx.NamedArgs{"lease": millis(lease), "self": self})
	if err != nil {
		return nil, fmt.Errorf("find dead processes: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("find dead processes: %w", err)
	}
	return ids, nil
}

// LockTasks locks the given tasks and those that bundles hold in the order of their ids, the order of every statement
// that locks several: a transaction that changes them in more than one step takes them all first.
func LockTasks(ctx context.Context, tx DB, tasks, bundles []uuid.UUID) error {
	_, err := tx.Exec(ctx, `
		SELECT FROM weir.tasks
		WHERE id IN (SELECT unnest(@tasks::uuid[])
		             UNION
		             SELECT id FROM weir.tasks WHERE state = 'released' AND bundle_id = ANY (@bundles::uuid[]))
		ORDER BY id
		FOR NO KEY UPDATE`, pgx.NamedArgs{"tasks": idArray(tasks), "bundles": idArray(bundles)})
	if err != nil {
		return fmt.Errorf("lock tasks: %w", err)
	}
	return nil
}

// BundlesOf returns the bundles of dead owners that still hold released tasks.
func BundlesOf(ctx context.Context, db DB, owners []uuid.UUID) ([]uuid.UUID, error) {
	rows, err := db.Query(ctx, `
		SELECT DISTINCT b.id
		FROM weir.tasks t
		JOIN weir.bundles b ON b.id = t.bundle_id
		WHERE t.state = 'released' AND b.owner = ANY (@owners::uuid[])`, pgx.NamedArgs{"owners": owners})
	if err != nil {
		return nil, fmt.Errorf("find bundles of dead processes: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("find bundles of dead processes: %w", err)
	}
	return ids, nil
}
