package sim_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers/sim"
)

const pathMessageBatches = "/v1/messages/batches"

// messageBatch is what the tests look at of a batch.
type messageBatch struct {
	ID                string         `json:"id"`
	Status            string         `json:"processing_status"`
	Counts            map[string]int `json:"request_counts"`
	CreatedAt         time.Time      `json:"created_at"`
	ExpiresAt         time.Time      `json:"expires_at"`
	EndedAt           *time.Time     `json:"ended_at"`
	ArchivedAt        *time.Time     `json:"archived_at"`
	CancelInitiatedAt *time.Time     `json:"cancel_initiated_at"`
	ResultsURL        *string        `json:"results_url"`
}

// messageResult is a line of the results.
type messageResult struct {
	CustomID string `json:"custom_id"`
	Result   struct {
		Type    string `json:"type"`
		Message struct {
			Model   string `json:"model"`
			Content []struct {
				Text string `json:"text"`
			} `json:"content"`
			Usage map[string]any `json:"usage"`
		} `json:"message"`
		Error struct {
			Error struct {
				Type    string `json:"type"`
				Message string `json:"message"`
			} `json:"error"`
		} `json:"error"`
	} `json:"result"`
}

func batchOf(tb testing.TB, params ...object) []byte {
	tb.Helper()
	requests := make([]object, len(params))
	for i, p := range params {
		requests[i] = object{"custom_id": fmt.Sprintf("line-%d", i), "params": p}
	}
	return encode(tb, object{"requests": requests})
}

func createMessages(tb testing.TB, s *sim.Server, body []byte) messageBatch {
	tb.Helper()
	var b messageBatch
	must(tb, post(tb, s.URL()+pathMessageBatches, body, nil)).json(tb, &b)
	return b
}

// messageResults are a batch's results by id.
func messageResults(tb testing.TB, s *sim.Server, id string) (byID map[string]messageResult, order []string) {
	tb.Helper()
	g := must(tb, ask(tb, http.MethodGet, s.URL()+pathMessageBatches+"/"+id+"/results", nil, nil))
	require.Equal(tb, "application/x-jsonl", g.header.Get("Content-Type"))
	byID = map[string]messageResult{}
	for _, r := range jsonLines[messageResult](tb, g.body) {
		byID[r.CustomID] = r
		order = append(order, r.CustomID)
	}
	return byID, order
}

// many are requests of a model.
func many(n int, model string) []object {
	params := make([]object, n)
	for i := range params {
		params[i] = asked(model, fmt.Sprintf("question %d", i))
	}
	return params
}

