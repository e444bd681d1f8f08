package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/weirhq/weir/task"
)

const (
	// purgeTick is how often the streams' fill is looked at.
	purgeTick = 30 * time.Second
	// purgePercent is the fill, in percent of MaxBytes, at which what is in Postgres already is purged.
	purgePercent = 80
)

// purger makes room in full streams: up to the ack floor everything is in Postgres. The window for a replay shrinks, and
// the log says so.
type purger struct {
	js     jetstream.JetStream
	logger *slog.Logger
}

func (p *purger) run(ctx context.Context) {
	ticker := time.NewTicker(purgeTick)
	defer ticker.Stop()
	for {
		for _, kind := range []task.Kind{task.KindTasks, task.KindOutcomes} {
			if err := p.purge(ctx, kind.Stream()); err != nil && ctx.Err() == nil {
				p.logger.WarnContext(ctx, "stream was not checked", slog.String("stream", kind.Stream()), slog.Any("err", err))
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (p *purger) purge(ctx context.Context, name string) error {
	stream, err := p.js.Stream(ctx, name)
	if err != nil {
		return fmt.Errorf("look at stream: %w", err)
	}
	info := stream.CachedInfo()
	limit := info.Config.MaxBytes
	if limit <= 0 || info.State.Bytes < uint64(limit)/100*purgePercent {
		return nil
	}
	consumer, err := stream.Consumer(ctx, consumerName)
	if err != nil {
		return fmt.Errorf("look at consumer: %w", err)
	}
	floor := consumer.CachedInfo().AckFloor.Stream
	if floor < info.State.FirstSeq {
		return nil
	}
	if err := stream.Purge(ctx, jetstream.WithPurgeSequence(floor+1)); err != nil {
		return fmt.Errorf("purge stream: %w", err)
	}
	p.logger.WarnContext(ctx, "stream was full and purged of what is in Postgres: it cannot be replayed from before now",
		slog.String("stream", name), slog.Uint64("up_to", floor), slog.Uint64("bytes", info.State.Bytes))
	return nil
}
