package sim_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/anthropic"
	"github.com/weirhq/weir/providers/gemini"
	"github.com/weirhq/weir/providers/openai"
	"github.com/weirhq/weir/providers/sim"
	"github.com/weirhq/weir/task"
)

// question is a call of a model with a short text.
func question(model string) providers.Call {
	return providers.Call{
		AttemptID: uuid.New(), Model: model, MaxOutputTokens: 500,
		Messages: []task.Message{{Role: task.RoleUser, Content: "What does the letter say?"}},
	}
}

// do sends a call with one of weir's own clients.
func do(ctx context.Context, tb testing.TB, p providers.Provider, call providers.Call) (providers.Reply, *providers.CallError) {
	tb.Helper()
	request, err := p.Prepare(call)
	require.NoError(tb, err)
	reply, err := p.Do(ctx, request)
	var failure *providers.CallError
	if err != nil {
		require.ErrorAs(tb, err, &failure)
	}
	return reply, failure
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		fault                     sim.Fault
		anthropic, openai, gemini task.FailureClass
		wait                      time.Duration
		billed                    bool
	}{
		{fault: sim.FaultServer, anthropic: task.FailServer, openai: task.FailServer, gemini: task.FailServer},
		{fault: sim.FaultUnavailable, anthropic: task.FailServer, openai: task.FailOverloaded, gemini: task.FailOverloaded},
		{fault: sim.FaultOverloaded, anthropic: task.FailOverloaded, openai: task.FailOverloaded, gemini: task.FailOverloaded},
		{fault: sim.FaultRateLimit, anthropic: task.FailRateLimited, openai: task.FailRateLimited, gemini: task.FailRateLimited, wait: time.Second},
		{fault: sim.FaultQuota, anthropic: task.FailQuota, openai: task.FailQuota, gemini: task.FailQuota},
		{fault: sim.FaultUnauthorized, anthropic: task.FailAuth, openai: task.FailAuth, gemini: task.FailAuth},
		{fault: sim.FaultHTML, anthropic: task.FailMalformed, openai: task.FailMalformed, gemini: task.FailMalformed},
		{fault: sim.FaultNoRoom, anthropic: task.FailOverloaded, openai: task.FailSlowDown, gemini: task.FailOverloaded},
		{fault: sim.FaultTimeout, anthropic: task.FailTimeout, openai: task.FailTimeout, gemini: task.FailTimeout, billed: true},
		{fault: sim.FaultReset, anthropic: task.FailLostNet, openai: task.FailLostNet, gemini: task.FailLostNet, billed: true},
		{fault: sim.FaultTruncated, anthropic: task.FailLostNet, openai: task.FailLostNet, gemini: task.FailLostNet, billed: true},
		{fault: sim.FaultDrip, anthropic: task.FailTimeout, openai: task.FailTimeout, gemini: task.FailTimeout, billed: true},
		{fault: sim.FaultNoUsage, billed: true},
	} {
		t.Run(string(tc.fault), func(t *testing.T) {
			t.Parallel()
			cfg := fast(1)
			cfg.Scripts = []sim.Script{{Fault: tc.fault}}
			s := start(t, cfg)
			settings := providers.Config{BaseURL: s.URL(), AllowPrivate: true, Timeout: 300 * time.Millisecond}
			a, err := anthropic.New(settings)
			require.NoError(t, err)
			o, err := openai.New(settings)
			require.NoError(t, err)
			g, err := gemini.New(settings)
			require.NoError(t, err)
			for _, client := range []struct {
				providers.Provider
				model string
				want  task.FailureClass
			}{{a, "claude-haiku-5-5", tc.anthropic}, {o, "gpt-6-luna", tc.openai}, {g, "gemini-3.5-flash-lite", tc.gemini}} {
				reply, failure := do(t.Context(), t, client, question(client.model))
				if client.want == "" {
					require.Nil(t, failure)
					require.Nil(t, reply.Usage)
					continue
				}
				require.NotNil(t, failure)
				require.Equal(t, client.want, failure.Class, failure.Error())
				require.Equal(t, tc.wait, failure.RetryAfter)
			}
			require.Len(t, s.Ledger(), 3)
			for _, e := range s.Ledger() {
				require.Equal(t, tc.fault, e.Fault)
				require.Equal(t, tc.billed, !e.Began.IsZero())
				require.Equal(t, tc.billed, e.Usage.Prompt() > 0 && e.Usage.Output > 0)
			}
		})
	}
}