func TestMessageBatches_Life(t *testing.T) {
	t.Parallel()
	s, now := batching(t, nil)
	url := s.URL() + pathMessageBatches
	b := createMessages(t, s, batchOf(t, many(20, "claude-haiku-5-5")...))
	require.Regexp(t, `^msgbatch_[0-9a-f]{16}$`, b.ID)
	require.Equal(t, "in_progress", b.Status)
	require.Equal(t, now.Now(), b.CreatedAt)
	require.Equal(t, now.Now().Add(24*time.Hour), b.ExpiresAt)
	require.Nil(t, b.ResultsURL)
	inProgress := map[string]int{"processing": 20, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
	require.Equal(t, inProgress, b.Counts)

	now.add(turnaround / 2)
	require.Len(t, ledgerOf(s), 10, "half of the time, half of the lines")
	half := read[messageBatch](t, url+"/"+b.ID)
	require.Equal(t, inProgress, half.Counts, "nothing is told of single requests before the end")
	require.Equal(t, 404, ask(t, http.MethodGet, url+"/"+b.ID+"/results", nil, nil).status)
	require.Equal(t, 400, ask(t, http.MethodDelete, url+"/"+b.ID, nil, nil).status, "it has not ended")

	now.add(turnaround / 2)
	over := read[messageBatch](t, url+"/"+b.ID)
	require.Equal(t, "ended", over.Status)
	require.Equal(t, map[string]int{"processing": 0, "succeeded": 20, "errored": 0, "canceled": 0, "expired": 0}, over.Counts)
	require.Equal(t, b.CreatedAt.Add(turnaround), *over.EndedAt)
	require.Equal(t, url+"/"+b.ID+"/results", *over.ResultsURL)

	results, order := messageResults(t, s, b.ID)
	require.Len(t, results, 20)
	require.False(t, slices.IsSortedFunc(order, func(a, b string) int { return strings.Compare(a, b) }))
	for id, r := range results {
		require.Equal(t, "succeeded", r.Result.Type)
		require.Equal(t, "batch", r.Result.Message.Usage["service_tier"])
		e := ledgerOf(s)[id]
		require.Equal(t, "batch", e.Tier)
		require.Equal(t, b.ID, e.Batch)
		require.EqualValues(t, number(t, r.Result.Message.Usage, "output_tokens"), e.Usage.Output)
		require.EqualValues(t, number(t, r.Result.Message.Usage, "input_tokens"), e.Usage.Input)
		require.Equal(t, sim.OutcomeAnswered, e.Outcome)
	}

	now.add(29 * 24 * time.Hour)
	archived := read[messageBatch](t, url+"/"+b.ID)
	require.NotNil(t, archived.ArchivedAt)
	require.Nil(t, archived.ResultsURL)
	require.Equal(t, 404, ask(t, http.MethodGet, url+"/"+b.ID+"/results", nil, nil).status)
	require.JSONEq(t, `{"id":"`+b.ID+`","type":"message_batch_deleted"}`, string(must(t, ask(t, http.MethodDelete, url+"/"+b.ID, nil, nil)).body))
	require.Equal(t, 404, ask(t, http.MethodGet, url+"/"+b.ID, nil, nil).status)
}

func TestMessageBatches_AnswersAreThoseOfCalls(t *testing.T) {
	t.Parallel()
	s, now := batching(t, nil)
	params := many(30, "claude-haiku-5-5")
	b := createMessages(t, s, batchOf(t, params...))
	now.add(turnaround)
	results, _ := messageResults(t, s, b.ID)
	for i, p := range params {
		var single struct {
			Content []struct {
				Text string `json:"text"`
			} `json:"content"`
		}
		must(t, post(t, s.URL()+pathMessages, encode(t, p), nil)).json(t, &single)
		require.Equal(t, single.Content, results[fmt.Sprintf("line-%d", i)].Result.Message.Content)
	}
}

func TestMessageBatches_Errors(t *testing.T) {
	t.Parallel()
	s, now := batching(t, func(c *sim.Config) {
		c.Scripts = []sim.Script{{Fault: sim.FaultOverloaded, Lines: true, Model: "claude-opus-5-5"}}
	})
	wrong := asked("claude-haiku-5-5", "x")
	wrong["max_tokens"] = 0
	b := createMessages(t, s, batchOf(t, asked("claude-haiku-5-5", "good"), wrong, asked("nobody", "x"), asked("claude-opus-5-5", "x")))
	now.add(turnaround)
	require.Equal(t, map[string]int{"processing": 0, "succeeded": 1, "errored": 3, "canceled": 0, "expired": 0},
		read[messageBatch](t, s.URL()+pathMessageBatches+"/"+b.ID).Counts)
	results, _ := messageResults(t, s, b.ID)
	entries := ledgerOf(s)
	for id, kind := range map[string]string{
		"line-1": "invalid_request_error", "line-2": "not_found_error", "line-3": "overloaded_error",
	} {
		require.Equal(t, "errored", results[id].Result.Type)
		require.Equal(t, kind, results[id].Result.Error.Error.Type)
		require.Zero(t, entries[id].Usage, "it is not billed")
		require.Zero(t, entries[id].Began)
	}
	require.Equal(t, sim.OutcomeFaulted, entries["line-3"].Outcome)
	require.Equal(t, "succeeded", results["line-0"].Result.Type)
}

func TestMessageBatches_Refused(t *testing.T) {
	t.Parallel()
	s, _ := batching(t, func(c *sim.Config) { c.Key = "sesame" })
	key := map[string]string{"X-Api-Key": "sesame"}
	one := asked("claude-haiku-5-5", "x")
	for name, tc := range map[string]struct {
		body    any
		message string
	}{
		"Empty":     {object{"requests": []object{}}, "from 1 to 100000"},
		"NoID":      {object{"requests": []object{{"params": one}}}, "custom_id"},
		"LongID":    {object{"requests": []object{{"custom_id": strings.Repeat("a", 65), "params": one}}}, "custom_id"},
		"BadID":     {object{"requests": []object{{"custom_id": "a b", "params": one}}}, "custom_id"},
		"SameID":    {object{"requests": []object{{"custom_id": "a", "params": one}, {"custom_id": "a", "params": one}}}, "not unique"},
		"NoParams":  {object{"requests": []object{{"custom_id": "a"}}}, "params"},
		"NoRequest": {"text", "not valid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := post(t, s.URL()+pathMessageBatches, encode(t, tc.body), key)
			require.Equal(t, 400, g.status)
			require.Contains(t, string(g.body), tc.message)
			require.Contains(t, string(g.body), "invalid_request_error")
		})
	}
	t.Run("NoKey", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, 401, post(t, s.URL()+pathMessageBatches, batchOf(t, one), nil).status)
		require.Equal(t, 401, ask(t, http.MethodGet, s.URL()+pathMessageBatches, nil, nil).status)
	})
	t.Run("NoVersion", func(t *testing.T) {
		t.Parallel()
		g := post(t, s.URL()+pathMessageBatches, batchOf(t, one), map[string]string{"X-Api-Key": "sesame", "Anthropic-Version": ""})
		require.Equal(t, 400, g.status)
	})
	t.Run("NobodysBatch", func(t *testing.T) {
		t.Parallel()
		g := ask(t, http.MethodGet, s.URL()+pathMessageBatches+"/msgbatch_1", nil, key)
		require.Equal(t, 404, g.status)
		require.Contains(t, string(g.body), "not_found_error")
	})
}

