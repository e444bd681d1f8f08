package catalog

import (
	"cmp"
	"fmt"
	"net/textproto"
	"net/url"
	"strings"
)

// The dialects of Chat Completions.
const (
	DialectOpenAI     = "openai"     // OpenAI itself
	DialectCompatible = "compatible" // a server of which nothing more is known
	DialectAzure      = "azure"
	DialectOpenRouter = "openrouter"
	DialectLiteLLM    = "litellm"
	DialectPortkey    = "portkey"
	DialectHelicone   = "helicone"
	DialectVLLM       = "vllm"
	DialectOllama     = "ollama"
	DialectLlamaCpp   = "llamacpp"
	DialectDeepSeek   = "deepseek"
	DialectMistral    = "mistral"
	DialectGroq       = "groq"
	DialectXAI        = "xai"
)

// dialectFact is what the catalog knows of a dialect; how it differs on the wire is the business of package openai.
type dialectFact struct {
	name string
	// host is the domain at which nobody else can be; empty where everybody runs a server of their own.
	host string
	// prices is the price book's provider.
	prices string
	// public says that there is an endpoint by default.
	public bool
}

func dialectFacts() []dialectFact {
	return []dialectFact{
		{name: DialectOpenAI, host: "openai.com", prices: APIOpenAI, public: true},
		{name: DialectCompatible, prices: APIOpenAI},
		{name: DialectAzure, host: "openai.azure.com", prices: APIOpenAI},
		{name: DialectOpenRouter, host: "openrouter.ai", prices: DialectOpenRouter, public: true},
		{name: DialectLiteLLM, prices: APIOpenAI},
		{name: DialectPortkey, host: "portkey.ai", prices: APIOpenAI, public: true},
		{name: DialectHelicone, host: "helicone.ai", prices: APIOpenAI},
		{name: DialectVLLM, prices: APIOpenAI},
		{name: DialectOllama, host: "ollama.com", prices: APIOpenAI},
		{name: DialectLlamaCpp, prices: APIOpenAI},
		{name: DialectDeepSeek, host: "deepseek.com", prices: DialectDeepSeek, public: true},
		{name: DialectMistral, host: "mistral.ai", prices: DialectMistral, public: true},
		{name: DialectGroq, host: "groq.com", prices: DialectGroq, public: true},
		{name: DialectXAI, host: "x.ai", prices: DialectXAI, public: true},
	}
}

// Dialects are the dialects that a provider of the API openai may name.
func Dialects() []string {
	facts := dialectFacts()
	names := make([]string, len(facts))
	for i, f := range facts {
		names[i] = f.name
	}
	return names
}

// readDialect reads what only Chat Completions has: the dialect, by default that of the base URL's host where it is
// unmistakable, and what follows from it. Elsewhere the keys are mistakes.
func readDialect(o *object, p *Provider) {
	name := o.word("dialect", "", Dialects()...)
	version := o.text("api_version", maxVersionChars)
	if p.API != APIOpenAI {
		for _, key := range []string{"dialect", "api_version"} {
			if o.has(key) && p.API != "" {
				o.r.add(o.at(key), "belongs to api: openai only")
			}
		}
		return
	}
	fact := dialectBy(cmp.Or(name, dialectOf(p.BaseURL)))
	p.Dialect, p.Prices, p.APIVersion = fact.name, fact.prices, version
	switch {
	case version != "" && fact.name != DialectAzure:
		o.r.add(o.at("api_version"), "belongs to the dialect azure only")
	case version != "" && !validVersion(version):
		o.r.add(o.at("api_version"), `is no version; write one such as "2026-10-01" or "2026-10-01-preview"`)
	}
	if !fact.public && !o.has("base_url") {
		o.require("base_url", fmt.Sprintf("the dialect %s has no endpoint of its own", fact.name))
	}
}

func dialectBy(name string) dialectFact {
	for _, f := range dialectFacts() {
		if f.name == name {
			return f
		}
	}
	return dialectFact{}
}

// dialectOf is the dialect of a base URL that was checked before; empty means OpenAI's endpoint.
func dialectOf(baseURL string) string {
	if baseURL == "" {
		return DialectOpenAI
	}
	u, err := url.Parse(baseURL)
	if err != nil {
		return DialectCompatible
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	for _, f := range dialectFacts() {
		if f.host != "" && (host == f.host || strings.HasSuffix(host, "."+f.host)) {
			return f.name
		}
	}
	return DialectCompatible
}

// validVersion says whether a text can be a version of Azure's: a date, with or without -preview, or a word.
func validVersion(s string) bool {
	if s == "preview" || s == "latest" {
		return true
	}
	date := strings.TrimSuffix(s, "-preview")
	if len(date) != len("2006-01-02") {
		return false
	}
	for i, c := range []byte(date) {
		dash := i == 4 || i == 7
		if dash != (c == '-') || !dash && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// readHeaders reads which environment variable holds the value of which extra header. Neither a header's name nor a
// variable's is repeated when it cannot be one: people paste keys into both places.
func readHeaders(o *object) map[string]string {
	section := o.object("headers_env")
	var headers map[string]string
	for _, name := range section.keys {
		if !validHeader(name) {
			section.asked = append(section.asked, name)
			o.r.addAt(section.lines[name], o.at("headers_env"), "holds a key that is no header's name, or one that weir sends itself")
			continue
		}
		variable := section.text(name, 0)
		if !validEnv(variable) {
			if isText(section.values[name]) { // anything else was noted already
				o.r.add(section.at(name), "is no name of an environment variable; name the variable that holds the value, never the value itself")
			}
			continue
		}
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		if headers[canonical] != "" {
			o.r.add(section.at(name), "names the header %s a second time", canonical)
			continue
		}
		if headers == nil {
			headers = map[string]string{}
		}
		headers[canonical] = variable
	}
	if len(section.keys) > maxHeaders {
		o.r.add(o.at("headers_env"), "has %d headers; at most %d are allowed", len(section.keys), maxHeaders)
	}
	return headers
}

// validHeader takes the names that weir does not need for itself, in letters, digits and dashes.
func validHeader(name string) bool {
	if name == "" || len(name) > MaxNameChars {
		return false
	}
	for _, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	switch textproto.CanonicalMIMEHeaderKey(name) {
	case "Accept", "Accept-Encoding", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Expect", "Host",
		"Idempotency-Key", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding",
		"Upgrade", "User-Agent", "X-Client-Request-Id", "X-Idempotency-Key":
		return false
	}
	return true
}
