// Package ledgertest checks the invariants of weir's ledger: what must hold in every database at any time, whatever
// crashed in between. Tests call Check at their end.
package ledgertest

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// shown is how many rows of a violation are named.
const shown = 5

// Check fails the test when an invariant is violated.
func Check(tb testing.TB, pool *pgxpool.Pool) {
	tb.Helper()
	found, err := Violations(tb.Context(), pool)
	require.NoError(tb, err)
	require.Empty(tb, found, "the ledger's invariants must hold")
}

// Violations lists what is violated: the invariant's name, its rule, and some of the rows.
func Violations(ctx context.Context, pool *pgxpool.Pool) ([]string, error) {
	var found []string
	// one snapshot for all: a ledger that is being written to is whole only within one
	err := pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly},
		func(tx pgx.Tx) error {
			for _, inv := range append(stateInvariants(), moneyInvariants()...) {
				rows, err := tx.Query(ctx, inv.sql)
				if err != nil {
					return fmt.Errorf("check %s: %w", inv.name, err)
				}
				broken, err := pgx.CollectRows(rows, pgx.RowTo[string])
				if err != nil {
					return fmt.Errorf("check %s: %w", inv.name, err)
				}
				if len(broken) > 0 {
					found = append(found, fmt.Sprintf("%s: %s: %d rows, such as %v",
						inv.name, inv.rule, len(broken), broken[:min(len(broken), shown)]))
				}
			}
			return nil
		})
	return found, err
}

// invariant is a query that must find nothing; its one column names a row.
type invariant struct {
	name string
	rule string
	sql  string
}
