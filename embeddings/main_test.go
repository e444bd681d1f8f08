package embeddings_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/migrations"
)

func TestMain(m *testing.M) {
	pgtest.Main(m, func(ctx context.Context, pool *pgxpool.Pool) error {
		return migrations.Up(ctx, pool, slog.New(slog.DiscardHandler))
	})
}
