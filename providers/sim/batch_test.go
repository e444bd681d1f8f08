package sim_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers/sim"
)

func TestBatches_InstantEndAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t, fast(1))
	b := createMessages(t, s, batchOf(t, many(3, "claude-haiku-5-5")...))
	require.Equal(t, "in_progress", b.Status)
	results, _ := messageResults(t, s, b.ID)
	require.Len(t, results, 3)
}

func TestBatches_SameSeedSameResults(t *testing.T) {
	t.Parallel()
	var results [2]string
	for i := range results {
		s, now := batching(t, func(c *sim.Config) { c.Batches.Faults = map[sim.Fault]int{sim.FaultServer: 200} })
		b := createMessages(t, s, batchOf(t, many(50, "claude-haiku-5-5")...))
		now.add(turnaround)
		results[i] = string(must(t, ask(t, "GET", s.URL()+pathMessageBatches+"/"+b.ID+"/results", nil, nil)).body)
	}
	require.Equal(t, results[0], results[1])
}

// TestBatches_InTheOrderOfTime has two batches and a call, none of which anybody looks at in between: the later batch reads
// what the earlier one wrote, and not the other way round.
func TestBatches_InTheOrderOfTime(t *testing.T) {
	t.Parallel()
	s, now := batching(t, func(c *sim.Config) { c.MinCacheTokens, c.Batches.Turnaround = 100, 10*time.Minute })
	prompt := asked("claude-haiku-5-5", "x")
	prompt["system"] = []object{{"type": "text", "text": strings.Repeat("word", 200), "cache_control": object{"type": "ephemeral"}}}
	first := createMessages(t, s, batchOf(t, prompt))
	now.add(4 * time.Minute) // the first one's line is due after nine minutes, it ends after ten, the second one's is due after thirteen
	second := createMessages(t, s, batchOf(t, prompt))
	now.add(time.Hour)
	reads := func(id string) int {
		results, _ := messageResults(t, s, id)
		return number(t, results["line-0"].Result.Message.Usage, "cache_read_input_tokens")
	}
	require.Zero(t, reads(first.ID))
	require.Positive(t, reads(second.ID))
	entries := s.Ledger()
	require.Equal(t, []string{first.ID, second.ID}, []string{entries[0].Batch, entries[1].Batch})
	require.Equal(t, 4*time.Minute, entries[1].At.Sub(entries[0].At), "when it was worked off, not when somebody looked")
}

func TestBatches_LedgerFileHasTheLines(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ledger.jsonl")
	s, now := batching(t, func(c *sim.Config) { c.LedgerFile = file })
	b := createMessages(t, s, batchOf(t, many(100, "claude-haiku-5-5")...))
	now.add(turnaround)
	require.Equal(t, "ended", read[messageBatch](t, s.URL()+pathMessageBatches+"/"+b.ID).Status)
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	entries, err := sim.ReadLedger(bytes.NewReader(raw))
	require.NoError(t, err)
	require.Len(t, entries, 100, "who sees the end of a batch finds it in the ledger")
	for _, e := range entries {
		require.Equal(t, b.ID, e.Batch)
		require.False(t, e.Finished.IsZero())
	}
}

func TestBatches_LinesHaveTheirOwnIDs(t *testing.T) {
	t.Parallel()
	s, now := batching(t, nil)
	named := asked("gpt-6-luna", "x")
	named["metadata"] = object{"attempt_id": "inside"}
	post(t, s.URL()+pathMessageBatches, batchOf(t, asked("claude-haiku-5-5", "x")), map[string]string{"X-Weir-Attempt-Id": "the creation's"})
	createBatch(t, s, pathCompletions, batchFile(t, pathCompletions, named))
	now.add(turnaround)
	entries := ledgerOf(s)
	require.Len(t, entries, 2)
	require.Contains(t, entries, "line-0")
	require.Contains(t, entries, "inside")
}

func TestBatches_SharesOfFaultsAreThoseOfLines(t *testing.T) {
	t.Parallel()
	s, now := batching(t, func(c *sim.Config) {
		c.Faults = map[sim.Fault]int{sim.FaultServer: 1000}
		c.Scripts = []sim.Script{{Fault: sim.FaultRateLimit}}
	})
	b := createMessages(t, s, batchOf(t, many(5, "claude-haiku-5-5")...))
	now.add(turnaround)
	require.Equal(t, 5, read[messageBatch](t, s.URL()+pathMessageBatches+"/"+b.ID).Counts["succeeded"], "calls' faults meet no lines")
	require.Equal(t, 429, post(t, s.URL()+pathMessages, messagesBody(t, "claude-haiku-5-5", "", "x"), nil).status)
}