func TestMessageBatches_Limits(t *testing.T) {
	t.Parallel()
	t.Run("Lines", func(t *testing.T) {
		t.Parallel()
		s, _ := batching(t, nil)
		body := strings.Builder{}
		body.WriteString(`{"requests":[`)
		for i := range 100_000 {
			fmt.Fprintf(&body, `{"custom_id":"%d","params":{}},`, i)
		}
		whole := strings.TrimSuffix(body.String(), ",")
		require.Equal(t, 200, post(t, s.URL()+pathMessageBatches, []byte(whole+"]}"), nil).status)
		require.Equal(t, 400, post(t, s.URL()+pathMessageBatches, []byte(whole+`,{"custom_id":"more","params":{}}]}`), nil).status)
	})
	t.Run("Bytes", func(t *testing.T) {
		t.Parallel()
		s, _ := batching(t, func(c *sim.Config) { c.Batches.MaxBytes = 200 })
		g := post(t, s.URL()+pathMessageBatches, batchOf(t, many(3, "claude-haiku-5-5")...), nil)
		require.Equal(t, http.StatusRequestEntityTooLarge, g.status)
		require.Contains(t, string(g.body), "request_too_large")
	})
	t.Run("EnqueuedTokens", func(t *testing.T) {
		t.Parallel()
		s, now := batching(t, func(c *sim.Config) { c.Batches.EnqueuedTokens = 100 })
		text := asked("claude-haiku-5-5", strings.Repeat("word", 57)) // 60 tokens with what a turn costs
		require.Equal(t, 200, post(t, s.URL()+pathMessageBatches, batchOf(t, text), nil).status)
		g := post(t, s.URL()+pathMessageBatches, batchOf(t, text), nil)
		require.Equal(t, 429, g.status)
		require.Contains(t, string(g.body), "rate_limit_error")
		require.NotEmpty(t, g.header.Get("Retry-After"))
		other := asked("claude-opus-5-5", strings.Repeat("word", 57))
		require.Equal(t, 200, post(t, s.URL()+pathMessageBatches, batchOf(t, other), nil).status, "the limit is the model's")
		now.add(turnaround)
		require.Equal(t, 200, post(t, s.URL()+pathMessageBatches, batchOf(t, text), nil).status, "there is room again")
	})
}

