package worker

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// publishAll puts messages of one stream into it and returns when they are on disk. They go as one atomic batch: with
// sync_interval always, that is one sync for all of them, where single messages take one each. A batch that is refused
// is halved, because one message that the stream has already refuses it whole; alone, that message counts as stored.
func publishAll(ctx context.Context, js jetstream.JetStream, messages []*nats.Msg) error {
	if len(messages) == 1 {
		message := nats.NewMsg(messages[0].Subject)
		// none of the batch headers of an earlier try may stay
		message.Header.Set(jetstream.MsgIDHeader, messages[0].Header.Get(jetstream.MsgIDHeader))
		message.Data = messages[0].Data
		if _, err := js.PublishMsg(ctx, message); err != nil {
			return fmt.Errorf("publish to %s: %w", message.Subject, err)
		}
		return nil
	}
	_, err := jetstreamext.PublishMsgBatch(ctx, js, messages)
	if err == nil || ctx.Err() != nil {
		return err
	}
	half := len(messages) / 2
	if err := publishAll(ctx, js, messages[:half]); err != nil {
		return err
	}
	return publishAll(ctx, js, messages[half:])
}
