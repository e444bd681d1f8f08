package httpcall

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter bounds what a provider may ask for: a spending limit heals at the turn of the month at the latest.
const maxRetryAfter = 31 * 24 * time.Hour

// RetryAfter is the wait that an answer asks for: retry-after-ms before Retry-After, which is in seconds, with decimals
// or not, or a date. It is between 0, for none and for what makes no sense, and 31 days.
func RetryAfter(header http.Header, now time.Time) time.Duration {
	if wait, ok := units(header.Get("Retry-After-Ms"), time.Millisecond); ok {
		return wait
	}
	value := header.Get("Retry-After")
	if wait, ok := units(value, time.Second); ok {
		return wait
	}
	if date, err := http.ParseTime(strings.TrimSpace(value)); err == nil {
		return Until(date, now)
	}
	return 0
}

// Until is the wait from now until a time, bounded as RetryAfter is.
func Until(date, now time.Time) time.Duration {
	return min(max(date.Sub(now), 0), maxRetryAfter)
}

func units(value string, unit time.Duration) (time.Duration, bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil || math.IsNaN(n) {
		return 0, false
	}
	if n >= float64(maxRetryAfter/unit) {
		return maxRetryAfter, true
	}
	if n <= 0 {
		return 0, true
	}
	return time.Duration(math.Ceil(n * float64(unit))), true
}