func TestMessageBatches_Cancel(t *testing.T) {
	t.Parallel()
	s, now := batching(t, nil)
	b := createMessages(t, s, batchOf(t, many(20, "claude-haiku-5-5")...))
	url := s.URL() + pathMessageBatches + "/" + b.ID
	now.add(turnaround / 2)
	var canceling messageBatch
	must(t, post(t, url+"/cancel", nil, nil)).json(t, &canceling)
	require.Equal(t, "canceling", canceling.Status)
	require.Equal(t, now.Now(), *canceling.CancelInitiatedAt)
	require.Equal(t, 20, canceling.Counts["processing"])
	must(t, post(t, url+"/cancel", nil, nil)) // again
	now.add(turnaround / 10)
	over := read[messageBatch](t, url)
	require.Equal(t, "ended", over.Status)
	require.Equal(t, 10, over.Counts["succeeded"])
	require.Equal(t, 10, over.Counts["canceled"])
	results, _ := messageResults(t, s, b.ID)
	kinds := map[string]int{}
	for _, r := range results {
		kinds[r.Result.Type]++
	}
	require.Equal(t, map[string]int{"succeeded": 10, "canceled": 10}, kinds)
	now.add(24 * time.Hour)
	require.Len(t, ledgerOf(s), 10, "what was cancelled is not worked off, or billed")
	require.Equal(t, 400, post(t, url+"/cancel", nil, nil).status)
}

func TestMessageBatches_Expiry(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault     sim.Fault
		succeeded int
	}{"Half": {sim.FaultBatchExpired, 10}, "All": {sim.FaultBatchStalled, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, now := batching(t, func(c *sim.Config) { c.Scripts = []sim.Script{{Fault: tc.fault, Batches: true, Count: 1}} })
			b := createMessages(t, s, batchOf(t, many(20, "claude-haiku-5-5")...))
			now.add(24*time.Hour - time.Second)
			require.Equal(t, "in_progress", read[messageBatch](t, s.URL()+pathMessageBatches+"/"+b.ID).Status)
			now.add(time.Second)
			over := read[messageBatch](t, s.URL()+pathMessageBatches+"/"+b.ID)
			require.Equal(t, "ended", over.Status, "it is no other state than that of a batch that went well")
			require.Equal(t, tc.succeeded, over.Counts["succeeded"])
			require.Equal(t, 20-tc.succeeded, over.Counts["expired"])
			results, _ := messageResults(t, s, b.ID)
			require.Len(t, results, 20)
			require.Len(t, ledgerOf(s), tc.succeeded)
			next := createMessages(t, s, batchOf(t, many(1, "claude-haiku-5-5")...))
			now.add(turnaround)
			require.Equal(t, 1, read[messageBatch](t, s.URL()+pathMessageBatches+"/"+next.ID).Counts["succeeded"], "the script met one batch")
		})
	}
}

func TestMessageBatches_List(t *testing.T) {
	t.Parallel()
	s, now := batching(t, nil)
	var ids []string // the newest first
	for range 5 {
		b := createMessages(t, s, batchOf(t, many(1, "claude-haiku-5-5")...))
		ids = slices.Insert(ids, 0, b.ID)
		now.add(time.Second)
	}
	type page struct {
		Data    []messageBatch `json:"data"`
		HasMore bool           `json:"has_more"`
		FirstID string         `json:"first_id"`
		LastID  string         `json:"last_id"`
	}
	for _, tc := range []struct {
		query string
		want  []string
		more  bool
	}{
		{"", ids, false},
		{"?limit=2", ids[:2], true},
		{"?limit=2&after_id=" + ids[1], ids[2:4], true},
		{"?limit=2&after_id=" + ids[3], ids[4:], false},
		{"?limit=2&before_id=" + ids[3], ids[1:3], true},
		{"?limit=4&before_id=" + ids[2], ids[:2], false},
	} {
		p := read[page](t, s.URL()+pathMessageBatches+tc.query)
		var found []string
		for _, b := range p.Data {
			found = append(found, b.ID)
		}
		require.Equal(t, tc.want, found, tc.query)
		require.Equal(t, tc.more, p.HasMore, tc.query)
		require.Equal(t, tc.want[0], p.FirstID)
		require.Equal(t, tc.want[len(tc.want)-1], p.LastID)
	}
	require.Equal(t, 400, ask(t, http.MethodGet, s.URL()+pathMessageBatches+"?limit=0", nil, nil).status)
}

