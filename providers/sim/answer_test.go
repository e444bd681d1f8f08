package sim_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/providers/sim"
	"github.com/weirhq/weir/providers/sim/backlog"
	"github.com/weirhq/weir/validators"
)

// messageText is the text and the stop reason of an answer of the Messages API.
func messageText(tb testing.TB, g got) (text, stop string) {
	tb.Helper()
	var answer struct {
		Content []struct {
			Text string `json:"text"`
		} `json:"content"`
		StopReason string `json:"stop_reason"`
	}
	g.json(tb, &answer)
	for _, c := range answer.Content {
		text += c.Text
	}
	return text, answer.StopReason
}

func TestDeterminism(t *testing.T) {
	t.Parallel()
	f := features(t)
	documents := backlog.Generate(21, 60)
	bodies := make([][]byte, 0, 2*len(documents))
	paths := make([]string, 0, 2*len(documents))
	for _, doc := range documents {
		system := f[doc.Task.Feature].System
		bodies = append(bodies, messagesBody(t, "claude-haiku-5-5", system, doc.Task.Input), completionsBody(t, "gpt-6.2-sol", system, doc.Task.Input))
		paths = append(paths, pathMessages, pathCompletions)
	}
	run := func(seed uint64, backwards bool) []string {
		cfg := fast(seed)
		cfg.MinCacheTokens = 100_000 // what a cache has at hand depends on what was asked before
		cfg.Now = newClock().Now
		s := start(t, cfg)
		answers := make([]string, len(bodies))
		var wg sync.WaitGroup
		for i := range bodies {
			if backwards {
				i = len(bodies) - 1 - i
			}
			wg.Go(func() {
				g, _ := try(t, s.URL()+paths[i], bodies[i], nil) // no answer fails below
				answers[i] = string(g.body)
			})
		}
		wg.Wait()
		require.NotContains(t, answers, "")
		return answers
	}
	first := run(1, false)
	require.Equal(t, first, run(1, true), "neither order nor concurrency matters")
	require.NotEqual(t, first, run(2, false))
}

