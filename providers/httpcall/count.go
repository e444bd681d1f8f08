package httpcall

import (
	"context"
	"encoding/json"
	"time"

	"github.com/weirhq/weir/providers"
)

const (
	// CountTimeout bounds one question for a count of tokens as a whole: a plan that waits for it is better than none only
	// so long.
	CountTimeout = 5 * time.Second
	// CountConns is the most such questions in flight to one endpoint. They have connections of their own, so that they
	// neither wait for calls nor hold them up.
	CountConns = 4
)

// NewCounter builds the client that asks the same endpoint for counts of tokens.
func NewCounter(cfg providers.Config, wire Wire) (*Client, error) {
	cfg.Timeout, cfg.MaxConns = CountTimeout, CountConns
	return New(cfg, wire)
}

// Count asks once how many tokens a prompt has. Decode reads an answer of status 2xx. Every error is a
// *providers.CallError.
func (c *Client) Count(
	ctx context.Context, r providers.Request, decode func(Answer) (int64, *Fault),
) (int64, error) {
	var count int64
	err := c.exchange(ctx, r, c.wire.Format.Fault, func(a Answer) *Fault {
		var fault *Fault
		count, fault = decode(a)
		return fault
	})
	if err != nil {
		return 0, err
	}
	return count, nil
}

// CountOf is the number in an answer, or that there is none: every prompt has a token.
func CountOf(a Answer, raw json.RawMessage) (int64, *Fault) {
	var n int64
	if json.Unmarshal(raw, &n) != nil || n <= 0 || n > maxTokens {
		fault := Garbled(a, "the answer is no count of tokens")
		return 0, &fault
	}
	return n, nil
}