func TestScripts(t *testing.T) {
	t.Parallel()
	now := newClock()
	cfg := fast(1)
	cfg.Now = now.Now
	cfg.Scripts = []sim.Script{
		{Model: "claude-haiku-5-5", Fault: sim.FaultServer, After: 1, Count: 2},
		{Model: "gpt-6-luna", Fault: sim.FaultOverloaded, From: now.Now().Add(time.Minute), Until: now.Now().Add(2 * time.Minute)},
	}
	s := start(t, cfg)
	haiku := func() int {
		return post(t, s.URL()+pathMessages, messagesBody(t, "claude-haiku-5-5", "", "x"), nil).status
	}
	luna := func() int {
		return post(t, s.URL()+pathCompletions, completionsBody(t, "gpt-6-luna", "", "x"), nil).status
	}
	require.Equal(t, []int{200, 500, 500, 200, 200}, []int{haiku(), haiku(), haiku(), haiku(), haiku()})
	require.Equal(t, 200, luna())
	now.add(time.Minute)
	require.Equal(t, 503, luna())
	now.add(time.Minute)
	require.Equal(t, 200, luna())

	require.NoError(t, s.AddFault(sim.Script{Fault: sim.FaultServer}))
	require.Equal(t, []int{500, 500}, []int{haiku(), luna()})
	s.RemoveFaults("")
	require.Equal(t, []int{200, 200}, []int{haiku(), luna()})
	require.ErrorContains(t, s.AddFault(sim.Script{Fault: "rain"}), "unknown")
}

// control calls one of the simulator's own endpoints.
func control(t *testing.T, s *sim.Server, method, path, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, strings.NewReader(body))
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

func TestControl(t *testing.T) {
	t.Parallel()
	s := start(t, fast(1))
	luna := func() int {
		return post(t, s.URL()+pathCompletions, completionsBody(t, "gpt-6-luna", "", "x"), nil).status
	}
	status, _ := control(t, s, http.MethodPost, "/sim/faults", `{"model":"gpt-6-luna","fault":"503","count":5}`)
	require.Equal(t, http.StatusNoContent, status)
	require.Equal(t, 503, luna())
	status, _ = control(t, s, http.MethodDelete, "/sim/faults?model=gpt-6-luna", "")
	require.Equal(t, http.StatusNoContent, status)
	require.Equal(t, 200, luna())

	for _, body := range []string{`{"fault":"rain"}`, `{"fault":"503","modell":"x"}`, `nonsense`} {
		status, _ = control(t, s, http.MethodPost, "/sim/faults", body)
		require.Equal(t, http.StatusBadRequest, status)
	}
	status, _ = control(t, s, http.MethodPost, "/sim/hold", `{"modell":"x"}`)
	require.Equal(t, http.StatusBadRequest, status)
	status, _ = control(t, s, http.MethodGet, "/sim/nothing", "")
	require.Equal(t, http.StatusNotFound, status)

	_, text := control(t, s, http.MethodGet, "/sim/stats", "")
	var stats sim.Stats
	require.NoError(t, json.Unmarshal([]byte(text), &stats))
	require.Equal(t, s.Stats(), stats)
	require.EqualValues(t, 2, stats.Models["gpt-6-luna"].Requests)
	require.EqualValues(t, 1, stats.Models["gpt-6-luna"].Billed)

	_, text = control(t, s, http.MethodGet, "/sim/ledger", "")
	entries, err := sim.ReadLedger(strings.NewReader(text))
	require.NoError(t, err)
	require.Len(t, entries, 2)
	require.Equal(t, sim.OutcomeFaulted, entries[0].Outcome)
	require.Equal(t, sim.OutcomeAnswered, entries[1].Outcome)
}

