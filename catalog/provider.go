package catalog

import (
	"net/netip"
	"net/url"
	"strings"
)

func readProvider(name string, o *object) Provider {
	o.require("api", "write "+listed(apis()))
	api := o.word("api", "", apis()...)
	p := Provider{
		Name:           name,
		API:            api,
		KeyEnv:         readKeyEnv(o),
		Prices:         pricesOf(api),
		ConnectTimeout: o.duration("connect_timeout", DefaultConnectTimeout, minTimeout, maxTimeout),
		Timeout:        o.duration("timeout", DefaultTimeout, minTimeout, maxTimeout),
		IdleTimeout:    o.duration("idle_timeout", DefaultIdleTimeout, minTimeout, maxTimeout),
		Concurrency:    o.count("concurrency", DefaultConcurrency, 1, maxConcurrency),
		MaxBodyBytes:   o.size("max_body_bytes", DefaultMaxBodyBytes, minBodyBytes, maxBodyBytes),
		AllowPrivate:   o.flag("allow_private"),
		CountTokens:    o.flag("count_tokens"),
		RateLimits:     named(o, "rate_limits", readRateLimit),
	}
	if p.CountTokens && api != "" && !countsTokens(api) {
		o.r.add(o.at("count_tokens"), "needs api %s; api %q has no endpoint that counts tokens",
			listed([]string{APIAnthropic, APIResponses, APIGemini}), api)
	}
	p.BaseURL = readBaseURL(o, p.AllowPrivate)
	p.HeadersEnv = readHeaders(o)
	readDialect(o, &p)
	if prices := o.text("prices", MaxNameChars); prices != "" {
		p.Prices = prices
	}
	return p
}

func apis() []string {
	return []string{APIAnthropic, APIOpenAI, APIResponses, APIGemini, APIVoyage, APIDeepL, APILibreTranslate}
}

// countsTokens says that an API has an endpoint that counts a prompt's tokens for nothing.
func countsTokens(api string) bool {
	return api == APIAnthropic || api == APIResponses || api == APIGemini
}

// pricesOf is whom the price book names for an API: the one who sends the bill, which is not always the API's name.
func pricesOf(api string) string {
	switch api {
	case APIResponses:
		return APIOpenAI
	case APIGemini:
		return "google"
	case APIVoyage:
		return "voyageai"
	}
	return api
}

// readKeyEnv never repeats the value: where a variable's name is expected, people paste the key itself.
func readKeyEnv(o *object) string {
	name := o.text("key_env", 0)
	if name != "" && !validEnv(name) {
		o.r.add(o.at("key_env"), "is no name of an environment variable; name the variable that holds the key, never the key itself")
		return ""
	}
	return name
}

func validEnv(name string) bool {
	for i, c := range []byte(name) {
		letter := c == '_' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != "" && len(name) <= maxKeyEnvChars
}

func readBaseURL(o *object, allowPrivate bool) string {
	raw := o.text("base_url", maxURLChars)
	if raw == "" {
		return ""
	}
	if mistake := checkBaseURL(raw, allowPrivate); mistake != "" {
		o.r.add(o.at("base_url"), "%s", mistake)
		return ""
	}
	return strings.TrimRight(raw, "/")
}

// checkBaseURL says what is wrong with a URL. It does not repeat it, as it may hold a password. What a host's name
// resolves to is checked when it is dialled.
func checkBaseURL(raw string, allowPrivate bool) string {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		return `is no URL; write one such as "https://api.example.com"`
	case u.User != nil:
		return "holds a user or password; put the key in the environment and name it in key_env"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "ends in a query or fragment; write only the part before the method's path"
	case u.Scheme != "https" && u.Scheme != "http":
		return "must begin with https://"
	case u.Scheme == "http" && !allowPrivate:
		return "is plain http, which anyone on the way can read; write https, or set allow_private for a server of your own"
	case private(u.Hostname()) && !allowPrivate:
		return "is inside a private network; set allow_private if that is meant"
	default:
		return ""
	}
}

func private(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	addr = addr.Unmap()
	return addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsUnspecified() || addr.IsMulticast()
}
