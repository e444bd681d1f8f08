package openai

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/httpcall"
	"github.com/weirhq/weir/task"
)

// The dialects by the names that a configuration gives them.
const (
	dialectOpenAI     = "openai"
	dialectCompatible = "compatible"
	dialectAzure      = "azure"
	dialectOpenRouter = "openrouter"
	dialectLiteLLM    = "litellm"
	dialectPortkey    = "portkey"
	dialectHelicone   = "helicone"
	dialectVLLM       = "vllm"
	dialectOllama     = "ollama"
	dialectLlamaCpp   = "llamacpp"
	dialectDeepSeek   = "deepseek"
	dialectMistral    = "mistral"
	dialectGroq       = "groq"
	dialectXAI        = "xai"
)

// dialect is where requests to servers of this API and their answers differ. Usage is read alike in all of them: what
// servers call differently is told apart by its name.
type dialect struct {
	// public is the endpoint by default; empty where every account has its own.
	public string
	// path is that of a base URL without one.
	path string
	// keyHeader is where the key is sent; empty means as a bearer token.
	keyHeader string
	// header is sent with every request.
	header map[string]string
	// requestID names the header of an answer with the provider's id of the request; idInBody says that the answer's
	// own id is the one to ask for.
	requestID string
	idInBody  bool
	// outputLimit names the parameter of the output limit. OpenAI's reasoning models refuse max_tokens, while older
	// compatible servers ignore max_completion_tokens and would answer without a limit.
	outputLimit string
	// ownCache says that the server bills what it writes to its cache unasked, and takes a word against it.
	ownCache bool
	// routing is appended to every request; it is empty or begins with a comma.
	routing func(call *providers.Call) string
	// labels are headers that tell a gateway whose call it is.
	labels func(call *providers.Call) map[string]string
	// deployments says that the path names the model, below the base URL, and the query the version.
	deployments bool
	// reported is the provider's own figure of the cost.
	reported func(usage json.RawMessage, header http.Header) *task.Pico
}

// dialectOf finds the dialect of a configuration.
func dialectOf(cfg providers.Config) (dialect, error) {
	if cfg.Dialect == "" {
		cfg.Dialect = dialectCompatible
		if cfg.BaseURL == "" {
			cfg.Dialect = dialectOpenAI
		}
	}
	d, ok := dialectNamed(cfg)
	switch {
	case !ok:
		return dialect{}, fmt.Errorf("the dialect %q is unknown", cfg.Dialect)
	case cfg.APIVersion != "" && cfg.Dialect != dialectAzure:
		return dialect{}, fmt.Errorf("an API version belongs to the dialect %s only", dialectAzure)
	case d.public == "" && cfg.BaseURL == "":
		return dialect{}, fmt.Errorf("the dialect %q needs a base URL", cfg.Dialect)
	}
	if d.keyHeader == "" {
		d.keyHeader = authorization
	}
	if d.requestID == "" && !d.idInBody {
		d.requestID = "X-Request-Id"
	}
	return d, nil
}

func dialectNamed(cfg providers.Config) (dialect, bool) {
	switch cfg.Dialect {
	case dialectOpenAI:
		return dialect{public: publicURL, path: "/v1", outputLimit: maxCompletion, ownCache: true}, true
	case dialectCompatible, dialectVLLM, dialectOllama, dialectLlamaCpp:
		return dialect{path: "/v1", outputLimit: maxTokens}, true
	case dialectAzure:
		return azure(cfg.APIVersion), true
	case dialectOpenRouter:
		return dialect{
			public: "https://openrouter.ai/api/v1", path: "/api/v1", outputLimit: maxTokens, idInBody: true,
			routing: openRouterRouting, reported: openRouterCost,
		}, true
	case dialectDeepSeek:
		return dialect{public: "https://api.deepseek.com", path: "/v1", outputLimit: maxTokens}, true
	case dialectMistral:
		return dialect{public: "https://api.mistral.ai/v1", path: "/v1", outputLimit: maxTokens}, true
	case dialectGroq:
		return dialect{public: "https://api.groq.com/openai/v1", path: "/openai/v1", outputLimit: maxCompletion}, true
	case dialectXAI:
		return dialect{public: "https://api.x.ai/v1", path: "/v1", outputLimit: maxCompletion, reported: xaiCost}, true
	}
	return gatewayNamed(cfg.Dialect)
}

// gatewayNamed is one of the gateways that stand in front of many providers and keep labels beside each request.
func gatewayNamed(name string) (dialect, bool) {
	switch name {
	case dialectLiteLLM:
		return dialect{
			path: "/v1", outputLimit: maxTokens, requestID: "X-Litellm-Call-Id", routing: liteLLMRouting,
			labels: liteLLMLabels, reported: liteLLMCost,
		}, true
	case dialectPortkey:
		return dialect{
			public: "https://api.portkey.ai/v1", path: "/v1", outputLimit: maxCompletion, keyHeader: "X-Portkey-Api-Key",
			// an answer from the gateway's cache would be priced as if the provider had billed it
			header:    map[string]string{"X-Portkey-Cache-Force-Refresh": "true"},
			requestID: "X-Portkey-Trace-Id", labels: portkeyLabels,
		}, true
	case dialectHelicone:
		return dialect{path: "/v1", outputLimit: maxCompletion, requestID: "Helicone-Id", labels: heliconeLabels}, true
	}
	return dialect{}, false
}

