package audit_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/audit"
	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

// write puts a text into a file of its own.
func write(tb testing.TB, name, text string) string {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), name)
	require.NoError(tb, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func read(tb testing.TB, file string, o audit.Options) ([]audit.Call, *audit.Reading) {
	tb.Helper()
	var calls []audit.Call
	reading, err := audit.Read(tb.Context(), file, o, func(c *audit.Call) { calls = append(calls, *c) })
	require.NoError(tb, err)
	return calls, reading
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t
}

func usd(text string) *task.Pico {
	p, err := task.ParseUSD(text)
	if err != nil {
		panic(err)
	}
	return &p
}

// Every export in its own shape, and the call that it comes to.
func TestRead_Formats(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, file, text, format string
		want                     audit.Call
	}{
		{
			"OpenAIUsageAPI", "usage.json", `{
  "object": "page", "has_more": false,
  "data": [
    {"object": "bucket", "start_time": 1730419200, "end_time": 1730505600, "results": []},
    {"object": "bucket", "start_time": 1730505600, "end_time": 1730592000, "results": [
      {"object": "organization.usage.completions.result", "input_tokens": 1000, "output_tokens": 500, "input_cached_tokens": 800,
       "num_model_requests": 5, "project_id": "proj_a", "api_key_id": "key_b", "model": "gpt-4o-2024-08-06", "batch": true}]}],
  "next_page": null
}`, "openai-usage", audit.Call{
				At: at("2024-11-02T00:00:00Z"), Path: "proj_a/key_b", Provider: "openai", Model: "gpt-4o-2024-08-06", Mode: pricing.ModeBatch, Count: 5,
				Usage: &task.Usage{Input: 200, CacheRead: 800, Output: 500},
			},
		},
		{
			"OpenAIUsageCSV", "usage.csv", "start_time,start_time_iso,project_id,num_model_requests,model,batch,input_tokens,output_tokens,input_cached_tokens\n" +
				"1730419200,2024-11-01T00:00:00+00:00,proj_a,3,gpt-4o-mini-2024-07-18,False,30,6,0\n", "openai-usage", audit.Call{
				At: at("2024-11-01T00:00:00Z"), Path: "proj_a", Provider: "openai", Model: "gpt-4o-mini-2024-07-18", Mode: pricing.ModeSync, Count: 3,
				Usage: &task.Usage{Input: 30, Output: 6},
			},
		},
		{
			"OpenAICosts", "costs.json", `{"object":"page","data":[{"object":"bucket","start_time":1730419200,"end_time":1730505600,` +
				`"results":[{"object":"organization.costs.result","amount":{"value":0.0613,"currency":"usd"},` +
				`"line_item":"gpt-4o-2024-08-06, input","project_id":"proj_a"}]}]}`, "openai-costs", audit.Call{
				At: at("2024-11-01T00:00:00Z"), Path: "proj_a", Provider: "openai", Model: "gpt-4o-2024-08-06", Mode: pricing.ModeSync, Cost: usd("0.0613"),
			},
		},
		{
			"LiteLLMJSON", "spend.json", `[{"request_id":"r","call_type":"acompletion","api_key":"k","spend":0.00123,"total_tokens":120,` +
				`"prompt_tokens":100,"completion_tokens":20,"startTime":"2026-10-01T10:00:00.000Z","endTime":"2026-10-01T10:00:01.500Z",` +
				`"model":"anthropic/claude-haiku-5-5","custom_llm_provider":"anthropic","request_tags":["User-Agent: x","triage"],"session_id":"s",` +
				`"messages":[{"role":"system","content":"Sort."},{"role":"user","content":"Hello"}],"status":"success",` +
				`"metadata":{"additional_usage_values":{"cache_read_input_tokens":60,"cache_creation_input_tokens":10}}}]`,
			"litellm",
			audit.Call{
				At: at("2026-10-01T10:00:00Z"), Path: "triage", Provider: "anthropic", Model: "claude-haiku-5-5", Mode: pricing.ModeSync, Count: 1,
				Usage: &task.Usage{Input: 30, CacheRead: 60, CacheWrite5m: 10, Output: 20}, Cost: usd("0.00123"), System: "Sort.", Prompt: "Hello",
				TaskID: "s", Latency: 1500 * time.Millisecond,
			},
		},
		{
			"LiteLLMCSV", "spend.csv", "request_id,call_type,api_key,spend,total_tokens,prompt_tokens,completion_tokens,startTime,endTime,model,metadata,request_tags,team_id,status\n" +
				`r,acompletion,k,1.5e-05,12,10,2,2026-10-01 10:00:00.123,2026-10-01 10:00:00.123,gpt-4o,"{""user_api_key_alias"": ""mail""}",[],team,failure` + "\n",
			"litellm",
			audit.Call{
				At: at("2026-10-01T10:00:00.123Z"), Path: "team/mail", Model: "gpt-4o", Mode: pricing.ModeSync, Count: 1, Failed: true,
				Usage: &task.Usage{Input: 10, Output: 2}, Cost: usd("0.000015"),
			},
		},
		{
			"Langfuse", "observations.jsonl", `{"id":"s","traceId":"t","type":"SPAN","startTime":"2026-10-01T10:00:00.000Z","name":"step"}` + "\n" +
				`{"id":"o","traceId":"t","type":"GENERATION","startTime":"2026-10-01T10:00:00.000Z","name":"answer","traceName":"rag","model":"gpt-4o",` +
				`"input":{"messages":[{"role":"user","content":[{"type":"text","text":"Why?"}]}]},"level":"DEFAULT","latency":0.25,` +
				`"usageDetails":{"input":40,"input_cached_tokens":60,"output":7,"total":107},"costDetails":{"input":0.1,"total":0.2}}` + "\n",
			"langfuse",
			audit.Call{
				At: at("2026-10-01T10:00:00Z"), Path: "rag/answer", Model: "gpt-4o", Mode: pricing.ModeSync, Count: 1, TaskID: "t",
				Usage: &task.Usage{Input: 40, CacheRead: 60, Output: 7}, Cost: usd("0.2"), Prompt: "Why?", Latency: 250 * time.Millisecond,
			},
		},
		{
			"LangfuseCSV", "observations.csv", "id,traceId,type,startTime,name,traceName,providedModelName,input,usageDetails,totalCost\n" +
				`o,t,GENERATION,2026-10-01T10:00:00.000Z,answer,answer,gpt-4o,"""Why?""","{""input"":5,""output"":1}",` + "\n",
			"langfuse",
			audit.Call{
				At: at("2026-10-01T10:00:00Z"), Path: "answer", Model: "gpt-4o", Mode: pricing.ModeSync, Count: 1, TaskID: "t",
				Usage: &task.Usage{Input: 5, Output: 1}, Prompt: `"Why?"`,
			},
		},
		{
			"Helicone", "helicone.jsonl", `{"request_id":"r","provider":"OPENAI","request_created_at":"2026-10-01T10:00:00+00:00","response_status":200,` +
				`"model":"gpt-4o","prompt_tokens":10,"completion_tokens":4,"prompt_cache_read_tokens":6,"cost":0.5,"delay_ms":900,` +
				`"request_properties":{"Feature":"triage"},"request_body":{"model":"gpt-4o","messages":[{"role":"developer","content":"Sort."},` +
				`{"role":"user","content":"Hi"}],"tools":[{}],"response_format":{"type":"json_schema"}}}` + "\n", "helicone", audit.Call{
				At: at("2026-10-01T10:00:00Z"), Path: "triage", Provider: "openai", Model: "gpt-4o", Mode: pricing.ModeSync, Count: 1,
				Usage: &task.Usage{Input: 4, CacheRead: 6, Output: 4}, Cost: usd("0.5"), System: "Sort.", Prompt: "Hi", Tools: true, Schema: true,
				Latency: 900 * time.Millisecond,
			},
		},
		{
			"OpenRouter", "activity.csv", "generation_id,created_at,cost_total,tokens_prompt,tokens_completion,tokens_reasoning,tokens_cached,model_permaslug,provider_name,cancelled,generation_time_ms,app_name,api_key_name\n" +
				"gen-1,2026-10-01 10:00:00.5,0.0021,100,20,5,40,anthropic/claude-sonnet-5-5,Anthropic,false,2000,Desk,mail\n", "openrouter", audit.Call{
				At: at("2026-10-01T10:00:00.5Z"), Path: "Desk/mail", Provider: "anthropic", Model: "claude-sonnet-5-5", Mode: pricing.ModeSync, Count: 1,
				Usage: &task.Usage{Input: 60, CacheRead: 40, Output: 20}, Cost: usd("0.0021"), Latency: 2 * time.Second,
			},
		},
		{
			"PlainWithUsualNames", "calls.csv", "\xEF\xBB\xBFTimestamp;Feature;Model;Prompt_Tokens;Completion_Tokens;Cost\r\n2026-10-01;mail;gpt-4o;10;2;$0.01\r\n",
			"plain",
			audit.Call{
				At: at("2026-10-01T00:00:00Z"), Path: "mail", Model: "gpt-4o", Mode: pricing.ModeSync, Count: 1, Usage: &task.Usage{Input: 10, Output: 2}, Cost: usd("0.01"),
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			calls, reading := read(t, write(t, c.file, c.text), audit.Options{})
			require.Empty(t, reading.BadRows)
			require.Equal(t, c.format, reading.Format)
			require.Equal(t, []audit.Call{c.want}, calls)
			require.Equal(t, strings.Contains(c.text, "SPAN"), reading.Skipped == 1)
		})
	}
}

