package task_test

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/task"
)

const hashedTask = `{"id":"a","feature":"triage","input":"é","lane":"now","deadline":"2026-01-31T12:00:00Z",` +
	`"max_cost_usd":"0.05","metadata":{"a":"1","b":"2"},"tools":[{"name":"f","parameters":{"x":1,"y":[2]}}]}`

func hashOf(t *testing.T, body string) string {
	t.Helper()
	decoded, err := task.Decode([]byte(body), task.Limits{})
	require.NoError(t, err)
	sum := task.RequestHash(decoded)
	return hex.EncodeToString(sum[:])
}

// The hashes are stored, so they must not change from one version of weir to the next.
func TestRequestHash_IsStable(t *testing.T) {
	t.Parallel()
	require.Equal(t, "a2b94cee8c55bf8f390fc1fd642370bfaa6815c7d0a83462f073880c8bec1e8c", hashOf(t, hashedTask))
	require.Equal(t, "9247cc576ef022876c8ec5ca0b789b831889722c6b116c26e8169b3a0cb87323", hashOf(t, fullTask))
}

func TestRequestHash_SameRequest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		body string
	}{
		{"OrderSpaceEscapes", `{ "tools":[{"parameters":{"y":[ 2 ],"x":1},"name":"f"}], "metadata":{"b":"2","a":"1"}, "input":"\u00e9",
			"max_cost_usd":"0.050","deadline":"2026-01-31T13:00:00+01:00","lane":"now","feature":"triage","id":"a"}`},
		{"DefaultPriority", hashedTask[:len(hashedTask)-1] + `,"priority":2}`},
		{"OtherTrace", hashedTask[:len(hashedTask)-1] + `,"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}`},
		{"TenantSpeltOut", hashedTask[:len(hashedTask)-1] + `,"tenant":"acme"}`},
		{"EmptyLists", hashedTask[:len(hashedTask)-1] + `,"context":[],"messages":[]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, hashOf(t, hashedTask), hashOf(t, tt.body))
		})
	}
}

func TestRequestHash_OtherRequest(t *testing.T) {
	t.Parallel()
	bodies := []string{
		`{"input":"ab"}`,
		`{"input":"a"}`,
		`{"input":"a","feature":"b"}`,
		`{"input":"a","call_path":"b"}`,
		`{"input":"a","batch":"b"}`,
		`{"input":"a","context":["b"]}`,
		`{"input":"a","context":["b",""]}`,
		`{"input":"a","context":["","b"]}`,
		`{"input":"a","messages":[{"role":"user","content":"b"}]}`,
		`{"input":"a","messages":[{"role":"user","content":"b"},{"role":"user","content":"b"}]}`,
		`{"input":"a","tools":[{"name":"b"}]}`,
		`{"input":"a","tools":[{"name":"b","parameters":{}}]}`,
		`{"input":"a","tools":[{"name":"b","description":"{}"}]}`,
		`{"input":"a","attachments":[{"url":"b","media_type":"c"}]}`,
		`{"input":"a","class":"L1"}`,
		`{"input":"a","lane":"now"}`,
		`{"input":"a","deadline":"2026-01-31T12:00:00Z"}`,
		`{"input":"a","max_cost_usd":"1"}`,
		`{"input":"a","max_output_tokens":1}`,
		`{"input":"a","priority":1}`,
		`{"input":"a","metadata":{"b":"c"}}`,
		`{"input":"a","metadata":{"bc":""}}`,
	}
	seen := map[string]string{}
	for _, body := range bodies {
		hash := hashOf(t, body)
		require.Empty(t, seen[hash], body)
		seen[hash] = body
	}
}

func TestRequestHash_KeepsWhatIsNotJSON(t *testing.T) {
	t.Parallel()
	a := task.RequestHash(&task.Task{Tools: []task.Tool{{Name: "f", Parameters: []byte(`{`)}}})
	b := task.RequestHash(&task.Task{Tools: []task.Tool{{Name: "f", Parameters: []byte(`[`)}}})
	require.NotEqual(t, a, b)
}
