package httpcall_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
)

func TestRateLimits(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name   string
		header map[string]string
		want   providers.RateLimits
	}{
		{name: "None"},
		{
			name: "Anthropic",
			header: map[string]string{
				"Anthropic-Ratelimit-Requests-Limit": "4000", "Anthropic-Ratelimit-Requests-Remaining": "3999",
				"Anthropic-Ratelimit-Requests-Reset":     "2026-11-26T12:00:00Z",
				"Anthropic-Ratelimit-Input-Tokens-Limit": "400000", "Anthropic-Ratelimit-Input-Tokens-Remaining": "200000",
				"Anthropic-Ratelimit-Input-Tokens-Reset":  "2026-11-26T12:00:30Z",
				"Anthropic-Ratelimit-Output-Tokens-Limit": "80000", "Anthropic-Ratelimit-Output-Tokens-Remaining": "0",
				"Anthropic-Ratelimit-Output-Tokens-Reset": "2026-11-26T12:01:00Z",
			},
			want: providers.RateLimits{
				Requests:     providers.RateLimit{PerMinute: 4000, Remaining: 3999, Known: true},
				InputTokens:  providers.RateLimit{PerMinute: 400000, Remaining: 200000, Known: true},
				OutputTokens: providers.RateLimit{PerMinute: 80000, Remaining: 0, Known: true},
			},
		},
		{
			name: "OpenAI",
			header: map[string]string{
				"X-Ratelimit-Limit-Requests": "10000", "X-Ratelimit-Remaining-Requests": "9999", "X-Ratelimit-Reset-Requests": "6ms",
				"X-Ratelimit-Limit-Tokens": "2000000", "X-Ratelimit-Remaining-Tokens": "1000000", "X-Ratelimit-Reset-Tokens": "30s",
			},
			want: providers.RateLimits{
				Requests: providers.RateLimit{PerMinute: 10000, Remaining: 9999, Known: true},
				Tokens:   providers.RateLimit{PerMinute: 2000000, Remaining: 1000000, Known: true},
			},
		},
		{
			name: "ByTheDay",
			header: map[string]string{
				"X-Ratelimit-Limit-Requests": "200", "X-Ratelimit-Remaining-Requests": "199", "X-Ratelimit-Reset-Requests": "7m12s",
			},
			want: providers.RateLimits{Requests: providers.RateLimit{Remaining: 199, Known: true}},
		},
		{
			name:   "WithoutAReset",
			header: map[string]string{"X-Ratelimit-Limit-Tokens": "5", "X-Ratelimit-Remaining-Tokens": "3"},
			want:   providers.RateLimits{Tokens: providers.RateLimit{Remaining: 3, Known: true}},
		},
		{
			name: "Nonsense",
			header: map[string]string{
				"X-Ratelimit-Limit-Requests": "many", "X-Ratelimit-Remaining-Requests": "-1", "X-Ratelimit-Remaining-Tokens": "1e9",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			header := http.Header{}
			for name, value := range tt.header {
				header.Set(name, value)
			}
			require.Equal(t, tt.want, httpcall.RateLimits(header, now))
		})
	}
}

func FuzzRateLimits(f *testing.F) {
	f.Add("10000", "9999", "6ms", "Thu, 26 Nov 2026 12:00:00 GMT")
	f.Add("4000", "0", "2026-11-26T12:00:00Z", "")
	f.Add("-1", "1e999", "-6h", "x")
	f.Fuzz(func(t *testing.T, limit, remaining, reset, date string) {
		for _, names := range [][3]string{
			{"Anthropic-Ratelimit-Requests-Limit", "Anthropic-Ratelimit-Requests-Remaining", "Anthropic-Ratelimit-Requests-Reset"},
			{"X-Ratelimit-Limit-Requests", "X-Ratelimit-Remaining-Requests", "X-Ratelimit-Reset-Requests"},
		} {
			header := http.Header{"Date": {date}, names[0]: {limit}, names[1]: {remaining}, names[2]: {reset}}
			said := httpcall.RateLimits(header, time.Unix(1_800_000_000, 0)).Requests
			require.GreaterOrEqual(t, said.Remaining, int64(0))
			require.GreaterOrEqual(t, said.PerMinute, int64(0))
			if !said.Known {
				require.Zero(t, said)
			}
		}
	})
}