func TestRead_Map(t *testing.T) {
	t.Parallel()
	file := write(t, "mine.csv", "when,who,engine,in,out,why\n1759312800,mail,gpt-4o,10,2,\"line one\nline two\"\n")
	o := audit.Options{Columns: map[string]string{"at": "When", "path": "who", "model": "engine", "input_tokens": "in", "output_tokens": "out", "prompt": "why"}}
	calls, _ := read(t, file, o)
	require.Equal(t, []audit.Call{{
		At: at("2025-10-01T10:00:00Z"), Path: "mail", Model: "gpt-4o", Mode: pricing.ModeSync, Count: 1, Usage: &task.Usage{Input: 10, Output: 2}, Prompt: "line one\nline two",
	}}, calls)
	for _, c := range []struct{ field, column, says string }{
		{"when", "when", `no field "when"`}, {"at", "time", `no column "time" to map to at; there are engine, in, out, when, who, why`},
	} {
		o := audit.Options{Columns: map[string]string{c.field: c.column}}
		_, err := audit.Read(t.Context(), file, o, func(*audit.Call) {})
		require.ErrorContains(t, err, c.says)
	}
}

// Rows that cannot be read are counted and listed with their line, and the others are read.
func TestRead_BadRows(t *testing.T) {
	t.Parallel()
	const header = "timestamp,feature,model,prompt_tokens,completion_tokens,cost\n"
	const good = "2026-10-01,mail,gpt-4o,10,2,0.01\n"
	for _, c := range []struct{ name, row, reason string }{
		{"TooFewValues", "2026-10-01,mail\n", "has 2 values, and the header 6"},
		{"NoTime", ",mail,gpt-4o,10,2,0.01\n", "there is no time in at"},
		{"DayAsNumber", "20261001,mail,gpt-4o,10,2,0.01\n", `timestamp "20261001" is no time`},
		{"WrongTime", "yesterday,mail,gpt-4o,10,2,0.01\n", `timestamp "yesterday" is no time`},
		{"Negative", "2026-10-01,mail,gpt-4o,-10,2,0.01\n", `prompt_tokens "-10" is negative`},
		{"Half", "2026-10-01,mail,gpt-4o,10.5,2,0.01\n", `prompt_tokens "10.5" is not whole`},
		{"Separator", "2026-10-01,mail,gpt-4o,\"1,000\",2,0.01\n", "without thousands separators"},
		{"NaN", "2026-10-01,mail,gpt-4o,10,2,NaN\n", `cost "NaN" is not a number`},
		{"Huge", "2026-10-01,mail,gpt-4o,10,2,1e29\n", `cost "1e29" is out of range`},
		{"Exponent", "2026-10-01,mail,gpt-4o,1e999999999,2,1\n", "is not a number in range"},
		{"NoModel", "2026-10-01,mail,,10,2,0.01\n", "names no model"},
		{"Nothing", "2026-10-01,mail,gpt-4o,,,\n", "has neither tokens nor a cost"},
		{"Quote", "2026-10-01,ma\"il,gpt-4o,10,2,0.01\n", "is no row of values"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			file := write(t, "calls.csv", header+good+c.row+good)
			calls, reading := read(t, file, audit.Options{})
			require.Len(t, calls, 2)
			require.EqualValues(t, 1, reading.Bad)
			require.Len(t, reading.BadRows, 1)
			require.EqualValues(t, 3, reading.BadRows[0].Line)
			require.Equal(t, file, reading.BadRows[0].File)
			require.Contains(t, reading.BadRows[0].Reason, c.reason)
		})
	}
}

