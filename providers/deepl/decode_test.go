package deepl

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/providers/providertest"
	"github.com/weirhq/weir/task"
)

func sample() []byte {
	return []byte(`{"translations":[{"detected_source_language":"DE","text":"Where?","billed_characters":3}]}`)
}

func TestReadUsage(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, raw string
		want      *task.Usage
	}{
		{"Alone", `{"billed_characters":3}`, &task.Usage{Characters: 3}},
		{"WholeAnswer", string(sample()), &task.Usage{Characters: 3}},
		{"TwoTranslations", `{"translations":[{"billed_characters":3},{"billed_characters":4}]}`, nil},
		{"Nothing", `{"billed_characters":0}`, nil},
		{"Negative", `{"billed_characters":-3}`, nil},
		{"Absurd", `{"billed_characters":9223372036854775807}`, nil},
		{"Missing", `{}`, nil},
		{"Garbage", `[`, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, ReadUsage(json.RawMessage(tc.raw)))
		})
	}
}

// TestNew_Endpoint: a key of the free plan goes to the free plan's endpoint, unless another one is configured.
func TestEndpoint(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ key, base, want string }{
		{"k", "", "https://api.deepl.com/v2/translate"},
		{"k:fx", "", "https://api-free.deepl.com/v2/translate"},
		{"k:fx", "https://proxy.example.com", "https://proxy.example.com/v2/translate"},
	} {
		target, err := endpoint(providers.Config{Key: providers.NewSecret(tc.key), BaseURL: tc.base})
		require.NoError(t, err)
		require.Equal(t, tc.want, target.String())
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(sample())
	f.Add([]byte(`{"translations":[{"text":"a","billed_characters":"x","model_type_used":"y"}]}`))
	f.Add([]byte(`{"translations":[{"billed_characters":[1,{}]}]}`))
	f.Add([]byte(`{"translations":null,"message":"m"}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, body []byte) {
		answer := httpcall.Answer{Status: http.StatusOK, Body: body}
		reply, fault := format{}.Decode(answer)
		if fault != nil {
			require.Equal(t, task.FailMalformed, fault.Class)
		}
		if u := reply.Usage; u != nil {
			require.True(t, json.Valid(reply.RawUsage))
			require.Positive(t, u.Characters)
			require.Equal(t, task.Usage{Characters: u.Characters}, *u)
			require.Equal(t, u, ReadUsage(reply.RawUsage))
		}
		answer.Status = statusQuota
		require.Equal(t, task.FailQuota, format{}.Fault(answer).Class)
	})
}

func BenchmarkDecode(b *testing.B) { providertest.BenchmarkDecode(b, format{}, sample()) }
