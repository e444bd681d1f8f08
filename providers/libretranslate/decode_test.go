package libretranslate

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

func TestReadUsage(t *testing.T) {
	t.Parallel()
	require.Equal(t, &task.Usage{Characters: 7}, ReadUsage(json.RawMessage(`{"characters":7}`)))
	for _, raw := range []string{`{}`, `{"characters":0}`, `{"characters":-1}`, `{"characters":"7"}`, `[`} {
		require.Nil(t, ReadUsage(json.RawMessage(raw)), raw)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"translatedText":"Where?","detectedLanguage":{"confidence":92,"language":"de"}}`))
	f.Add([]byte(`{"translatedText":["a"],"error":"Slowdown: 10 per 1 minute"}`))
	f.Add([]byte(`{"error":"Invalid request: request (2) exceeds text limit (1)"}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, body []byte) {
		answer := httpcall.Answer{Status: http.StatusOK, Body: body}
		reply, fault := format{}.Decode(answer)
		require.Nil(t, reply.Usage)
		if fault == nil {
			require.Equal(t, providers.StopEnd, reply.Stop)
		} else {
			require.NotEmpty(t, fault.Class)
			require.Empty(t, reply.Output)
		}
		answer.Status = http.StatusTooManyRequests
		class := format{}.Fault(answer).Class
		require.NotEmpty(t, class)
		require.NotEqual(t, task.FailMalformed, class)
	})
}