// Where a log counts cached tokens apart from the prompt, as their number shows, none of them is lost.
func TestRead_CachedApart(t *testing.T) {
	t.Parallel()
	calls, _ := read(t, write(t, "calls.csv", "timestamp,model,prompt_tokens,cached_tokens,completion_tokens\n2026-10-01,m,10,90,5\n"), audit.Options{})
	require.Equal(t, &task.Usage{Input: 10, CacheRead: 90, Output: 5}, calls[0].Usage)
}

func TestRead_BadRows_ManyAreCounted(t *testing.T) {
	t.Parallel()
	text := "timestamp,model,cost\n2026-10-01,gpt-4o,1\n" + strings.Repeat("x,gpt-4o,1\n", 100)
	_, reading := read(t, write(t, "calls.csv", text), audit.Options{})
	require.EqualValues(t, 100, reading.Bad)
	require.Len(t, reading.BadRows, audit.MostBadRows)
	lines := "{\"timestamp\":1759312800,\"model\":\"m\",\"cost\":1}\nnot json\n{\"timestamp\":1759312800,\"model\":\"m\",\"cost\":\"0.5\"}\nnull\n"
	calls, reading := read(t, write(t, "calls.jsonl", lines), audit.Options{})
	require.Len(t, calls, 2)
	require.EqualValues(t, 2, reading.Bad)
	require.EqualValues(t, 2, reading.BadRows[0].Line)
}

