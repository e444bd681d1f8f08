package httpcall

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
)

func TestDialer_Public(t *testing.T) {
	t.Parallel()
	d := newDialer(providers.Config{})
	for addr, want := range map[string]bool{
		"93.184.215.14": true, "2606:4700::1111": true, "64:ff9b::5db8:d70e": true, "172.32.0.1": true,
		"127.0.0.1": false, "127.9.9.9": false, "10.0.0.1": false, "172.16.0.1": false, "192.168.1.1": false,
		"169.254.169.254": false, "100.64.0.1": false, "100.100.100.200": false, "0.0.0.0": false, "224.0.0.1": false,
		"255.255.255.255": false, "198.18.0.1": false, "192.0.0.192": false, "240.0.0.1": false,
		"::1": false, "::": false, "fe80::1": false, "fe80::1%eth0": false, "fd00:ec2::254": false, "ff02::1": false,
		"::ffff:10.0.0.1": false, "::ffff:93.184.215.14": true, "64:ff9b::a00:1": false, "64:ff9b:1::a00:1": false,
		"2002:a00:1::": false, "2001::1": false, "2001:db8::1": false, "fec0::1": false,
	} {
		require.Equal(t, want, d.public(netip.MustParseAddr(addr)), addr)
	}
}

func TestSafe(t *testing.T) {
	t.Parallel()
	c := newClient(t, "http://llm.example.com")
	c.config.Key = providers.NewSecret("secret-key")
	c.config.Headers = map[string]providers.Secret{"X-Auth": providers.NewSecret("Bearer secret-key-of-the-gateway")}
	c.secrets = secretsOf(c.config)
	for _, tc := range []struct{ name, message, want string }{
		{"Plain", "no model", "no model"},
		{"Key", "bad secret-key!", "bad [redacted]!"},
		{"LongerSecret", "bad secret-key-of-the-gateway!", "bad [redacted]!"},
		{"WholeHeader", "X-Auth: Bearer secret-key-of-the-gateway.", "X-Auth: [redacted]."},
		{"OtherKey", "bad sk-proj-ab_C*1. Or sk-2", "bad [redacted] Or [redacted]"},
		{"NoKey", "the task-42 and risk-free", "the task-42 and risk-free"},
		{"Control", " a\x00b\nc\u0085d ", "a b c d"},
		{"NotUTF8", "a\xffb", "a�b"},
		{"Long", strings.Repeat("é", 600), strings.Repeat("é", 500)},
		{"KeyAtTheCut", strings.Repeat("x", 495) + "secret-key", strings.Repeat("x", 495) + "[reda"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, c.safe(tc.message))
		})
	}
}

func TestPrefixes_ForgetsTheOldest(t *testing.T) {
	t.Parallel()
	var p Prefixes
	encoded := map[string]int{}
	encode := func(c providers.Call) ([]byte, error) {
		encoded[c.Model]++
		return []byte(c.Model), nil
	}
	get := func(model string) {
		got, err := p.Of(providers.Call{Model: model}, encode)
		require.NoError(t, err)
		require.Equal(t, model, string(got))
	}
	for range 2 {
		for i := range maxPrefixes {
			get(fmt.Sprint(i))
		}
	}
	require.Len(t, encoded, maxPrefixes)
	for model, times := range encoded {
		require.Equal(t, 1, times, model)
	}
	get("one more")
	get("0")
	require.Equal(t, 2, encoded["0"])
}

func TestPrefixes_KeepsNoHugeOnes(t *testing.T) {
	t.Parallel()
	var p Prefixes
	_, err := p.Of(providers.Call{}, func(providers.Call) ([]byte, error) { return make([]byte, maxPrefixBytes+1), nil })
	require.NoError(t, err)
	require.Nil(t, p.known.Load())
}

func TestPrefixes_Concurrent(t *testing.T) {
	t.Parallel()
	var p Prefixes
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 500 {
				model := fmt.Sprint((i + worker) % 50)
				got, err := p.Of(providers.Call{Model: model}, func(c providers.Call) ([]byte, error) { return []byte(c.Model), nil })
				if err != nil || string(got) != model {
					t.Errorf("got %q, %v; want %q", got, err, model)
				}
			}
		})
	}
	wg.Wait()
}

func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{"", "7", "0.5", "-1", "1e9", "inf", "NaN", "0x1p-2", "Fri, 20 Nov 2026 08:01:30 GMT", "soon", "99999999999999999999"} {
		f.Add(value, "")
		f.Add("", value)
	}
	now := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, seconds, millis string) {
		wait := RetryAfter(http.Header{"Retry-After": {seconds}, "Retry-After-Ms": {millis}}, now)
		require.GreaterOrEqual(t, wait, time.Duration(0))
		require.LessOrEqual(t, wait, maxRetryAfter)
	})
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\/\b\f\n\r\t\x00\x1f\x7f", "é\u2028\U0001f600", "\xff\xc3", "a\xed\xa0\x80b", "<&>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		encoded := AppendString([]byte("x"), s)[1:]
		require.True(t, utf8.Valid(encoded))
		var got, want string
		require.NoError(t, json.Unmarshal(encoded, &got))
		reference, err := json.Marshal(s)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(reference, &want))
		require.Equal(t, want, got)
	})
}

func FuzzSafe(f *testing.F) {
	f.Add("bad sk-1 sk-\x00", "sk-1")
	f.Add(strings.Repeat("sk-", 400), "k")
	f.Fuzz(func(t *testing.T, message, key string) {
		c := &Client{config: providers.Config{Key: providers.NewSecret(key)}}
		got := c.safe(message)
		require.True(t, utf8.ValidString(got))
		require.LessOrEqual(t, utf8.RuneCountInString(got), maxMessage)
		require.NotContains(t, got, "\x00")
		if len(key) > 16 && utf8.ValidString(key) {
			require.NotContains(t, got, key)
		}
	})
}
