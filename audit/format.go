package audit

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

// format is a kind of export.
type format struct {
	name string
	// columns are those by which it is known: all of one of the sets have to be there.
	columns [][]string
	// call reads a record. False without an error: it is of something else than a call.
	call func(record) (Call, bool, error)
}

// fits says whether a file whose first record this is has the format.
func (f format) fits(r record) bool {
	return slices.ContainsFunc(f.columns, func(set []string) bool { return r.has(set...) })
}

// formats are all that are known, the more particular first.
func formats() []format {
	return []format{
		{
			"litellm",
			[][]string{{"request_id", "call_type", "spend", "prompt_tokens", "completion_tokens", "starttime"}},
			liteLLM,
		},
		{
			"langfuse",
			[][]string{
				{"traceid", "type", "starttime"},
				{"trace_id", "type", "start_time"},
				{"id", "starttime", "usagedetails.input"},
				{"id", "starttime", "providedmodelname"},
				{"id", "starttime", "tracename", "usagedetails"},
			},
			langfuse,
		},
		{
			"helicone",
			[][]string{
				{"request_created_at", "prompt_tokens", "completion_tokens"},
				{"request_created_at", "request_body"},
				{"request_created_at", "request_model"},
				{"request_created_at", "response_status"},
			},
			helicone,
		},
		{
			"openrouter",
			[][]string{
				{"generation_id", "created_at", "cost_total", "tokens_prompt"}, {"date", "model_permaslug", "requests"},
			},
			openRouter,
		},
		{
			"openai-usage",
			[][]string{
				{"num_model_requests", "input_tokens", "output_tokens"},
				{"n_requests", "n_context_tokens_total", "n_generated_tokens_total"},
			},
			openAIUsage,
		},
		{"openai-costs", [][]string{{"amount.value", "parent.start_time"}, {"amount_value", "start_time"}}, openAICosts},
	}
}

// Formats are the names of the exports that are known, beside "plain".
func Formats() []string {
	var names []string
	for _, f := range formats() {
		names = append(names, f.name)
	}
	return names
}

// formatOf is the format of a file, by its first record.
func formatOf(name string, columns map[string]string, first record) (format, error) {
	if name == "plain" || name == "" && len(columns) > 0 {
		return plainFormat(columns, first)
	}
	for _, f := range formats() {
		if f.name == name {
			return f, nil
		}
	}
	if name != "" {
		return format{}, fmt.Errorf("there is no format %q; there are plain, %s", name, strings.Join(Formats(), ", "))
	}
	for _, f := range formats() {
		if f.fits(first) {
			return f, nil
		}
	}
	return plainFormat(nil, first)
}

// tokens puts a usage together of counts that a log has: prompt is all of it, with what was read from a cache or written to
// one, unless those are more: then the log counts them apart. nil without both sides.
func tokens(prompt, output, read, written *int64) *task.Usage {
	if prompt == nil && output == nil {
		return nil
	}
	u := &task.Usage{Input: value(prompt), Output: value(output)}
	u.CacheRead, u.CacheWrite5m = value(read), value(written)
	if cached := u.CacheRead + u.CacheWrite5m; cached <= u.Input {
		u.Input -= cached
	}
	return u
}

