package task

// FailureClass is why an attempt brought no verdict: the row of the retry table that applies to it.
type FailureClass string

// The failure classes of one attempt. Whether each was billed, and what follows from it, is cascade's table.
const (
	FailNotSent     FailureClass = "not_sent"     // nothing left this machine: dial, DNS, TLS, cancelled before the write
	FailRateLimited FailureClass = "rate_limited" // a window that opens again
	FailSlowDown    FailureClass = "slow_down"    // the rate rose too fast
	FailQuota       FailureClass = "quota_dead"   // a quota or spend limit that does not heal by waiting a little
	FailOverloaded  FailureClass = "overloaded"   // 503, 529
	FailServer      FailureClass = "server_error" // 500, 502, 504
	FailTimeout     FailureClass = "timeout"      // sent, and no whole answer in time: maybe billed
	FailLostNet     FailureClass = "lost_net"     // the connection broke after the write: maybe billed
	FailLost        FailureClass = "lost"         // the process died: maybe billed
	FailMalformed   FailureClass = "malformed"    // an answer that is not the provider's format, or too large
	FailAuth        FailureClass = "auth"         // 401, 403
	FailNotFound    FailureClass = "not_found"    // the model is unknown or retired
	FailBadRequest  FailureClass = "bad_request"  // 400
	FailTooLong     FailureClass = "too_long"     // the prompt exceeds the model's input limit
	FailRefusal     FailureClass = "refusal"      // the model or a content filter refused
	FailTruncated   FailureClass = "truncated"    // the answer hit the output limit
	FailInvalid     FailureClass = "invalid"      // a validator rejected the answer, or the provider did
	FailInternal    FailureClass = "internal"     // a bug of weir's
)

// NeverBilled says that providers bill nothing for such a failure, as long as its answer was not metered: nothing left, or
// it was turned away at the door.
func (c FailureClass) NeverBilled() bool {
	switch c {
	case FailNotSent, FailRateLimited, FailSlowDown, FailQuota, FailOverloaded, FailAuth, FailNotFound, FailBadRequest,
		FailTooLong:
		return true
	case FailServer, FailTimeout, FailLostNet, FailLost, FailMalformed, FailRefusal, FailTruncated, FailInvalid,
		FailInternal:
		return false
	}
	return false
}