func TestSchemaAnswers(t *testing.T) {
	t.Parallel()
	cfg := fast(3)
	cfg.Models = map[string]sim.ModelProfile{"m": perfect()}
	s := start(t, cfg)
	for _, tc := range []struct{ name, schema string }{
		{"Enum", `{"type":"object","required":["label"],"properties":{"label":{"type":"string","enum":["a","b"]}},"additionalProperties":false}`},
		{"Numbers", `{"type":"object","required":["a","b","c","d"],"properties":{"a":{"type":"integer","minimum":5,"maximum":7},"b":{"type":"number","minimum":0,"maximum":1},"c":{"type":"number","exclusiveMinimum":10},"d":{"type":"integer","multipleOf":5,"minimum":1,"maximum":100}}}`},
		{"Texts", `{"type":"object","required":["a","b","c","d","e"],"properties":{"a":{"type":"string","minLength":200},"b":{"type":"string","maxLength":3},"c":{"type":"string","format":"date"},"d":{"type":"string","format":"uuid"},"e":{"type":"string","format":"email"}}}`},
		{"Pattern", `{"type":"string","pattern":"^[A-Z]{3}-(alpha|beta)?[0-9]{2,4}(x+|y*)\\.$"}`},
		{"Arrays", `{"type":"object","required":["a"],"properties":{"a":{"type":"array","minItems":4,"maxItems":6,"items":{"type":"boolean"}}}}`},
		{"Alternatives", `{"anyOf":[{"type":"integer"},{"type":"string","const":"none"}]}`},
		{"AllOf", `{"allOf":[{"type":"object","required":["a"],"properties":{"a":{"type":"integer"}}}]}`},
		{"Reference", `{"$defs":{"item":{"type":"object","required":["n"],"properties":{"n":{"type":["integer","null"]}}}},"type":"array","minItems":1,"items":{"$ref":"#/$defs/item"}}`},
		{"Recursive", `{"$defs":{"node":{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}}}},"$ref":"#/$defs/node"}`},
		{"Anything", `{}`},
		{"Guessed", `{"properties":{"a":{"minimum":3},"b":{"items":{"type":"string"}}},"required":["a","b"]}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			chain, err := validators.Compile([]catalog.Validator{{Type: "allow_empty"}}, json.RawMessage(tc.schema))
			require.NoError(t, err)
			seen := map[string]bool{}
			for i := range 20 {
				g := post(t, s.URL()+pathMessages, encode(t, object{
					"model": "m", "max_tokens": 5000, "messages": []object{{"role": "user", "content": fmt.Sprint(i)}},
					"output_config": object{"format": object{"type": "json_schema", "schema": json.RawMessage(tc.schema)}},
				}), nil)
				text, stop := messageText(t, g)
				require.Equal(t, "end_turn", stop)
				require.True(t, json.Valid([]byte(text)), text)
				verdict, err := chain.Validate(&validators.Answer{Output: text})
				require.NoError(t, err)
				require.True(t, verdict.Accepted, "%s: %s", verdict.Reason, text)
				seen[text] = true
			}
			if tc.name != "Anything" {
				require.Greater(t, len(seen), 1, "the question has a part in the answer")
			}
		})
	}
}

func TestLabels_WrongShares(t *testing.T) {
	t.Parallel()
	const rounds = 1200
	labels := []string{"card_arrival", "lost_card", "top_up"}
	cfg := fast(4)
	cfg.Models = map[string]sim.ModelProfile{"m": {Skill: 10_000, Wrong: 300, OffEnum: 500, Malformed: 100}}
	s := start(t, cfg)
	inside, seen := 0, map[string]int{}
	for i := range rounds {
		text, _ := messageText(t, post(t, s.URL()+pathMessages, messagesBody(t, "m", "Sort:\n- "+strings.Join(labels, "\n- "), fmt.Sprint("query ", i)), nil))
		seen[text]++
		if slices.Contains(labels, text) {
			inside++
		}
	}
	require.InDelta(t, 0.9*(1-0.15), float64(inside)/rounds, 0.04)
	for _, label := range labels {
		require.InDelta(t, inside/3, seen[label], rounds/12)
	}
	played := s.Stats().Models["m"].Played
	require.InDelta(t, rounds*0.1, played[sim.PlayedMalformed], rounds*0.03)
	require.InDelta(t, rounds*0.9*0.15, played[sim.PlayedOff], rounds*0.03)
	require.InDelta(t, rounds*0.9*0.15, played[sim.PlayedWrong], rounds*0.03)
}

func TestPlainText(t *testing.T) {
	t.Parallel()
	s := start(t, fast(1))
	text, stop := messageText(t, post(t, s.URL()+pathMessages, messagesBody(t, "claude-opus-5-5", "Summarise.", "A long story."), nil))
	require.Equal(t, "end_turn", stop)
	require.Greater(t, len(strings.Fields(text)), 8)
}

func TestToolCalls(t *testing.T) {
	t.Parallel()
	cfg := fast(1)
	cfg.Models = map[string]sim.ModelProfile{"m": perfect()}
	s := start(t, cfg)
	parameters := json.RawMessage(`{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}`)
	turn := []object{{"role": "user", "content": "x"}}

	var message struct {
		Content []struct {
			Type  string         `json:"type"`
			ID    string         `json:"id"`
			Name  string         `json:"name"`
			Input map[string]any `json:"input"`
		} `json:"content"`
		StopReason string `json:"stop_reason"`
	}
	post(t, s.URL()+pathMessages, encode(t, object{
		"model": "m", "max_tokens": 500, "messages": turn, "tools": []object{{"name": "weather", "input_schema": parameters}},
	}), nil).json(t, &message)
	require.Equal(t, "tool_use", message.StopReason)
	require.Equal(t, "weather", message.Content[0].Name)
	require.NotEmpty(t, message.Content[0].ID)
	require.Contains(t, message.Content[0].Input, "city")

	var completion struct {
		Choices []struct {
			FinishReason string `json:"finish_reason"`
			Message      struct {
				Content   *string `json:"content"`
				ToolCalls []struct {
					Function struct {
						Name      string `json:"name"`
						Arguments string `json:"arguments"`
					} `json:"function"`
				} `json:"tool_calls"`
			} `json:"message"`
		} `json:"choices"`
	}
	post(t, s.URL()+pathCompletions, encode(t, object{
		"model": "m", "messages": turn,
		"tools": []object{{"type": "function", "function": object{"name": "weather", "parameters": parameters}}},
	}), nil).json(t, &completion)
	choice := completion.Choices[0]
	require.Equal(t, "tool_calls", choice.FinishReason)
	require.Nil(t, choice.Message.Content)
	require.Equal(t, "weather", choice.Message.ToolCalls[0].Function.Name)
	require.Contains(t, choice.Message.ToolCalls[0].Function.Arguments, `"city":`)
}

func TestMaxTokens(t *testing.T) {
	t.Parallel()
	for _, tokens := range []sim.Tokens{sim.TokensBytes, sim.TokensExact} {
		t.Run(string(tokens), func(t *testing.T) {
			t.Parallel()
			s := start(t, sim.Config{Seed: 1, Instant: true, Tokens: tokens, Models: map[string]sim.ModelProfile{"m": perfect()}})
			ask := func(most int) (string, string, int) {
				g := post(t, s.URL()+pathMessages, encode(t, object{"model": "m", "max_tokens": most, "messages": []object{{"role": "user", "content": "x"}}}), nil)
				text, stop := messageText(t, g)
				return text, stop, number(t, usageOf(t, g), "output_tokens")
			}
			whole, stop, used := ask(1000)
			require.Equal(t, "end_turn", stop)
			cut, stop, output := ask(used - 1)
			require.Equal(t, "max_tokens", stop)
			require.Equal(t, used-1, output)
			require.True(t, strings.HasPrefix(whole, cut) && len(cut) < len(whole))
			same, stop, output := ask(used)
			require.Equal(t, "end_turn", stop)
			require.Equal(t, used, output)
			require.Equal(t, whole, same)
		})
	}
}

func TestRefusalTruncationReasoning(t *testing.T) {
	t.Parallel()
	always := func(change func(*sim.ModelProfile)) sim.ModelProfile {
		p := perfect()
		change(&p)
		return p
	}
	cfg := fast(1)
	cfg.Models = map[string]sim.ModelProfile{
		"refuses":   always(func(p *sim.ModelProfile) { p.Refuse = 1000 }),
		"truncates": always(func(p *sim.ModelProfile) { p.Truncate = 1000 }),
		"reasons":   always(func(p *sim.ModelProfile) { p.Reasoning = 1000 }),
	}
	s := start(t, cfg)

	_, stop := messageText(t, post(t, s.URL()+pathMessages, messagesBody(t, "refuses", "", "x"), nil))
	require.Equal(t, "refusal", stop)
	g := post(t, s.URL()+pathCompletions, completionsBody(t, "refuses", "", "x"), nil)
	require.Contains(t, string(g.body), `"content":null,"refusal":"I cannot help`)
	require.Positive(t, number(t, usageOf(t, g), "completion_tokens"), "a refusal is billed")

	_, stop = messageText(t, post(t, s.URL()+pathMessages, messagesBody(t, "truncates", "", "x"), nil))
	require.Equal(t, "max_tokens", stop)
	require.Contains(t, string(post(t, s.URL()+pathCompletions, completionsBody(t, "truncates", "", "x"), nil).body), `"finish_reason":"length"`)

	for _, most := range []int{2000, 200, 10} {
		u := usageOf(t, post(t, s.URL()+pathCompletions, encode(t, object{
			"model": "reasons", "max_completion_tokens": most, "messages": []object{{"role": "user", "content": "x"}},
		}), nil))
		reasoning := number(t, u, "completion_tokens_details.reasoning_tokens")
		require.Positive(t, reasoning)
		require.LessOrEqual(t, reasoning, number(t, u, "completion_tokens"), "reasoning is a part of the output")
		require.LessOrEqual(t, number(t, u, "completion_tokens"), most)
	}
}

func TestLatency(t *testing.T) {
	t.Parallel()
	slow := perfect()
	slow.Latency = sim.Latency{P50: 200 * time.Millisecond}
	cfg := sim.Config{Tokens: sim.TokensBytes, Speed: 4, Models: map[string]sim.ModelProfile{"m": slow}}
	s := start(t, cfg)
	begin := time.Now()
	post(t, s.URL()+pathMessages, messagesBody(t, "m", "", "x"), nil)
	require.GreaterOrEqual(t, time.Since(begin), 50*time.Millisecond)
	e := s.Ledger()[0]
	require.GreaterOrEqual(t, e.Finished.Sub(e.Began), 50*time.Millisecond)
}

func TestNew_ReportsMistakes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		cfg  sim.Config
		want string
	}{
		{"Tokens", sim.Config{Tokens: "words"}, `tokens are counted "words"`},
		{"Speed", sim.Config{Speed: -1}, "must not be negative"},
		{"Fault", sim.Config{Faults: map[sim.Fault]int{"rain": 1}}, `fault "rain" is unknown`},
		{"NegativeShare", sim.Config{Faults: map[sim.Fault]int{sim.FaultServer: -1}}, "negative"},
		{"Shares", sim.Config{Faults: map[sim.Fault]int{sim.FaultServer: 600, sim.FaultReset: 600}}, "more than 1000"},
		{"Script", sim.Config{Scripts: []sim.Script{{Fault: "rain"}}}, `fault "rain"`},
		{"ScriptCount", sim.Config{Scripts: []sim.Script{{Fault: sim.FaultServer, Count: -1}}}, "count"},
		{"Limit", sim.Config{RateLimits: map[string]sim.RateLimit{"m": {}}}, `rate limit of model "m"`},
		{"Share", sim.Config{Models: map[string]sim.ModelProfile{"m": {Wrong: 1001}}}, "from 0 to 1000"},
		{"Latency", sim.Config{Models: map[string]sim.ModelProfile{"m": {Latency: sim.Latency{P50: -1}}}}, "must not be negative"},
		{"Ledger", sim.Config{LedgerFile: "/nowhere/at/all"}, "open the ledger"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := sim.New(tc.cfg)
			require.ErrorContains(t, err, tc.want)
		})
	}
	_, err := sim.New(sim.Config{Tokens: "words", Speed: -1})
	require.ErrorContains(t, err, "words")
	require.ErrorContains(t, err, "negative", "all mistakes at once")
}
