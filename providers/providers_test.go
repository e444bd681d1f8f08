package providers_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
)

func TestSecret(t *testing.T) {
	t.Parallel()
	const key = "hush-hush"
	s := providers.NewSecret(key)
	require.Equal(t, key, s.Reveal())
	require.False(t, s.IsZero())
	holder := struct {
		Shown  providers.Secret
		hidden providers.Secret
	}{s, s}
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).InfoContext(t.Context(), "configured", slog.Any("key", s))
	encoded, err := json.Marshal(map[string]any{"key": s, "holder": holder})
	require.NoError(t, err)
	text, err := s.MarshalText()
	require.NoError(t, err)
	printed := fmt.Sprintf("%v %+v %#v %s %q %x %d %v %+v %#v %v", s, s, s, s, s, s, s, holder, holder, holder, &holder) +
		logged.String() + string(encoded) + string(text) + s.String() + s.GoString() + fmt.Sprintf("%+v", holder.hidden)
	require.NotContains(t, printed, key)
	require.NotContains(t, printed, fmt.Sprintf("%x", key))
	require.JSONEq(t, `"[redacted]"`, string(must(json.Marshal(s))))
	require.True(t, providers.NewSecret("").IsZero())
	require.Empty(t, providers.Secret{}.Reveal())
}

func must(raw []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return raw
}

func TestConfig_Defaults(t *testing.T) {
	t.Parallel()
	c := providers.Config{}.WithDefaults()
	require.Equal(t, 10*time.Second, c.ConnectTimeout)
	require.Equal(t, 120*time.Second, c.Timeout)
	require.Equal(t, 60*time.Second, c.IdleTimeout)
	require.Zero(t, c.HeaderTimeout)
	require.EqualValues(t, 8<<20, c.MaxBodyBytes)
	require.EqualValues(t, 64<<10, c.MaxHeaderBytes)
	require.Equal(t, 32, c.MaxConns)
	require.NotNil(t, c.Now)

	c = providers.Config{Timeout: time.Second, MaxConns: 3, UserAgent: "weir/1"}.WithDefaults()
	require.Equal(t, time.Second, c.Timeout)
	require.Equal(t, 3, c.MaxConns)
	require.Equal(t, "weir/1", c.UserAgent)
}

func TestConfig_Endpoint(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		url     string
		private bool
		want    string
	}{
		{"Public", "", false, "https://api.example.com/v1"},
		{"Own", "https://llm.example.com/a/", false, "https://llm.example.com/a"},
		{"PlainHTTP", "http://localhost:11434/v1", true, "http://localhost:11434/v1"},
		{"PlainHTTPOutside", "http://llm.example.com", false, ""},
		{"NoScheme", "llm.example.com", false, ""},
		{"User", "https://u:p@llm.example.com", false, ""},
		{"Query", "https://llm.example.com?key=1", false, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			u, err := providers.Config{BaseURL: tc.url, AllowPrivate: tc.private}.Endpoint("https://api.example.com/v1")
			if tc.want == "" {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.want, u.String())
		})
	}
}
