package httpcall

import (
	"net/http"
	"strconv"
	"time"

	"github.com/weirhq/weir/providers"
)

const (
	// maxRateLimit is far above every limit by the minute: a larger number is a mistake.
	maxRateLimit = 1_000_000_000_000
	// resetSlack is by how much the reset of a limit by the minute may be later than its fill says.
	resetSlack = 2 * time.Second
)

// RateLimits reads what an answer says of its account's limits, in Anthropic's headers and in OpenAI's, which many others
// send too. The limit itself counts only when the reset shows that it is one by the minute: the same headers are used for
// limits by the day.
func RateLimits(header http.Header, now time.Time) providers.RateLimits {
	var said providers.RateLimits
	for _, h := range []struct {
		limit, remaining, reset string
		into                    *providers.RateLimit
	}{
		{"Anthropic-Ratelimit-Requests-Limit", "Anthropic-Ratelimit-Requests-Remaining", "Anthropic-Ratelimit-Requests-Reset", &said.Requests},
		{"Anthropic-Ratelimit-Input-Tokens-Limit", "Anthropic-Ratelimit-Input-Tokens-Remaining", "Anthropic-Ratelimit-Input-Tokens-Reset", &said.InputTokens},
		{"Anthropic-Ratelimit-Output-Tokens-Limit", "Anthropic-Ratelimit-Output-Tokens-Remaining", "Anthropic-Ratelimit-Output-Tokens-Reset", &said.OutputTokens},
		{"X-Ratelimit-Limit-Requests", "X-Ratelimit-Remaining-Requests", "X-Ratelimit-Reset-Requests", &said.Requests},
		{"X-Ratelimit-Limit-Tokens", "X-Ratelimit-Remaining-Tokens", "X-Ratelimit-Reset-Tokens", &said.Tokens},
	} {
		remaining, ok := limitCount(header.Get(h.remaining))
		if !ok {
			continue
		}
		*h.into = providers.RateLimit{Remaining: remaining, Known: true}
		limit, ok := limitCount(header.Get(h.limit))
		if ok && limit > 0 && byMinute(limit, remaining, untilReset(header, h.reset, now)) {
			h.into.PerMinute = limit
		}
	}
	return said
}

// byMinute says that a limit that is used up to what remains is whole again after the given time when it refills within
// a minute. A negative time is none.
func byMinute(limit, remaining int64, reset time.Duration) bool {
	used := float64(max(limit-remaining, 0)) / float64(limit)
	return reset >= 0 && reset <= time.Duration(used*float64(time.Minute))+resetSlack
}

// untilReset reads a duration such as 6m0s or 250ms, or a time, which the server's own clock is held against.
func untilReset(header http.Header, name string, now time.Time) time.Duration {
	value := header.Get(name)
	if wait, err := time.ParseDuration(value); err == nil {
		return wait
	}
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return -1
	}
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		now = date
	}
	return max(0, at.Sub(now))
}

func limitCount(value string) (int64, bool) {
	if value == "" {
		return 0, false
	}
	n, err := strconv.ParseInt(value, 10, 64)
	return n, err == nil && n >= 0 && n <= maxRateLimit
}