// Documents of JSON: pages after each other, and objects without a list.
func TestRead_Documents(t *testing.T) {
	t.Parallel()
	one := `{"timestamp": 1759312800, "model": "m", "cost": 1}`
	for name, text := range map[string]string{
		"Pages":     "{\n\"data\": [" + one + "], \"next\": 1}\n{\n\"data\": [" + one + "," + one + "]}",
		"Objects":   "{\n" + one[1:] + "\n{\n" + one[1:] + "\n" + one,
		"List":      "[" + one + "," + one + ",\n" + one + "]",
		"Lines":     one + "\n\n" + one + "\n" + one,
		"LongFirst": `{"data": [` + one + `, {"timestamp": 1759312800, "model": "m", "cost": 2, "prompt": "` + strings.Repeat("long ", 1<<16) + `"}, ` + one + `]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls, reading := read(t, write(t, "calls.json", text), audit.Options{})
			require.Empty(t, reading.BadRows)
			require.Len(t, calls, 3)
			for _, c := range calls {
				require.LessOrEqual(t, len(c.Prompt), audit.MaxText)
			}
		})
	}
}

func TestRead_WholeFiles(t *testing.T) {
	t.Parallel()
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, err := io.WriteString(w, "timestamp,model,cost\n2026-10-01,gpt-4o,1\n")
	require.NoError(t, err)
	require.NoError(t, w.Close())
	calls, _ := read(t, write(t, "calls.csv.gz", zipped.String()), audit.Options{})
	require.Len(t, calls, 1)
	for _, c := range []struct{ name, text, says string }{
		{"Empty", "", "it is empty"},
		{"Blank", " \n \n", "it is empty"},
		{"HeaderAlone", "timestamp,model,cost\n", "there is no row in it"},
		{"Unknown", "a,b\n1,2\n", "name them with --map"},
		{"Twice", "model,Model,cost\n", `the column "model" twice`},
		{"UTF16", "\xFF\xFEt\x00", "save it as UTF-8"},
		{"Spreadsheet", "PK\x03\x04", "save the sheet as CSV"},
		{"EndsEarly", "[{\"timestamp\": 1759312800, \"model\": \"m\", \"cost\": 1},\n{\"timest", "record 2: unexpected EOF"},
		{"NoList", "{\n\"data\": 1}", `"data" is no list`},
		{"LongRecord", "[\"" + strings.Repeat("x", audit.MaxRecord+10), "longer than 16 MiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := audit.Read(t.Context(), write(t, "calls", c.text), audit.Options{}, func(*audit.Call) {})
			require.ErrorContains(t, err, c.says)
		})
	}
	_, err = audit.Read(t.Context(), write(t, "calls", "a"), audit.Options{Format: "excel"}, func(*audit.Call) {})
	require.Error(t, err)
	stopped, stop := context.WithCancel(t.Context())
	stop()
	_, err = audit.Read(stopped, write(t, "calls", "timestamp,model,cost\n"), audit.Options{}, func(*audit.Call) {})
	require.ErrorIs(t, err, context.Canceled)
}

// A file of a million rows takes no more memory than one of a thousand.
func TestRead_Memory(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a million rows take a while")
	}
	file := filepath.Join(t.TempDir(), "calls.csv")
	f, err := os.Create(file)
	require.NoError(t, err)
	_, err = f.WriteString("timestamp,feature,model,prompt_tokens,completion_tokens,prompt\n")
	require.NoError(t, err)
	block := strings.Repeat(fmt.Sprintf("2026-10-01T10:00:00Z,mail,gpt-4o,100,20,%s\n", strings.Repeat("word ", 10)), 1000)
	for range 1000 {
		_, err = f.WriteString(block)
		require.NoError(t, err)
	}
	require.NoError(t, f.Close())
	var rows int
	var most uint64
	began := time.Now()
	reading, err := audit.Read(t.Context(), file, audit.Options{}, func(*audit.Call) {
		if rows++; rows%200_000 == 0 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	})
	require.NoError(t, err)
	require.EqualValues(t, 1_000_000, reading.Rows)
	require.Less(t, most, uint64(64<<20), "other tests' memory is in it too")
	t.Logf("%d rows a second", int(float64(rows)/time.Since(began).Seconds()))
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"timestamp,model,cost\n2026-10-01,gpt-4o,1\n", `{"data":[{"results":[{}]}]}`, "[{},null]", "{\"timestamp\":1,\"model\":\"m\",\"cost\":1}\n{",
		"request_created_at,request_body\n1,\"{\"\"messages\"\":[{\"\"content\"\":[{}]}]}\"\n", "{\n\"data\":[", "\xEF\xBB\xBF{}",
		`{"id":"o","traceId":"t","type":"GENERATION","startTime":"2026-10-01T10:00:00Z","usageDetails":"{\"input\":1e5}","model":"m"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file := filepath.Join(t.TempDir(), "calls")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		reading, err := audit.Read(t.Context(), file, audit.Options{}, func(c *audit.Call) {
			require.NotEmpty(t, c.Model)
			require.False(t, c.At.IsZero())
			if c.Cost != nil {
				require.GreaterOrEqual(t, *c.Cost, task.Pico(0))
			}
			if c.Usage != nil {
				require.GreaterOrEqual(t, min(c.Usage.Input, c.Usage.CacheRead, c.Usage.CacheWrite5m, c.Usage.Output), int64(0))
			}
		})
		if err == nil {
			require.LessOrEqual(t, len(reading.BadRows), audit.MostBadRows)
		}
	})
}
