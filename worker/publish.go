package worker

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// errRefused says that the stream does not take a message, whatever becomes of the others.
var errRefused = errors.New("the stream refuses the message")

// publishAll puts messages of one stream into it and says of each whether it is on disk: nil, or why it is not. They go
// as one atomic batch: with sync_interval always, that is one sync for all of them, where single messages take one each.
// A batch that is refused is halved, because one message that the stream has already, or will never take, refuses it
// whole; alone, a message that the stream has counts as stored, and one that it never takes is errRefused. When the
// server does not answer, or takes nothing at all, what is left is not tried and carries that error.
func publishAll(ctx context.Context, js jetstream.JetStream, messages []*nats.Msg) []error {
	outcomes := make([]error, len(messages))
	_ = publishHalves(ctx, js, messages, outcomes) // the outcomes carry it
	return outcomes
}

// publishHalves fills in the outcomes. Its error is the one that kept it from going on.
func publishHalves(ctx context.Context, js jetstream.JetStream, messages []*nats.Msg, outcomes []error) error {
	err := publishBatch(ctx, js, messages)
	switch {
	case err == nil:
		return nil
	case !ofMessages(err):
		fill(outcomes, err)
		return err
	case len(messages) == 1:
		outcomes[0] = fmt.Errorf("%w: %w", errRefused, err)
		return nil
	}
	half := len(messages) / 2
	if err := publishHalves(ctx, js, messages[:half], outcomes[:half]); err != nil {
		fill(outcomes[half:], err)
		return err
	}
	return publishHalves(ctx, js, messages[half:], outcomes[half:])
}

func fill(outcomes []error, err error) {
	for i := range outcomes {
		outcomes[i] = err
	}
}

// publishBatch publishes messages as one atomic batch, a lone message as itself.
func publishBatch(ctx context.Context, js jetstream.JetStream, messages []*nats.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	if len(messages) > 1 {
		_, err := jetstreamext.PublishMsgBatch(ctx, js, messages)
		return err
	}
	message := nats.NewMsg(messages[0].Subject)
	// none of the batch headers of an earlier try may stay
	message.Header.Set(jetstream.MsgIDHeader, messages[0].Header.Get(jetstream.MsgIDHeader))
	message.Data = messages[0].Data
	if _, err := js.PublishMsg(ctx, message); err != nil {
		return fmt.Errorf("publish to %s: %w", message.Subject, err)
	}
	return nil
}

// ofMessages tells a refusal of these messages from a server that is away, full or out of resources: that one would
// refuse all others as well.
func ofMessages(err error) bool {
	if answer, ok := errors.AsType[*jetstream.APIError](err); ok {
		return answer.Code < http.StatusInternalServerError
	}
	return errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, jetstreamext.ErrInvalidBatchAck)
}
