package providers

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// AttemptHeader carries the attempt's id in every request. OpenAI documents it as the client's own request id; others
// ignore it. It is not an idempotency key: no provider promises one, and net/http re-sends requests that carry one.
const AttemptHeader = "X-Client-Request-Id"

// Config is one account at one endpoint. Every wire format's New takes it; a field's zero value means its default.
type Config struct {
	// BaseURL is the endpoint without the method's path. Empty means the API's public endpoint. It is https, and http
	// only with AllowPrivate; it holds no user, query or fragment.
	BaseURL string
	// Key is the account's key. The zero Secret sends none.
	Key Secret
	// Dialect is which of the servers that speak a format this one is. Only the openai format has dialects; empty means
	// OpenAI's own at its public endpoint, and elsewhere a server of which nothing is known.
	Dialect string
	// APIVersion is the version that an endpoint of Azure's wants in the query; empty where there is none.
	APIVersion string
	// Headers are sent with every request, by their names. Their values are as secret as the key.
	Headers map[string]Secret
	// ConnectTimeout bounds dialling and, again, the TLS handshake. Default 10 s.
	ConnectTimeout time.Duration
	// Timeout bounds one call as a whole, the wait for a free connection included. Default 120 s. A request's own
	// timeout overrides it.
	Timeout time.Duration
	// HeaderTimeout bounds the wait from the written request to the answer's headers. Default: only Timeout does, because
	// an answer that is not streamed begins when the model has finished.
	HeaderTimeout time.Duration
	// IdleTimeout bounds the wait for the next byte of an answer's body. Default 60 s.
	IdleTimeout time.Duration
	// KeepAlive is how long an unused connection stays open. Default 4 s: below the 5 s after which uvicorn, in front of
	// vLLM and LiteLLM, closes it, so that no request meets a connection that is being closed.
	KeepAlive time.Duration
	// MaxBodyBytes bounds an answer's decompressed body. Default 8 MiB.
	MaxBodyBytes int64
	// MaxHeaderBytes bounds an answer's headers. Default 64 KiB.
	MaxHeaderBytes int64
	// MaxConns is the most connections, and so the most calls in flight: HTTP/1.1 gives each call a connection of its
	// own. More calls wait for a free one. Default 32.
	MaxConns int
	// AllowPrivate permits plain http and addresses that are not public: loopback, private networks, link-local.
	AllowPrivate bool
	// UserAgent is sent with every request. Default weir.
	UserAgent string
	// Now is the clock that dates in answers are compared with. Default time.Now.
	Now func() time.Time
}

// WithDefaults is the configuration with every zero field set.
func (c Config) WithDefaults() Config {
	c.ConnectTimeout = orDefault(c.ConnectTimeout, 10*time.Second)
	c.Timeout = orDefault(c.Timeout, 120*time.Second)
	c.IdleTimeout = orDefault(c.IdleTimeout, 60*time.Second)
	c.KeepAlive = orDefault(c.KeepAlive, 4*time.Second)
	c.MaxBodyBytes = orDefault(c.MaxBodyBytes, 8<<20)
	c.MaxHeaderBytes = orDefault(c.MaxHeaderBytes, 64<<10)
	c.MaxConns = orDefault(c.MaxConns, 32)
	c.UserAgent = orDefault(c.UserAgent, "weir")
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

// Check reports every mistake at once, one plain sentence each.
func (c Config) Check() error {
	var errs []error
	for _, field := range []struct {
		name  string
		value int64
	}{
		{"connect timeout", int64(c.ConnectTimeout)},
		{"timeout", int64(c.Timeout)},
		{"header timeout", int64(c.HeaderTimeout)},
		{"idle timeout", int64(c.IdleTimeout)},
		{"keep-alive", int64(c.KeepAlive)},
		{"body limit", c.MaxBodyBytes},
		{"header limit", c.MaxHeaderBytes},
		{"number of connections", int64(c.MaxConns)},
	} {
		if field.value < 0 {
			errs = append(errs, fmt.Errorf("the %s is negative", field.name))
		}
	}
	if strings.ContainsFunc(c.Key.Reveal()+c.UserAgent, notPrintable) {
		errs = append(errs, errors.New("the key and the user agent take printable ASCII only"))
	}
	for name, value := range c.Headers {
		switch {
		case !IsHeaderName(name):
			errs = append(errs, errors.New("an extra header has no valid name"))
		case ReservedHeader(name):
			errs = append(errs, fmt.Errorf("the header %s is weir's own", name))
		case value.IsZero() || strings.ContainsFunc(value.Reveal(), notPrintable):
			errs = append(errs, fmt.Errorf("the header %s needs a value of printable ASCII", name))
		}
	}
	return errors.Join(errs...)
}

func notPrintable(r rune) bool { return r < ' ' || r > '~' }

// Endpoint parses the base URL, or the API's public one when it is empty. The path has no slash at its end.
func (c Config) Endpoint(public string) (*url.URL, error) {
	raw := orDefault(c.BaseURL, public)
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("the base URL cannot be parsed") // the parser's words repeat the URL, which may hold a password
	}
	switch {
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the base URL holds a user, a query or a fragment; a key belongs into its own setting")
	case u.Hostname() == "":
		return nil, fmt.Errorf("the base URL %q names no host", raw)
	case u.Scheme == "http" && !c.AllowPrivate:
		return nil, fmt.Errorf("the base URL %q is plain http; only an endpoint that may be private takes that", raw)
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("the base URL %q is neither https nor http", raw)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = ""
	return u, nil
}
