package ingest

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// heldMessages and heldBytes are the most that a process has of one stream without an answer: what is worked on, what
	// waits for it, and what has been asked for.
	heldMessages = 2 * batchers * batchMessages
	heldBytes    = 2 * batchers * batchBytes
	// overheadBytes is what subject, reply subject and headers add to the largest body.
	overheadBytes = 64 << 10
	// touches is how often within the ack's timeout JetStream is told that a held message is worked on.
	touches = 3
)

// held is what a process has of one stream and has not answered yet.
type held struct {
	mu       sync.Mutex
	messages map[jetstream.Msg]struct{}
	bytes    int
	most     int           // bytes
	largest  int           // bytes of one message
	answered chan struct{} // has room for one: there may be room again
}

// newHeld holds at least two messages of the largest size, so that one can always be asked for.
func newHeld(largest int) *held {
	largest += overheadBytes
	return &held{
		messages: map[jetstream.Msg]struct{}{}, most: max(heldBytes, 2*largest), largest: largest,
		answered: make(chan struct{}, 1),
	}
}

func (h *held) add(msg jetstream.Msg) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.messages[msg] = struct{}{}
	h.bytes += len(msg.Data())
}

func (h *held) drop(batch []jetstream.Msg) {
	h.mu.Lock()
	for _, msg := range batch {
		delete(h.messages, msg)
		h.bytes -= len(msg.Data())
	}
	h.mu.Unlock()
	select {
	case h.answered <- struct{}{}:
	default:
	}
}

// room waits until a batch, and the largest message, may be asked for; it returns how much may be. Zero at the end.
func (h *held) room(ctx context.Context) (messages, bytes int) {
	for {
		h.mu.Lock()
		messages, bytes = heldMessages-len(h.messages), h.most-h.bytes
		h.mu.Unlock()
		if messages >= batchMessages && bytes >= h.largest {
			return messages, bytes
		}
		select {
		case <-ctx.Done():
			return 0, 0
		case <-h.answered:
		}
	}
}

// touch tells JetStream until the context ends that the held messages are worked on: a burst that takes longer than the
// ack's timeout would otherwise be delivered again and again.
func (h *held) touch(ctx context.Context, ackWait time.Duration, logger *slog.Logger) {
	ticker := time.NewTicker(ackWait / touches)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, msg := range h.all() {
			if err := msg.InProgress(); err != nil { // it may just have been answered
				logger.DebugContext(ctx, "message was not kept", slog.Any("err", err))
			}
		}
	}
}

func (h *held) all() []jetstream.Msg {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]jetstream.Msg, 0, len(h.messages))
	for msg := range h.messages {
		all = append(all, msg)
	}
	return all
}
