package producer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

var (
	// ErrStreamFull says that the stream has reached its size and took nothing. It makes room as weir takes tasks in:
	// publish the same tasks again later, or set Options.FullWait.
	ErrStreamFull = errors.New("the stream is full: publish again when weir has taken some of its tasks in")
	// ErrNoStream says that nobody takes messages on the subject: weir has not created its streams on this NATS server,
	// or JetStream is off there.
	ErrNoStream = errors.New("no stream takes the subject: is weir running on this NATS server, with JetStream on?")
	// ErrNoAnswer says that no acknowledgement came in time. The message may have been stored all the same. A subject that
	// the connection has no permission for looks like this too.
	ErrNoAnswer = errors.New("no acknowledgement in time: is the NATS server well, and the subject permitted?")
)

const (
	errCodeStoreFailed = 10077 // also with a full disk: the description tells
	tooManyRequests    = 429
	serverError        = 500
)

// retry calls try until it succeeds, the error is a lasting one, or the attempts are used up. While the stream is full,
// it goes on for fullWait, whatever the attempts.
func (p *Producer) retry(ctx context.Context, fullWait time.Duration, try func(context.Context) error) error {
	wait := p.config.RetryWait
	fullUntil := p.config.Now().Add(fullWait)
	for attempt := 1; ; attempt++ {
		err := classify(ctx, p.once(ctx, try))
		switch {
		case err == nil:
			return nil
		case errors.Is(err, ErrStreamFull):
			if !p.config.Now().Add(wait).Before(fullUntil) {
				return err
			}
		case !passing(err) || attempt >= p.config.Attempts:
			return err
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, maxRetryWait)
	}
}

func (p *Producer) once(ctx context.Context, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, p.config.Timeout)
	defer cancel()
	return try(ctx)
}

func pause(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// classify puts the errors that a caller acts on in weir's words. The original stays wrapped.
func classify(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrNoStreamResponse),
		errors.Is(err, jetstream.ErrStreamNotFound), errors.Is(err, jetstream.ErrJetStreamNotEnabled):
		return fmt.Errorf("%w (%w)", ErrNoStream, err)
	case errors.Is(err, nats.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w (%w)", ErrNoAnswer, err)
	case errorCode(err) == errCodeStoreFailed && strings.Contains(err.Error(), "maximum"):
		return fmt.Errorf("%w (%w)", ErrStreamFull, err)
	}
	return err
}

// passing reports whether the same message may be taken a moment later.
func passing(err error) bool {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return api.Code == tooManyRequests || api.Code >= serverError
	}
	return errors.Is(err, ErrNoStream) || errors.Is(err, ErrNoAnswer) || // a change of the stream's leader looks like both
		errors.Is(err, nats.ErrDisconnected) || errors.Is(err, nats.ErrReconnectBufExceeded) ||
		errors.Is(err, nats.ErrConnectionReconnecting) || errors.Is(err, jetstreamext.ErrInvalidBatchAck)
}

func errorCode(err error) jetstream.ErrorCode {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return api.ErrorCode
	}
	return 0
}
