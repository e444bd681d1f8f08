package audit

import (
	"encoding/json"
	"strings"

	"github.com/weirhq/weir/pricing"
)

// liteLLM reads rows of LiteLLM's table LiteLLM_SpendLogs, and of its route /spend/logs. Its prompt tokens have the cached
// ones in them.
func liteLLM(r record) (Call, bool, error) {
	r = r.opened("metadata")
	c := Call{
		Path:   joined(r.text("metadata.user_api_key_team_alias", "team_id"), r.text("metadata.user_api_key_alias", "api_key")),
		TaskID: r.text("session_id", "metadata.task_id", "metadata.trace_id"), Failed: failedStatus(r.text("status", "metadata.status")),
		Mode: pricing.ModeSync,
	}
	if strings.Contains(r.text("call_type"), "batch") {
		c.Mode = pricing.ModeBatch
	}
	if tag := firstTag(r["request_tags"]); tag != "" {
		c.Path = tag // a tag is given on purpose
	}
	c.Provider, c.Model = providerOf(r.text("custom_llm_provider"), r.text("model"))
	c.texts(readPrompt(r.text("messages", "proxy_server_request")))
	if start, err := r.at("starttime"); err == nil {
		if end, err := r.at("endtime"); err == nil && end.After(start) {
			c.Latency = end.Sub(start)
		}
	}
	return c.measured(r, figures{
		at: []string{"starttime"}, input: []string{"prompt_tokens"}, output: []string{"completion_tokens"}, cost: []string{"spend"},
		read: []string{
			"metadata.additional_usage_values.cache_read_input_tokens", "metadata.usage_object.cache_read_input_tokens",
			"metadata.usage_object.prompt_tokens_details.cached_tokens",
		},
		written: []string{
			"metadata.additional_usage_values.cache_creation_input_tokens", "metadata.usage_object.cache_creation_input_tokens",
		},
	})
}

// firstTag is the first of a list of tags, as JSON or as Postgres writes an array; those that LiteLLM adds itself are none.
func firstTag(list string) string {
	var tags []string
	if json.Unmarshal([]byte(list), &tags) != nil {
		tags = strings.Split(strings.Trim(list, "{}[]"), ",")
	}
	for _, tag := range tags {
		if tag = strings.Trim(strings.TrimSpace(tag), `"'`); tag != "" && tag != "null" && !strings.HasPrefix(tag, "User-Agent:") {
			return tag
		}
	}
	return ""
}

// langfuse reads observations as Langfuse exports them and as its API gives them. Only generations are calls. Its usage details
// are disjoint: input is without what was cached.
func langfuse(r record) (Call, bool, error) {
	if kind := strings.ToUpper(r.text("type")); kind != "" && kind != "GENERATION" {
		return Call{}, false, nil
	}
	r = r.opened("usagedetails", "usage", "costdetails", "usage_details", "cost_details", "metadata")
	c := Call{
		Path: joined(r.text("tracename", "trace_name"), r.text("promptname", "prompt_name"), r.text("name")), TaskID: r.text("traceid", "trace_id"),
		Failed: strings.EqualFold(r.text("level"), "ERROR"), Mode: pricing.ModeSync, Latency: r.seconds("latency"),
	}
	c.Provider, c.Model = providerOf("", r.text("model", "providedmodelname", "provided_model_name", "internalmodel"))
	c.texts(readPrompt(langfuseInput(r)))
	n, err := r.counts(
		[]string{"usagedetails.input", "usage_details.input", "usage.input", "inputusage", "usage.prompttokens", "prompttokens", "input_usage"},
		[]string{"usagedetails.output", "usage_details.output", "usage.output", "outputusage", "usage.completiontokens", "completiontokens", "output_usage"},
		[]string{"usagedetails.input_cached_tokens", "usagedetails.cache_read_input_tokens", "usage_details.input_cached_tokens", "usage_details.cache_read_input_tokens"},
		[]string{"usagedetails.cache_creation_input_tokens", "usage_details.cache_creation_input_tokens", "usagedetails.input_cache_creation"},
	)
	if err != nil {
		return c, false, err
	}
	if n[0] != nil || n[1] != nil {
		c.Usage = tokens(n[0], n[1], nil, nil)
		c.Usage.CacheRead, c.Usage.CacheWrite5m = value(n[2]), value(n[3])
	}
	if c.Cost, err = r.usd("costdetails.total", "cost_details.total", "totalcost", "calculatedtotalcost", "total_cost"); err != nil {
		return c, false, err
	}
	if c.At, err = r.at("starttime", "start_time"); err != nil {
		return c, false, err
	}
	c.Count = 1
	return c.checked()
}

// langfuseInput is the input of an observation: a text, messages, or an object that has them.
func langfuseInput(r record) string {
	return r.text("input", "input.messages", "input.prompt", "input.input")
}

