package task_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/task"
)

func seedBodies(f *testing.F) {
	f.Helper()
	for _, body := range []string{
		fullTask, hashedTask, ``, `{}`, `null`, `[]`, `{"id":"a"}`, `{"input":"\ud83d\ude00\ud83d"}`, `{"id":"a","id":"b"}`,
		`{"tasks":[{"id":"a","input":"x"},{"id":"b"}]}`, `{"tasks":[{"id":"a","tasks":[{}]}],"x":1}`, `{"priority":1e5}`,
		`{"tools":[{"parameters":{"a":[1,-0.5e-3,true,false,null,"\u0041"]}}]}`, "{\"input\":\"\xff\x00\"}",
		`{"id":"a","success":true,"value_usd":"0.25","at":"2026-01-31T12:00:00Z"}`,
		`{"task_id":"0199a1b2-0000-7000-8000-000000000001","success":false}`,
	} {
		f.Add([]byte(body))
	}
}

// FuzzDecode compares with encoding/json: what Decode accepts, encoding/json understands in the same way.
func FuzzDecode(f *testing.F) {
	seedBodies(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := task.Decode(body, task.Limits{})
		if err != nil {
			requireRefused(t, err)
			return
		}
		var want task.Task
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.DisallowUnknownFields()
		require.NoError(t, decoder.Decode(&want))
		require.Equal(t, mustJSON(t, want), mustJSON(t, got))

		again, err := task.Decode([]byte(mustJSON(t, got)), task.Limits{})
		require.NoError(t, err)
		require.Equal(t, task.RequestHash(got), task.RequestHash(again), "the hash survives another encoding")
		if err := got.Check(); err != nil {
			requireRefused(t, err)
		}
	})
}

func FuzzDecodeMessage(f *testing.F) {
	seedBodies(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		items, err := task.DecodeMessage(body, task.Limits{})
		if err != nil {
			requireRefused(t, err)
			require.Empty(t, items)
			return
		}
		require.NotEmpty(t, items)
		for _, item := range items {
			require.True(t, bytes.Contains(body, item.Raw))
			require.True(t, utf8.ValidString(item.ID))
			require.Equal(t, item.Err == nil, item.Task != nil)
			if item.Err != nil {
				requireRefused(t, item.Err)
				continue
			}
			alone, err := task.Decode(item.Raw, task.Limits{})
			require.NoError(t, err, "a member of an envelope is a task by itself")
			require.Equal(t, mustJSON(t, alone), mustJSON(t, item.Task))
		}
	})
}

// FuzzSyntax holds the reader against json.Valid: broken syntax is what encoding/json finds broken.
func FuzzSyntax(f *testing.F) {
	seedBodies(f)
	f.Fuzz(func(t *testing.T, value []byte) {
		body := append(append([]byte(`{"tools":[{"parameters":`), value...), `}]}`...)
		_, err := task.Decode(body, task.Limits{})
		refused := &task.RefusedError{}
		if json.Valid(body) {
			require.False(t, errors.As(err, &refused) && refused.Code == task.CodeInvalidJSON, "%v", err)
			return
		}
		require.Error(t, err)
	})
}

func FuzzDecodeOutcome(f *testing.F) {
	seedBodies(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := task.DecodeOutcome(body, task.Limits{})
		if err != nil {
			requireRefused(t, err)
			return
		}
		var want task.Outcome
		require.NoError(t, json.Unmarshal(body, &want))
		require.Equal(t, mustJSON(t, want), mustJSON(t, got))
	})
}

func FuzzParseUSD(f *testing.F) {
	for _, s := range []string{"0", "-0.05", "9223372.036854775807", "1e3", "", ".", "-", "0.0000000000001"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := task.ParseUSD(s)
		if err != nil {
			require.ErrorIs(t, err, task.ErrMoney)
			return
		}
		back, err := task.ParseUSD(got.String())
		require.NoError(t, err)
		require.Equal(t, got, back)
	})
}

func FuzzParseSubject(f *testing.F) {
	for _, s := range []string{"weir.tasks.acme.triage", "weir.results.a.b", "weir.outcomes.*.>", "", "....", "weir.tasks.a.b.c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		kind, tenant, feature, err := task.ParseSubject(s)
		if err != nil {
			requireRefused(t, err)
			return
		}
		require.Equal(t, s, kind.Subject(tenant, feature))
		require.NotEmpty(t, kind.Stream())
		require.NoError(t, task.CheckAddress(tenant, feature))
	})
}

func requireRefused(t *testing.T, err error) {
	t.Helper()
	refused, ok := task.IsRefused(err)
	require.True(t, ok)
	require.NotEmpty(t, refused.Code)
	require.NotEmpty(t, refused.Reasons)
	require.True(t, utf8.ValidString(err.Error()))
	require.NotContains(t, err.Error(), "\x00")
}

func mustJSON(t *testing.T, value any) string {
	t.Helper()
	body, err := json.Marshal(value)
	require.NoError(t, err)
	return string(body)
}
