package sim_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/anthropic"
	"github.com/weirhq/weir/providers/gemini"
	"github.com/weirhq/weir/providers/openai"
	"github.com/weirhq/weir/providers/sim"
	"github.com/weirhq/weir/task"
)

// sent is what a client knows of a call.
type sent struct {
	model string
	input string
	usage task.Usage
}

func TestLedger_IsWhatWasSent(t *testing.T) {
	t.Parallel()
	cfg := fast(1)
	cfg.LedgerFile = filepath.Join(t.TempDir(), "ledger.jsonl")
	s := start(t, cfg)
	a, err := anthropic.New(providers.Config{BaseURL: s.URL(), AllowPrivate: true})
	require.NoError(t, err)
	o, err := openai.New(providers.Config{BaseURL: s.URL(), AllowPrivate: true})
	require.NoError(t, err)
	g, err := gemini.New(providers.Config{BaseURL: s.URL(), AllowPrivate: true})
	require.NoError(t, err)

	var mu sync.Mutex
	calls := map[string]sent{}
	failures := make(chan error, 300)
	var wg sync.WaitGroup
	for i := range 100 {
		for model, p := range map[string]providers.Provider{"claude-haiku-5-5": a, "gpt-6.2-sol": o, "gemini-3.1-pro-preview": g} {
			call := question(model)
			call.AttemptID = uuid.New()
			call.Messages[0].Content = fmt.Sprintf("question %d\n%s", i, stable(20*i))
			request, err := p.Prepare(call)
			require.NoError(t, err)
			wg.Go(func() {
				reply, err := p.Do(t.Context(), request)
				if err != nil {
					failures <- err
					return
				}
				mu.Lock()
				defer mu.Unlock()
				calls[call.AttemptID.String()] = sent{model: model, input: call.Messages[0].Content, usage: *reply.Usage}
			})
		}
	}
	wg.Wait()
	require.Empty(t, failures)

	entries := s.Ledger()
	require.Len(t, entries, len(calls))
	sums := map[string]task.Usage{}
	for i, e := range entries {
		require.EqualValues(t, i+1, e.Seq)
		c, ok := calls[e.AttemptID]
		require.True(t, ok, "every entry belongs to a call")
		require.Equal(t, c.model, e.Model)
		require.Equal(t, c.usage, e.Usage, "the client was told what was billed")
		sum := sha256.Sum256([]byte(c.input))
		require.Equal(t, hex.EncodeToString(sum[:]), e.PromptSHA256)
		require.Equal(t, sim.OutcomeAnswered, e.Outcome)
		require.Equal(t, 200, e.Status)
		require.False(t, e.Began.Before(e.At) || e.Finished.Before(e.Began))
		u := sums[e.Model]
		u.Input += c.usage.Input
		u.CacheRead += c.usage.CacheRead
		u.CacheWrite30m += c.usage.CacheWrite30m
		u.Output += c.usage.Output
		u.Reasoning += c.usage.Reasoning
		sums[e.Model] = u
	}
	for model, totals := range s.Stats().Models {
		require.Equal(t, sums[model], totals.Usage)
		require.EqualValues(t, 100, totals.Billed)
	}
	require.NoError(t, s.Close())
	requireFile(t, cfg.LedgerFile, entries)
}

// requireFile compares a ledger's file with its memory.
func requireFile(t *testing.T, path string, entries []sim.Entry) {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	read, err := sim.ReadLedger(bytes.NewReader(raw))
	require.NoError(t, err)
	require.Len(t, read, len(entries))
	bySeq := map[int64]sim.Entry{}
	for _, e := range read {
		bySeq[e.Seq] = e
	}
	for _, e := range entries {
		require.JSONEq(t, string(encode(t, e)), string(encode(t, bySeq[e.Seq])))
	}

	cut, err := sim.ReadLedger(bytes.NewReader(raw[:len(raw)-5]))
	require.NoError(t, err, "a crash may cut the last line off")
	require.GreaterOrEqual(t, len(cut), len(entries)-1)
	_, err = sim.ReadLedger(bytes.NewReader(append([]byte("nonsense\n"), raw...)))
	require.ErrorContains(t, err, "line 1")
}

func TestLedger_FileHasItBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	cfg := fast(1)
	cfg.LedgerFile = filepath.Join(t.TempDir(), "ledger.jsonl")
	s := start(t, cfg)
	for i := range 5 {
		post(t, s.URL()+pathMessages, messagesBody(t, "claude-haiku-5-5", "", "x"), nil)
		raw, err := os.ReadFile(cfg.LedgerFile)
		require.NoError(t, err)
		entries, err := sim.ReadLedger(bytes.NewReader(raw))
		require.NoError(t, err)
		require.Len(t, entries, i+1)
		require.False(t, entries[i].Began.IsZero())
		require.Positive(t, entries[i].Usage.Output)
	}
}

func TestLedger_AttemptIDs(t *testing.T) {
	t.Parallel()
	s := start(t, fast(1))
	body := encode(t, object{
		"model": "gpt-6-luna", "messages": []object{{"role": "user", "content": "x"}}, "metadata": object{"attempt_id": "inside", "other": "y"},
	})
	post(t, s.URL()+pathCompletions, body, nil)
	post(t, s.URL()+pathCompletions, body, map[string]string{"X-Client-Request-Id": "client"})
	post(t, s.URL()+pathCompletions, body, map[string]string{"X-Weir-Attempt-Id": "weir"})
	post(t, s.URL()+pathCompletions, []byte(`nonsense`), map[string]string{"X-Weir-Attempt-Id": "broken"})
	var ids []string
	for _, e := range s.Ledger() {
		ids = append(ids, e.AttemptID)
	}
	require.Equal(t, []string{"inside", "client", "weir", ""}, ids)
	last := s.Ledger()[3]
	require.Equal(t, sim.OutcomeRefused, last.Outcome)
	require.Equal(t, 400, last.Status)
	require.Zero(t, last.Usage)
	require.Zero(t, last.Began)
}

func TestLedger_ForgetsTheOldest(t *testing.T) {
	t.Parallel()
	cfg := fast(1)
	cfg.LedgerEntries = 1
	s := start(t, cfg)
	body := messagesBody(t, "claude-haiku-5-5", "", "x")
	const requests = 8_300
	for range requests {
		post(t, s.URL()+pathMessages, body, nil)
	}
	entries, stats := s.Ledger(), s.Stats()
	require.EqualValues(t, requests, stats.Models["claude-haiku-5-5"].Requests, "the totals forget nothing")
	require.EqualValues(t, requests-len(entries), stats.Dropped)
	require.Less(t, len(entries), requests/2)
	require.EqualValues(t, requests, entries[len(entries)-1].Seq)
	require.Equal(t, stats.Dropped+1, entries[0].Seq)
	for _, e := range entries {
		require.Equal(t, sim.OutcomeAnswered, e.Outcome)
	}
}