// TestMessageBatches_Cache has the trap of caching in batches: lines do not read what other lines write, and mostly not
// what calls wrote, but all of them what an earlier batch wrote.
func TestMessageBatches_Cache(t *testing.T) {
	t.Parallel()
	s, now := batching(t, func(c *sim.Config) {
		c.MinCacheTokens, c.Batches.Turnaround = 100, 20*time.Minute // well below the hour for which a prefix stays
	})
	prompt := func(model string, i int) object {
		p := asked(model, fmt.Sprintf("question %d", i))
		p["system"] = []object{{"type": "text", "text": strings.Repeat("word", 200), "cache_control": object{"type": "ephemeral", "ttl": "1h"}}}
		return p
	}
	run := func(model string, n int) (reads, writes int) {
		params := make([]object, n)
		for i := range params {
			params[i] = prompt(model, i)
		}
		b := createMessages(t, s, batchOf(t, params...))
		now.add(20 * time.Minute)
		results, _ := messageResults(t, s, b.ID)
		require.Len(t, results, n)
		for _, r := range results {
			if number(t, r.Result.Message.Usage, "cache_read_input_tokens") > 0 {
				reads++
			}
			if number(t, r.Result.Message.Usage, "cache_creation.ephemeral_1h_input_tokens") > 0 {
				writes++
			}
		}
		return reads, writes
	}
	reads, writes := run("claude-haiku-5-5", 50)
	require.Equal(t, []int{0, 50}, []int{reads, writes}, "cold: all pay the write")
	reads, writes = run("claude-haiku-5-5", 50)
	require.Equal(t, []int{50, 0}, []int{reads, writes}, "an earlier batch has warmed the prefix")

	must(t, post(t, s.URL()+pathMessages, encode(t, prompt("claude-opus-5-5", 99)), nil))
	reads, writes = run("claude-opus-5-5", 200)
	require.Equal(t, 200, reads+writes)
	require.InDelta(t, 32, reads, 20, "a call has warmed it for the few lines that are worked off near it")
}

func TestMessageBatches_AmbiguousCreation(t *testing.T) {
	t.Parallel()
	s, _ := batching(t, func(c *sim.Config) { c.Scripts = []sim.Script{{Fault: sim.FaultReset, Batches: true}} })
	_, err := try(t, s.URL()+pathMessageBatches, batchOf(t, many(3, "claude-haiku-5-5")...), nil)
	require.Error(t, err, "the client does not learn of the batch")
	page := read[struct {
		Data []messageBatch `json:"data"`
	}](t, s.URL()+pathMessageBatches)
	require.Len(t, page.Data, 1, "but it is there, and found by its time and count")
	require.Equal(t, 3, page.Data[0].Counts["processing"])
	require.Equal(t, 1, s.Stats().Batches)
}

func TestMessageBatches_FaultsOfLines(t *testing.T) {
	t.Parallel()
	s, now := batching(t, func(c *sim.Config) {
		c.Batches.Faults = map[sim.Fault]int{sim.FaultLineMissing: 100, sim.FaultLineTwice: 100, sim.FaultServer: 100}
	})
	b := createMessages(t, s, batchOf(t, many(300, "claude-haiku-5-5")...))
	now.add(turnaround)
	results, order := messageResults(t, s, b.ID)
	faults := map[sim.Fault]int{}
	for id, e := range ledgerOf(s) {
		faults[e.Fault]++
		_, told := results[id]
		require.Equal(t, e.Fault != sim.FaultLineMissing, told)
		require.Equal(t, e.Fault != sim.FaultServer, e.Usage.Output > 0, "only errors cost nothing")
	}
	require.Len(t, results, 300-faults[sim.FaultLineMissing])
	require.Len(t, order, 300-faults[sim.FaultLineMissing]+faults[sim.FaultLineTwice])
	delete(faults, "")
	require.Len(t, faults, 3)
	for _, n := range slices.Collect(maps.Values(faults)) {
		require.InDelta(t, 30, n, 20)
	}
	require.Equal(t, faults[sim.FaultServer], read[messageBatch](t, s.URL()+pathMessageBatches+"/"+b.ID).Counts["errored"])
}

func TestMessageBatches_FailedIsAllErrored(t *testing.T) {
	t.Parallel()
	s, now := batching(t, func(c *sim.Config) { c.Scripts = []sim.Script{{Fault: sim.FaultBatchFailed, Batches: true}} })
	b := createMessages(t, s, batchOf(t, many(3, "claude-haiku-5-5")...))
	now.add(turnaround)
	require.Equal(t, 3, read[messageBatch](t, s.URL()+pathMessageBatches+"/"+b.ID).Counts["errored"])
	require.Zero(t, s.Stats().Models["claude-haiku-5-5"].Usage)
}
