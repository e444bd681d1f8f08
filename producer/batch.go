package producer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// fewMessages is the size from which a refused batch is sent one by one rather than halved again: a duplicate by itself
// costs no disk sync, a refused batch has been written to disk for nothing.
const fewMessages = 64

// send publishes messages of one stream and returns how many of them the stream had already. They go as one atomic batch,
// which costs one disk sync: the stream takes all of them or none. Where one message spoils the batch, halves of it are
// sent, so that only that message fails or is dropped; a batch that was stored while its acknowledgement got lost comes
// out as duplicates in this way.
func (p *Producer) send(ctx context.Context, messages []message, fullWait time.Duration) (duplicates int, err error) {
	if len(messages) <= 1 {
		return p.sendEach(ctx, messages, fullWait)
	}
	err = p.retry(ctx, fullWait, func(ctx context.Context) error { return p.sendBatch(ctx, messages) })
	switch code := errorCode(err); {
	case code == jetstreamext.JSErrCodeBatchPublishNotEnabled:
		return p.sendEach(ctx, messages, fullWait)
	case slices.Contains(spoiltCodes(), code):
		return p.sendHalves(ctx, messages, fullWait)
	}
	return 0, err
}

// spoiltCodes are the answers to a batch of which a part may still be taken.
func spoiltCodes() []jetstream.ErrorCode {
	return []jetstream.ErrorCode{
		jetstreamext.JSErrCodeBatchPublishDuplicateMsgID,
		jetstreamext.JSErrCodeBatchPublishIncomplete, // also what a message of the middle that is too large comes out as
		jetstreamext.JSErrCodeBatchPublishExceedsLimit,
	}
}

func (p *Producer) sendBatch(ctx context.Context, messages []message) error {
	batch := make([]*nats.Msg, len(messages))
	for i, m := range messages {
		batch[i] = m.nats()
	}
	_, err := jetstreamext.PublishMsgBatch(ctx, p.js, batch)
	return err
}

func (p *Producer) sendHalves(ctx context.Context, messages []message, fullWait time.Duration) (duplicates int, err error) {
	if len(messages) <= fewMessages {
		return p.sendEach(ctx, messages, fullWait)
	}
	middle := len(messages) / 2
	first, err := p.send(ctx, messages[:middle], fullWait)
	if err != nil {
		return first, err
	}
	second, err := p.send(ctx, messages[middle:], fullWait)
	return first + second, err
}

func (p *Producer) sendEach(ctx context.Context, messages []message, fullWait time.Duration) (duplicates int, err error) {
	for _, m := range messages {
		ack, err := p.sendOne(ctx, m, fullWait)
		if err != nil {
			return duplicates, fmt.Errorf("message %q: %w", m.id, err)
		}
		if ack.Duplicate {
			duplicates++
		}
	}
	return duplicates, nil
}
