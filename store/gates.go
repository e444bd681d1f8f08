package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// The scopes of gates.
const (
	ScopeProvider = "provider"
	ScopeModel    = "model"
	ScopeFeature  = "feature"
)

// The states of gates. What is closed has no gate, or one that only counts strikes.
const (
	GateLimited = "limited" // the provider asked for a long wait
	GateOpen    = "open"    // nothing is called until the next probe
	GateProbing = "probing" // one task finds out
	GateRamping = "ramping" // the probe came through: more and more is called
)

// GateKey names a gate.
type GateKey struct {
	Scope string
	Name  string
}

// Gate is a model, an account or a feature that the whole fleet leaves alone. Times are relative to the database's clock,
// so that no other clock matters.
type Gate struct {
	GateKey
	State string
	Hard  bool
	// Left is the time to the next probe, or to the end of a limit; 0 or less when that has come.
	Left time.Duration
	// Ramped is how long ago the probe came through; 0 or more.
	Ramped time.Duration
}

// Shut says that nothing but a probe is to be called.
func (g Gate) Shut() bool { return g.State != GateRamping }

// Due says that a probe is to be sent.
func (g Gate) Due() bool { return g.Left <= 0 && (g.State == GateOpen || g.State == GateProbing) }

// readGates reads the gates that matter now. A reader's now() is its transaction's start, and the probe may have come
// through since: then it ramps from 0.
const readGates = `
	SELECT scope, name, state, hard,
	       coalesce(extract(epoch FROM until - now()) * 1000, 0)::bigint AS left_ms,
	       greatest(extract(epoch FROM now() - ramp_at) * 1000, 0)::bigint AS ramped_ms
	FROM weir.gates
	WHERE state IN ('open', 'probing', 'ramping') OR (state = 'limited' AND until > now())`

func scanGate(row pgx.CollectableRow) (Gate, error) {
	var g Gate
	var left, ramped int64
	err := row.Scan(&g.Scope, &g.Name, &g.State, &g.Hard, &left, &ramped)
	g.Left, g.Ramped = time.Duration(left)*time.Millisecond, time.Duration(ramped)*time.Millisecond
	return g, err
}

// Gates reads the gates that matter now.
func Gates(ctx context.Context, db DB) ([]Gate, error) {
	rows, err := db.Query(ctx, readGates)
	if err != nil {
		return nil, fmt.Errorf("read gates: %w", err)
	}
	gates, err := pgx.CollectRows(rows, scanGate)
	if err != nil {
		return nil, fmt.Errorf("read gates: %w", err)
	}
	return gates, nil
}

// Opening is why a gate opens, and for how long: First at first, twice that with each opening in a row up to Most; Hard
// instead where only a person can help.
type Opening struct {
	Failure string
	Reason  string
	First   time.Duration
	Most    time.Duration
	Hard    time.Duration // 0: not hard
}

func (o Opening) args(key GateKey) pgx.NamedArgs {
	return pgx.NamedArgs{
		"scope": key.Scope, "name": key.Name, "failure": o.Failure, "reason": o.Reason, "first": millis(o.First),
		"most": millis(o.Most), "hard": o.Hard > 0, "hard_wait": millis(o.Hard),
	}
}

// untilNext is the time of the next probe of a gate g that opens once more.
const untilNext = `now() + CASE WHEN @hard THEN @hard_wait
	ELSE least(@most::bigint, @first::bigint << least(g.openings, 20)) END * interval '1 ms'`

// OpenGate opens a gate; false when it is open already, or a probe is under way that will tell. A gate that is to heal by
// itself becomes a hard one when that is asked for.
func OpenGate(ctx context.Context, db DB, key GateKey, o Opening) (opened bool, err error) {
	tag, err := db.Exec(ctx, `
		INSERT INTO weir.gates AS g (scope, name, state, hard, openings, failure, reason, since, until)
		VALUES (@scope, @name, 'open', @hard, 1, @failure, @reason, now(),
		        now() + CASE WHEN @hard THEN @hard_wait::bigint ELSE @first::bigint END * interval '1 ms')
		ON CONFLICT (scope, name) DO UPDATE
		SET state = 'open',
		    hard = excluded.hard,
		    openings = g.openings + 1,
		    failure = excluded.failure,
		    reason = excluded.reason,
		    since = CASE WHEN g.state IN ('open', 'probing', 'ramping') THEN g.since ELSE now() END,
		    until = `+untilNext+`,
		    probe_bundle = NULL,
		    ramp_at = NULL
		WHERE g.state IN ('closed', 'limited', 'ramping') OR (excluded.hard AND NOT g.hard)`, o.args(key))
	if err != nil {
		return false, fmt.Errorf("open gate: %w", err)
	}
	return tag.RowsAffected() > 0, nil
}

// LimitGate keeps everybody away for as long as a provider asked for; the longer of two waits stands.
func LimitGate(ctx context.Context, db DB, key GateKey, wait time.Duration, failure, reason string) (limited bool, err error) {
	tag, err := db.Exec(ctx, `
		INSERT INTO weir.gates AS g (scope, name, state, failure, reason, since, until)
		VALUES (@scope, @name, 'limited', @failure, @reason, now(), now() + @wait::bigint * interval '1 ms')
		ON CONFLICT (scope, name) DO UPDATE
		SET state = 'limited',
		    failure = excluded.failure,
		    reason = excluded.reason,
		    since = CASE WHEN g.state = 'limited' AND g.until > now() THEN g.since ELSE now() END,
		    until = excluded.until
		WHERE g.state = 'closed' OR (g.state = 'limited' AND g.until < excluded.until)`,
		pgx.NamedArgs{
			"scope": key.Scope, "name": key.Name, "wait": millis(wait), "failure": failure, "reason": reason,
		})
	if err != nil {
		return false, fmt.Errorf("limit gate: %w", err)
	}
	return tag.RowsAffected() > 0, nil
}