func TestBatches_CreationsMeetFaults(t *testing.T) {
	t.Parallel()
	s, now := batching(t, nil)
	for fault, status := range map[sim.Fault]int{sim.FaultServer: 500, sim.FaultRateLimit: 429, sim.FaultOverloaded: 529} {
		require.NoError(t, s.AddFault(sim.Script{Fault: fault, Batches: true, Model: "claude-haiku-5-5"}))
		g := post(t, s.URL()+pathMessageBatches, batchOf(t, many(1, "claude-haiku-5-5")...), nil)
		require.Equal(t, status, g.status)
		require.Equal(t, 200, post(t, s.URL()+pathMessageBatches, batchOf(t, many(1, "claude-opus-5-5")...), nil).status)
		require.Equal(t, 200, post(t, s.URL()+pathMessages, messagesBody(t, "claude-haiku-5-5", "", "x"), nil).status, "calls go on")
		s.RemoveFaults("")
	}
	require.Equal(t, 3, s.Stats().Batches, "those that were refused are no batches")
	require.NoError(t, s.AddFault(sim.Script{Fault: sim.FaultHTML, Batches: true, Count: 1}))
	g := post(t, s.URL()+pathMessageBatches, batchOf(t, many(1, "claude-haiku-5-5")...), nil)
	require.Contains(t, g.header.Get("Content-Type"), "text/html")
	require.Equal(t, 4, s.Stats().Batches, "a proxy on the way back has eaten the answer")
	require.NoError(t, s.AddFault(sim.Script{Fault: sim.FaultBatchFull, Batches: true}))
	require.Equal(t, 429, post(t, s.URL()+pathMessageBatches, batchOf(t, many(1, "claude-opus-5-5")...), nil).status)
	require.Equal(t, 429, post(t, s.URL()+pathGeminiBatch, geminiBody(t, generating("x")), nil).status)
	b := createBatch(t, s, pathCompletions, lines(1))
	now.add(turnaround)
	require.Equal(t, "token_limit_exceeded", getBatch(t, s, b.ID).Errors.Data[0].Code, "OpenAI says it later")
}

func TestBatches_AreBounded(t *testing.T) {
	t.Parallel()
	s, now := batching(t, nil)
	body := batchOf(t, many(1, "claude-haiku-5-5")...)
	oldest := createMessages(t, s, body)
	for range 999 {
		createMessages(t, s, body)
	}
	require.Equal(t, 429, post(t, s.URL()+pathMessageBatches, body, nil).status, "a thousand are on their way")
	now.add(turnaround)
	createMessages(t, s, body)
	require.Equal(t, 404, ask(t, "GET", s.URL()+pathMessageBatches+"/"+oldest.ID, nil, nil).status, "the oldest is forgotten")
}

func TestBatches_Configuration(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		config sim.Config
		want   string
	}{
		{"Negative", sim.Config{Batches: sim.Batches{Turnaround: -1}}, "batches must not be negative"},
		{"Share", sim.Config{Batches: sim.Batches{Faults: map[sim.Fault]int{sim.FaultServer: 1001}}}, "1000 thousandths"},
		{"NoFaultOfLines", sim.Config{Batches: sim.Batches{Faults: map[sim.Fault]int{sim.FaultDrip: 1}}}, `"drip"`},
		{"BatchesFaultOfCalls", sim.Config{Faults: map[sim.Fault]int{sim.FaultBatchFailed: 1}}, `"batch_failed"`},
		{"ScriptOfTwo", sim.Config{Scripts: []sim.Script{{Fault: sim.FaultServer, Batches: true, Lines: true}}}, "not two of them"},
		{"ScriptOfCalls", sim.Config{Scripts: []sim.Script{{Fault: sim.FaultBatchFailed}}}, "does not meet calls"},
		{"ScriptOfLines", sim.Config{Scripts: []sim.Script{{Fault: sim.FaultBatchFailed, Lines: true}}}, "does not meet lines of batches"},
		{"ScriptOfBatches", sim.Config{Scripts: []sim.Script{{Fault: sim.FaultLineTwice, Batches: true}}}, "does not meet batches"},
		{"ScriptOfCounts", sim.Config{Scripts: []sim.Script{{Fault: sim.FaultLineTwice, Counts: true}}}, "does not meet questions for a count"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := sim.New(tc.config)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

// TestBatches_BesideCalls has calls, batches and looks at them side by side, for the race detector.
func TestBatches_BesideCalls(t *testing.T) {
	t.Parallel()
	cfg := fast(1)
	cfg.Batches.Turnaround = 20 * time.Millisecond
	s := start(t, cfg)
	done := make(chan error, 8)
	for i := range 8 {
		go func() {
			for j := range 10 {
				g, err := try(t, s.URL()+pathMessages, fmt.Appendf(nil, `{"model":"claude-haiku-5-5","max_tokens":9,"messages":[{"role":"user","content":"%d %d"}]}`, i, j), nil)
				if err == nil && g.status == 200 {
					g, err = try(t, s.URL()+pathMessageBatches, fmt.Appendf(nil, `{"requests":[{"custom_id":"%d-%d","params":{}}]}`, i, j), nil)
				}
				if err != nil || g.status != 200 {
					done <- fmt.Errorf("status %d: %w", g.status, err)
					return
				}
			}
			done <- nil
		}()
	}
	for range 8 {
		require.NoError(t, <-done)
	}
	require.Eventually(t, func() bool { return s.Stats().Batches == 0 }, 10*time.Second, 5*time.Millisecond)
	require.Len(t, ledgerOf(s), 80)
}