func value(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

// counts reads several counts at once.
func (r record) counts(columns ...[]string) ([]*int64, error) {
	found := make([]*int64, len(columns))
	for i, names := range columns {
		n, err := r.count(names...)
		if err != nil {
			return nil, err
		}
		found[i] = n
	}
	return found, nil
}

// texts sets the call's texts, and what they show.
func (c *Call) texts(p prompt) {
	c.System, c.Prompt, c.Tools, c.Schema = p.system, p.text, c.Tools || p.tools, c.Schema || p.schema
}

// providerOf is the price book's provider by what a log calls it, or by the model's name before a slash; and the model
// without it.
func providerOf(logged, model string) (provider, bare string) {
	known := map[string]string{
		"openai": "openai", "azure": "azure", "anthropic": "anthropic", "claude": "anthropic", "google": "google", "gemini": "google",
		"vertex_ai": "google", "google-vertex": "google", "google ai studio": "google", "google-ai-studio": "google", "vertex": "google",
		"google vertex": "google", "mistral": "mistral", "mistralai": "mistral", "deepseek": "deepseek", "groq": "groq", "xai": "xai", "x-ai": "xai",
	}
	provider = known[strings.ToLower(logged)]
	if before, after, found := strings.Cut(model, "/"); found {
		if p, ok := known[strings.ToLower(before)]; ok {
			if provider == "" {
				provider = p
			}
			return provider, after
		}
	}
	return provider, model
}

// joined names a call path by its parts; "unnamed" without any.
func joined(parts ...string) string {
	parts = slices.DeleteFunc(parts, func(p string) bool { return p == "" })
	if len(parts) == 0 {
		return "unnamed"
	}
	return strings.Join(slices.Compact(parts), "/")
}

// Fields are the names that a column map may give columns to.
func Fields() []string {
	return []string{
		"at", "path", "provider", "model", "count", "input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "cost_usd",
		"prompt", "system", "task_id", "status", "batch", "latency_ms",
	}
}

// usual are the columns that stand for a field where no map names one.
func usual() map[string][]string {
	return map[string][]string{
		"at":                 {"at", "timestamp", "time", "created_at", "date", "created", "start_time", "started_at"},
		"path":               {"path", "call_path", "feature", "route", "endpoint", "operation", "name", "app", "project"},
		"provider":           {"provider", "vendor"},
		"model":              {"model", "model_id", "model_name"},
		"count":              {"count", "calls", "requests", "n_requests"},
		"input_tokens":       {"input_tokens", "prompt_tokens", "tokens_in", "tokens_prompt"},
		"cached_tokens":      {"cached_tokens", "cache_read_tokens", "cache_read_input_tokens", "cached_input_tokens"},
		"cache_write_tokens": {"cache_write_tokens", "cache_creation_input_tokens"},
		"output_tokens":      {"output_tokens", "completion_tokens", "tokens_out", "tokens_completion"},
		"cost_usd":           {"cost_usd", "cost", "spend", "total_cost", "amount_usd"},
		"prompt":             {"prompt", "input", "messages", "text", "request", "request_body"},
		"system":             {"system", "system_prompt"},
		"task_id":            {"task_id", "trace_id", "job_id", "request_group"},
		"status":             {"status", "error", "response_status"},
		"batch":              {"batch", "is_batch"},
		"latency_ms":         {"latency_ms", "duration_ms", "elapsed_ms"},
	}
}

// plainFormat is any table with a time, a model, and tokens or a cost, by a column map or by usual names.
func plainFormat(columns map[string]string, first record) (format, error) {
	by := usual()
	for field, column := range columns {
		if _, ok := by[field]; !ok {
			return format{}, fmt.Errorf("there is no field %q to map a column to; there are %s", field, strings.Join(Fields(), ", "))
		}
		column = strings.ToLower(column)
		if _, ok := first[column]; !ok {
			return format{}, fmt.Errorf("there is no column %q to map to %s; there are %s", column, field, listed(first))
		}
		by[field] = []string{column}
	}
	missing := func(field string) bool {
		return !slices.ContainsFunc(by[field], func(c string) bool { _, ok := first[c]; return ok })
	}
	switch {
	case missing("at"), missing("model"), missing("cost_usd") && missing("input_tokens"):
		return format{}, fmt.Errorf("its columns are no known export's, and no time, model, and tokens or cost are among them: "+
			"name them with --map at=COLUMN,model=COLUMN,input_tokens=COLUMN,output_tokens=COLUMN; there are %s", listed(first))
	}
	return format{name: "plain", call: func(r record) (Call, bool, error) { return plain(by, r) }}, nil
}

// mostListed bounds how many columns an error names.
const mostListed = 30

func listed(r record) string {
	names := slices.Sorted(maps.Keys(r))
	if len(names) > mostListed {
		names = append(names[:mostListed], "…")
	}
	return strings.Join(names, ", ")
}

func plain(by map[string][]string, r record) (Call, bool, error) {
	c := Call{
		Path: joined(r.text(by["path"]...)), TaskID: r.text(by["task_id"]...), Failed: failedStatus(r.text(by["status"]...)),
		Mode: modeOf(r.text(by["batch"]...)), Latency: r.millis(by["latency_ms"]...),
	}
	c.Provider, c.Model = providerOf(r.text(by["provider"]...), r.text(by["model"]...))
	p := readPrompt(r.text(by["prompt"]...))
	if system := r.text(by["system"]...); system != "" {
		p.system = cut(system)
	}
	c.texts(p)
	return c.measured(r, figures{
		at: by["at"], count: by["count"], input: by["input_tokens"], output: by["output_tokens"], read: by["cached_tokens"],
		written: by["cache_write_tokens"], cost: by["cost_usd"],
	})
}

// figures are the columns of a call's figures. The input has what was read from a cache and written to one in it.
type figures struct{ at, count, input, output, read, written, cost []string }

// measured adds the figures of a record.
func (c Call) measured(r record, f figures) (Call, bool, error) {
	var err error
	if c.At, err = r.at(f.at...); err != nil {
		return c, false, err
	}
	n, err := r.counts(f.count, f.input, f.output, f.read, f.written)
	if err != nil {
		return c, false, err
	}
	if c.Cost, err = r.usd(f.cost...); err != nil {
		return c, false, err
	}
	if c.Count = 1; n[0] != nil {
		c.Count = *n[0]
	}
	c.Usage = tokens(n[1], n[2], n[3], n[4])
	return c.checked()
}

// checked refuses what says nothing of a call.
func (c Call) checked() (Call, bool, error) {
	switch {
	case c.Count == 0 && c.Cost == nil:
		return c, false, nil // a time without calls
	case c.Model == "":
		return c, false, badRow("names no model")
	case c.Usage == nil && c.Cost == nil && !c.Failed:
		return c, false, badRow("has neither tokens nor a cost")
	}
	return c, true, nil
}

// failedStatus reads a status: an HTTP status, or a word.
func failedStatus(status string) bool {
	switch strings.ToLower(status) {
	case "failure", "failed", "error", "true", "cancelled", "canceled":
		return true
	}
	return len(status) == 3 && (status[0] == '4' || status[0] == '5')
}

func modeOf(batch string) pricing.Mode {
	switch strings.ToLower(batch) {
	case "true", "1", "yes", "batch":
		return pricing.ModeBatch
	}
	return pricing.ModeSync
}