// helicone reads requests as Helicone exports them. Its prompt tokens have the cached ones in them.
func helicone(r record) (Call, bool, error) {
	r = r.opened("request_properties", "properties", "request_body", "response_body")
	c := Call{
		Path: joined(
			r.text("request_properties.feature", "properties.feature", "request_properties.app", "properties.app", "request_properties.appname", "properties.appname",
				"request_properties.helicone-prompt-id", "prompt_id", "request_properties.environment"),
			r.text("request_properties.path", "request_path", "target_url"),
		),
		TaskID: r.text("request_properties.task_id", "request_properties.helicone-session-id", "properties.helicone-session-id"),
		Failed: failedStatus(r.text("response_status", "status")), Mode: pricing.ModeSync, Latency: r.millis("delay_ms", "latency"),
	}
	c.Provider, c.Model = providerOf(r.text("provider"), r.text("model", "response_model", "request_model", "model_override"))
	text := r.text("request_body.messages", "request_prompt", "prompt", "request_body")
	c.texts(readPrompt(text))
	c.Tools = c.Tools || r.text("request_body.tools") != ""
	c.Schema = c.Schema || r.text("request_body.response_format", "request_body.response_format.type") != ""
	if system := r.text("request_body.system"); system != "" && c.System == "" {
		c.System = cut(system)
	}
	return c.measured(r, figures{
		at: []string{"request_created_at"}, input: []string{"prompt_tokens"}, output: []string{"completion_tokens"},
		read: []string{"prompt_cache_read_tokens"}, written: []string{"prompt_cache_write_tokens"},
		cost: []string{"cost", "cost_usd", "costusd"},
	})
}

// openRouter reads the activity export, of generations and of days. Reasoning is in the completion tokens.
func openRouter(r record) (Call, bool, error) {
	c := Call{
		Path: joined(r.text("app_name", "app"), r.text("api_key_name", "user")), Mode: pricing.ModeSync,
		Failed: r.text("cancelled") == "true" || r.text("finish_reason_normalized") == "error", Latency: r.millis("generation_time_ms"),
		TaskID: r.text("session_id"),
	}
	c.Provider, c.Model = providerOf(r.text("provider_name"), strings.TrimPrefix(r.text("model_permaslug", "model", "slug"), "~"))
	return c.measured(r, figures{
		at: []string{"created_at", "date"}, count: []string{"requests"}, input: []string{"tokens_prompt", "prompt_tokens"},
		output: []string{"tokens_completion", "completion_tokens"}, read: []string{"tokens_cached"},
		cost: []string{"cost_total", "usage", "cost"},
	})
}

// openAIUsage reads the usage API's answers, in which each row adds up the calls of a time bucket, and the exports of the
// usage page. The input tokens have the cached ones in them.
func openAIUsage(r record) (Call, bool, error) {
	c := Call{
		Path: joined(r.text("project_name", "project_id"), r.text("api_key_name", "api_key_id", "user_id", "operation")),
		Mode: modeOf(r.text("batch")), Provider: "openai", Model: r.text("model", "snapshot_id"),
	}
	if c.Mode == pricing.ModeSync && r.text("service_tier") == "flex" {
		c.Mode = pricing.ModeFlex
	}
	call, ok, err := c.measured(r, figures{
		at:    []string{"parent.start_time", "start_time", "start_time_iso", "timestamp", "aggregation_timestamp"},
		count: []string{"num_model_requests", "n_requests"}, input: []string{"input_tokens", "n_context_tokens_total"},
		output: []string{"output_tokens", "n_generated_tokens_total"}, written: []string{"input_cache_write_tokens"},
		read: []string{"input_cached_tokens", "n_cached_context_tokens_total"},
	})
	if c.Model == "" && err != nil {
		return c, false, badRow("names no model: ask for the usage with group_by=model, and project_id or api_key_id")
	}
	return call, ok, err
}

// openAICosts reads the costs API's answers: money by project and line item, without calls.
func openAICosts(r record) (Call, bool, error) {
	c := Call{Path: joined(r.text("project_name", "project_id")), Provider: "openai", Mode: pricing.ModeSync}
	item := r.text("line_item")
	c.Model, _, _ = strings.Cut(item, ",")
	if c.Model = strings.TrimSpace(c.Model); c.Model == "" {
		return c, false, badRow("names no line item: ask for the costs with group_by=line_item and project_id")
	}
	if currency := r.text("amount.currency", "amount_currency"); currency != "" && !strings.EqualFold(currency, "usd") {
		return c, false, badRow("is in %s, and only USD is read", shown(currency))
	}
	var err error
	if c.At, err = r.at("parent.start_time", "start_time", "start_time_iso"); err != nil {
		return c, false, err
	}
	if c.Cost, err = r.usd("amount.value", "amount_value"); err != nil {
		return c, false, err
	}
	if c.Cost == nil {
		return c, false, badRow("has no amount")
	}
	return c, true, nil
}
