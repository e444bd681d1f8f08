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

	"github.com/weirhq/weir/store"
)

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
			for _, inv := range store.Invariants() {
				broken, err := inv.Check(ctx, tx)
				if err != nil {
					return err
				}
				if broken != nil {
					found = append(found, fmt.Sprintf("%s: %s: %d rows, such as %v",
						broken.Invariant, broken.Rule, broken.Count, broken.Rows))
				}
			}
			return nil
		})
	return found, err
}