func TestFaults_ByChance(t *testing.T) {
	t.Parallel()
	const rounds = 600
	cfg := fast(1)
	cfg.Faults = map[sim.Fault]int{sim.FaultServer: 200, sim.FaultOverloaded: 100}
	run := func() (statuses []int) {
		s := start(t, cfg)
		for range rounds {
			statuses = append(statuses, post(t, s.URL()+pathMessages, messagesBody(t, "claude-haiku-5-5", "", "the same"), nil).status)
		}
		return statuses
	}
	first := run()
	require.Equal(t, first, run())
	counts := map[int]int{}
	for _, status := range first {
		counts[status]++
	}
	require.InDelta(t, 0.2*rounds, counts[500], rounds*0.06)
	require.InDelta(t, 0.1*rounds, counts[529], rounds*0.05)
	require.Equal(t, rounds, counts[500]+counts[529]+counts[200], "a repeated request may fare better")
}

func TestHold(t *testing.T) {
	t.Parallel()
	s := start(t, fast(1))
	a, err := anthropic.New(providers.Config{BaseURL: s.URL(), AllowPrivate: true})
	require.NoError(t, err)
	status, _ := control(t, s, http.MethodPost, "/sim/hold", `{"model":"claude-haiku-5-5"}`)
	require.Equal(t, http.StatusNoContent, status)
	_, failure := do(t.Context(), t, a, question("claude-opus-5-5"))
	require.Nil(t, failure, "other models are not held")

	type result struct {
		reply   providers.Reply
		failure *providers.CallError
	}
	call := func(ctx context.Context) chan result {
		done := make(chan result, 1)
		request, err := a.Prepare(question("claude-haiku-5-5"))
		require.NoError(t, err)
		go func() {
			reply, err := a.Do(ctx, request)
			var failure *providers.CallError
			_ = errors.As(err, &failure)
			done <- result{reply, failure}
		}()
		return done
	}
	killed, kill := context.WithCancel(t.Context())
	patient, impatient := call(t.Context()), call(killed)
	require.Eventually(t, func() bool { return s.Held() == 2 }, 10*time.Second, time.Millisecond)
	for _, e := range s.Ledger()[1:] {
		require.Equal(t, sim.OutcomePending, e.Outcome)
		require.Positive(t, e.Usage.Output, "what is held is billed")
		require.Zero(t, e.Finished)
	}
	kill()
	require.NotNil(t, (<-impatient).failure)
	require.Eventually(t, func() bool { return s.Held() == 1 }, 10*time.Second, time.Millisecond)
	status, _ = control(t, s, http.MethodPost, "/sim/release", "")
	require.Equal(t, http.StatusNoContent, status)
	answered := <-patient
	require.Nil(t, answered.failure)
	require.NotNil(t, answered.reply.Usage)
	outcomes := map[sim.Outcome]int{}
	require.Eventually(t, func() bool {
		clear(outcomes)
		for _, e := range s.Ledger() {
			outcomes[e.Outcome]++
		}
		return outcomes[sim.OutcomePending] == 0
	}, 10*time.Second, time.Millisecond)
	require.Equal(t, map[sim.Outcome]int{sim.OutcomeAnswered: 2, sim.OutcomeClientGone: 1}, outcomes)
}

func TestClose_EndsWhatWaits(t *testing.T) {
	t.Parallel()
	slow := perfect()
	slow.Latency = sim.Latency{P50: time.Hour}
	s, err := sim.New(sim.Config{Tokens: sim.TokensBytes, Models: map[string]sim.ModelProfile{"slow": slow, "hangs": {}}, Scripts: []sim.Script{
		{Model: "hangs", Fault: sim.FaultTimeout},
	}})
	require.NoError(t, err)
	require.NoError(t, s.Start(t.Context(), "127.0.0.1:0"))
	require.ErrorContains(t, s.Start(t.Context(), "nowhere"), "start the simulator")
	done := make(chan error, 2)
	for _, model := range []string{"slow", "hangs"} {
		body := messagesBody(t, model, "", "x")
		go func() {
			_, err := try(t, s.URL()+pathMessages, body, nil)
			done <- err
		}()
	}
	require.Eventually(t, func() bool { return len(s.Ledger()) == 2 }, 10*time.Second, time.Millisecond)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "twice is no mistake")
	for range 2 {
		require.Error(t, <-done, "neither got its answer")
	}
}
