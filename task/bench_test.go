package task_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/task"
)

// kibTask is a task of about 1 KiB with the fields that most tasks have.
func kibTask(n int) []byte {
	return fmt.Appendf(nil, `{"id":"ticket-%06d","feature":"ticket-triage","call_path":"support/inbox","input":%q,`+
		`"class":"L1","lane":"auto","priority":2,"batch":"night","metadata":{"customer":"c-1042","source":"mail"},`+
		`"max_cost_usd":"0.05","deadline":"2026-01-31T12:00:00Z"}`, n, strings.Repeat("My card was declined. \n", 31))
}

func BenchmarkDecode(b *testing.B) {
	body := kibTask(1)
	b.Run("Weir", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			_, err := task.Decode(body, task.Limits{})
			require.NoError(b, err)
		}
	})
	b.Run("EncodingJSON", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			var t task.Task
			require.NoError(b, json.Unmarshal(body, &t))
		}
	})
}

func BenchmarkDecodeMessage_Envelope500(b *testing.B) {
	members := make([]string, 500)
	for i := range members {
		members[i] = string(kibTask(i))
	}
	body := []byte(`{"tasks":[` + strings.Join(members, ",") + `]}`)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		items, err := task.DecodeMessage(body, task.Limits{})
		require.NoError(b, err)
		require.Len(b, items, 500)
	}
}

func BenchmarkCheck(b *testing.B) {
	t, err := task.Decode(kibTask(1), task.Limits{})
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, t.Check())
	}
}

func BenchmarkRequestHash(b *testing.B) {
	t, err := task.Decode(kibTask(1), task.Limits{})
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		_ = task.RequestHash(t)
	}
}