// Strike counts a refused request of a feature. The gate opens, hard, with the given number of them within the window,
// and true is returned to whoever opened it.
func Strike(
	ctx context.Context, db DB, feature string, strikes int, window time.Duration, o Opening,
) (opened bool, err error) {
	args := o.args(GateKey{ScopeFeature, feature})
	args["strikes"], args["window"] = strikes, millis(window)
	err = db.QueryRow(ctx, `
		WITH struck AS (
		    INSERT INTO weir.gates AS g (scope, name, state, strikes, strikes_at)
		    VALUES (@scope, @name, 'closed', 1, now())
		    ON CONFLICT (scope, name) DO UPDATE
		    SET strikes = CASE WHEN g.strikes_at > now() - @window::bigint * interval '1 ms' THEN g.strikes + 1 ELSE 1 END,
		        strikes_at = CASE WHEN g.strikes_at > now() - @window::bigint * interval '1 ms' THEN g.strikes_at ELSE now() END
		    RETURNING g.state, g.strikes)
		SELECT state IN ('closed', 'ramping') AND strikes >= @strikes FROM struck`, args).Scan(&opened)
	if err != nil {
		return false, fmt.Errorf("count refused request: %w", err)
	}
	if !opened {
		return false, nil
	}
	return OpenGate(ctx, db, GateKey{ScopeFeature, feature}, o)
}

// StartProbe notes that a bundle finds out about gates. It is given up after lease: its process has died.
func StartProbe(ctx context.Context, tx DB, bundle uuid.UUID, keys []GateKey, lease time.Duration) error {
	for _, key := range keys {
		_, err := tx.Exec(ctx, `
			UPDATE weir.gates
			SET state = 'probing', probe_bundle = @bundle, until = now() + @lease::bigint * interval '1 ms'
			WHERE scope = @scope AND name = @name AND state IN ('open', 'probing')`,
			pgx.NamedArgs{"scope": key.Scope, "name": key.Name, "bundle": bundle, "lease": millis(lease)})
		if err != nil {
			return fmt.Errorf("start probe: %w", err)
		}
	}
	return nil
}

// ProbeEnd is what a probe found out about a gate.
type ProbeEnd string

// The ends of a probe.
const (
	ProbeUp     ProbeEnd = "up"     // it came through
	ProbeDown   ProbeEnd = "down"   // as before
	ProbeUnmade ProbeEnd = "unmade" // it tells nothing: another one is due after First
)

// EndProbe moves the gates of one scope that a bundle was to find out about.
func EndProbe(ctx context.Context, db DB, bundle uuid.UUID, scope string, end ProbeEnd, o Opening) error {
	args := o.args(GateKey{Scope: scope})
	args["bundle"], args["end"] = bundle, string(end)
	_, err := db.Exec(ctx, `
		UPDATE weir.gates g
		SET state = CASE WHEN @end = 'up' THEN 'ramping' ELSE 'open' END,
		    hard = CASE @end WHEN 'up' THEN false WHEN 'down' THEN @hard ELSE hard END,
		    openings = openings + (@end = 'down')::integer,
		    failure = CASE WHEN @end = 'down' THEN @failure ELSE failure END,
		    reason = CASE WHEN @end = 'down' THEN @reason ELSE reason END,
		    until = CASE @end WHEN 'down' THEN `+untilNext+` WHEN 'unmade' THEN now() + @first::bigint * interval '1 ms' END,
		    ramp_at = CASE WHEN @end = 'up' THEN now() END,
		    strikes = 0,
		    probe_bundle = NULL
		WHERE probe_bundle = @bundle AND scope = @scope`, args)
	if err != nil {
		return fmt.Errorf("end probe: %w", err)
	}
	return nil
}

// CloseGates ends what has healed: openings are counted anew.
func CloseGates(ctx context.Context, db DB, keys []GateKey) error {
	for _, key := range keys {
		_, err := db.Exec(ctx, `
			UPDATE weir.gates
			SET state = 'closed', hard = false, openings = 0, failure = NULL, reason = NULL, since = NULL, until = NULL,
			    ramp_at = NULL
			WHERE scope = @scope AND name = @name AND state = 'ramping'`, pgx.NamedArgs{"scope": key.Scope, "name": key.Name})
		if err != nil {
			return fmt.Errorf("close gate: %w", err)
		}
	}
	return nil
}

// ResetGates removes gates by name, in all scopes, and returns what it removed: a person says that the cause is gone.
func ResetGates(ctx context.Context, db DB, name string) ([]GateKey, error) {
	rows, err := db.Query(ctx, `
		DELETE FROM weir.gates WHERE name = @name AND state <> 'closed' RETURNING scope, name`, pgx.NamedArgs{"name": name})
	if err != nil {
		return nil, fmt.Errorf("reset gates: %w", err)
	}
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByPos[GateKey])
	if err != nil {
		return nil, fmt.Errorf("reset gates: %w", err)
	}
	return keys, nil
}

// ProbeHard lets the hard gates be tried at once: a process starts, perhaps with a new key or another configuration.
func ProbeHard(ctx context.Context, db DB) error {
	if _, err := db.Exec(ctx, `UPDATE weir.gates SET until = now() WHERE hard AND state = 'open'`); err != nil {
		return fmt.Errorf("make hard gates due: %w", err)
	}
	return nil
}