const (
	authorization = "Authorization"
	bearer        = "Bearer "
	maxTokens     = "max_tokens"
	maxCompletion = "max_completion_tokens"
)

// azure has two APIs: with a version in the query the path names the deployment, without one the body does.
func azure(version string) dialect {
	d := dialect{
		path: "/openai/v1", keyHeader: "Api-Key", outputLimit: maxCompletion, requestID: "Apim-Request-Id",
	}
	if version != "" {
		d.path, d.deployments = "/openai", true
	}
	return d
}

// openRouterRouting has one attempt be one generation: without it a failed one is tried, and maybe billed, at another
// host first. What the call cannot do without, a host must know: others drop a parameter silently.
func openRouterRouting(call *providers.Call) string {
	if len(call.Tools) > 0 || call.JSONSchema && len(call.Schema) > 0 {
		return `,"provider":{"allow_fallbacks":false,"require_parameters":true}`
	}
	return `,"provider":{"allow_fallbacks":false}`
}

// openRouterCost is in credits, which are USD. With a key of one's own, the host's bill comes beside OpenRouter's fee.
func openRouterCost(usage json.RawMessage, _ http.Header) *task.Pico {
	var u struct {
		Cost    json.RawMessage `json:"cost"`
		OwnKey  bool            `json:"is_byok"`
		Details struct {
			Upstream json.RawMessage `json:"upstream_inference_cost"`
		} `json:"cost_details"`
	}
	if json.Unmarshal(usage, &u) != nil {
		return nil
	}
	cost := httpcall.Amount(string(u.Cost), task.USD)
	if cost == nil || !u.OwnKey {
		return cost
	}
	upstream := httpcall.Amount(string(u.Details.Upstream), task.USD)
	if upstream == nil {
		return nil
	}
	if sum := *cost + *upstream; sum >= *cost {
		return &sum
	}
	return nil
}

// xaiTick is what xAI counts its bills in.
const xaiTick = task.USD / 10_000_000_000

func xaiCost(usage json.RawMessage, _ http.Header) *task.Pico {
	var u struct {
		Ticks json.RawMessage `json:"cost_in_usd_ticks"`
	}
	if json.Unmarshal(usage, &u) != nil {
		return nil
	}
	return httpcall.Amount(string(u.Ticks), xaiTick)
}

// liteLLMRouting switches off what the proxy would do behind weir's back: tries that nobody sees, other models, and
// answers from its own cache, which would be priced as if they had been billed.
func liteLLMRouting(*providers.Call) string {
	return `,"num_retries":0,"disable_fallbacks":true,"cache":{"no-cache":true}`
}

// liteLLMLabels go into the proxy's spend log. They are no tags: those also choose the deployment.
func liteLLMLabels(call *providers.Call) map[string]string {
	return map[string]string{"X-Litellm-Spend-Logs-Metadata": labelsJSON(call)}
}

func liteLLMCost(_ json.RawMessage, header http.Header) *task.Pico {
	return httpcall.Amount(header.Get("X-Litellm-Response-Cost"), task.USD)
}

func portkeyLabels(call *providers.Call) map[string]string {
	return map[string]string{"X-Portkey-Metadata": labelsJSON(call)}
}

// heliconeLabels make the attempt's id the gateway's own, so that either log leads to the other.
func heliconeLabels(call *providers.Call) map[string]string {
	header := map[string]string{"Helicone-Request-Id": call.AttemptID.String()}
	for _, l := range labelsOf(call) {
		header["Helicone-Property-"+l.property] = l.value
	}
	return header
}

type label struct {
	name     string
	property string // as a part of a header's name
	value    string
}

// labelsOf are the labels that the call has.
func labelsOf(call *providers.Call) []label {
	var labels []label
	for _, l := range []label{
		{"feature", "Feature", call.Feature},
		{"tenant", "Tenant", call.Tenant},
		{"task_id", "Task-Id", taskID(call)},
	} {
		if l.value = headerText(l.value); l.value != "" {
			labels = append(labels, l)
		}
	}
	return labels
}

func taskID(call *providers.Call) string {
	if call.TaskID == uuid.Nil {
		return ""
	}
	return call.TaskID.String()
}

func labelsJSON(call *providers.Call) string {
	dst := []byte{'{'}
	for i, l := range labelsOf(call) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = httpcall.AppendString(dst, l.name)
		dst = append(dst, ':')
		dst = httpcall.AppendString(dst, l.value)
	}
	return string(append(dst, '}'))
}

// maxLabel is what Portkey takes for a value.
const maxLabel = 128

// headerText is what a header can carry of a label: names of tenants and features are ASCII already.
func headerText(s string) string {
	ascii := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	return ascii[:min(len(ascii), maxLabel)]
}
