package embed

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

// fuzz feeds bodies to the decoder of an API: whatever comes, its vectors can be used, and its usage is one that can be read
// again from what is kept of it.
func fuzz(f *testing.F, api string, usage func(json.RawMessage) *task.Usage, seeds ...string) {
	f.Helper()
	client, err := New(api, providers.Config{})
	require.NoError(f, err)
	for _, seed := range append(seeds, `[`, `{}`, `null`, `{"data":null,"embeddings":{},"usage":[]}`) {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		const inputs = 2
		r := reader{wire: client.wire, inputs: inputs}
		answer := httpcall.Answer{Status: http.StatusOK, Body: body, Header: http.Header{}}
		reply, fault := r.Decode(answer)
		if fault != nil {
			require.Nil(t, r.vectors)
			require.NotEmpty(t, fault.Class)
		} else {
			require.Len(t, r.vectors, inputs)
			for _, v := range r.vectors {
				require.Len(t, v, len(r.vectors[0]))
				require.NotEmpty(t, v)
				require.True(t, vector{numbers: v}.finite())
			}
		}
		if reply.Usage != nil {
			require.Positive(t, reply.Usage.Input)
			require.Equal(t, task.Usage{Input: reply.Usage.Input}, *reply.Usage)
			require.Equal(t, reply.Usage, usage(reply.RawUsage))
		}
		answer.Status = http.StatusInternalServerError
		require.NotEmpty(t, r.Fault(answer).Class)
	})
}

func FuzzDecodeOpenAI(f *testing.F) {
	fuzz(f, catalog.APIOpenAI, ReadOpenAIUsage,
		`{"object":"list","data":[{"index":1,"embedding":"AACAPw=="},{"index":0,"embedding":[0.5]}],"model":"m","usage":{"prompt_tokens":3,"total_tokens":3}}`,
		`{"data":[{"embedding":[1,2]},{"embedding":[1]}],"usage":{"prompt_tokens":-3}}`,
		`{"data":[{"embedding":"AAA="},{"index":7}],"usage":{"total_tokens":9223372036854775807}}`,
		`{"error":{"message":"m","code":429}}`)
}

func FuzzDecodeVoyage(f *testing.F) {
	fuzz(f, catalog.APIVoyage, ReadVoyageUsage,
		`{"object":"list","data":[{"embedding":"AACAPw==","index":0},{"embedding":"AAAAAA==","index":1}],"model":"voyage-4","usage":{"total_tokens":3}}`,
		`{"data":[{"embedding":[1e38]},{"embedding":[null]}],"usage":{"total_tokens":"3"}}`,
		`{"detail":"words"}`)
}

func FuzzDecodeGemini(f *testing.F) {
	fuzz(f, catalog.APIGemini, ReadGeminiUsage,
		`{"embeddings":[{"values":[0.5,-1e-7]},{"values":[1,2]}],"usageMetadata":{"promptTokenCount":3,"promptTokenDetails":[{"modality":"TEXT","tokenCount":3}]}}`,
		`{"embeddings":[{"values":[0.5]}],"usageMetadata":{"promptTokenCount":-1}}`,
		`{"error":{"code":429,"details":[{"retryDelay":"1s"}]}}`)
}
