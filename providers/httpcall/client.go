// Package httpcall is what the wire formats share: one HTTP request that is one attempt, with bounded time and bounded
// bytes, and an exact word on whether anything left this machine when it failed. It follows no redirect, uses no proxy
// from the environment and never sends a request twice.
package httpcall

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/task"
)

// Format is what a wire format makes of answers. The bytes that it is given are only valid during the call.
type Format interface {
	// Decode reads an answer of status 2xx. A Fault says why there is no usable answer; the Reply then still carries
	// what was metered.
	Decode(Answer) (providers.Reply, *Fault)
	// Fault reads an answer of any other status.
	Fault(Answer) Fault
}

// Wire is one wire format at one endpoint.
type Wire struct {
	Format Format
	// URL is where calls are posted, each at its request's path below it.
	URL *url.URL
	// KeyHeader and KeyPrefix say how the key is sent, such as Authorization and "Bearer ".
	KeyHeader string
	KeyPrefix string
	// KeyField names the field of the body that takes the key instead, for an API that looks for it nowhere else. It is
	// added when the request leaves, so that a prepared body holds no key.
	KeyField string
	// Header is sent with every request.
	Header map[string]string
	// RequestIDHeader names the provider's id of the request in an answer; empty when it stands in no header.
	RequestIDHeader string
}

// Answer is a provider's answer, read whole where that was possible.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	// RetryAfter is the wait that the answer asks for, 0 when it names none.
	RetryAfter time.Duration
}

// Fault is what an answer without a usable content means.
type Fault struct {
	Class task.FailureClass
	// Message is in the provider's words; the client redacts and shortens it.
	Message string
	// RetryAfter is a wait named elsewhere than in the usual headers; it counts when those name none.
	RetryAfter time.Duration
}

// Client sends requests of one wire format to one endpoint. It is safe for concurrent use.
type Client struct {
	wire      Wire
	config    providers.Config
	transport *http.Transport
	header    http.Header
	key       providers.Secret // with its prefix
	secrets   []providers.Secret
	buffers   sync.Pool
}

// New checks the configuration and builds a client with connections of its own.
func New(cfg providers.Config, wire Wire) (*Client, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	cfg = cfg.WithDefaults()
	header := http.Header{}
	header.Set("Content-Type", "application/json")
	header.Set("Accept", "application/json")
	header.Set("User-Agent", cfg.UserAgent)
	for name, value := range wire.Header {
		header.Set(name, value)
	}
	c := &Client{wire: wire, config: cfg, transport: newTransport(cfg), header: header, secrets: secretsOf(cfg)}
	if !cfg.Key.IsZero() {
		c.key = providers.NewSecret(wire.KeyPrefix + cfg.Key.Reveal())
		for name := range cfg.Headers {
			if http.CanonicalHeaderKey(name) == http.CanonicalHeaderKey(wire.KeyHeader) {
				return nil, fmt.Errorf("the header %s is the key's, which is configured already", name)
			}
		}
	}
	c.buffers.New = func() any { return new(bytes.Buffer) }
	return c, nil
}

func newTransport(cfg providers.Config) *http.Transport {
	// HTTP/1.1 only: a connection serves one call at a time, so its bytes tell whether that call left, and no GOAWAY
	// takes down the calls of others.
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		DialContext:            newDialer(cfg).dial,
		TLSHandshakeTimeout:    cfg.ConnectTimeout,
		ResponseHeaderTimeout:  cfg.HeaderTimeout,
		MaxIdleConnsPerHost:    cfg.MaxConns,
		MaxConnsPerHost:        cfg.MaxConns,
		IdleConnTimeout:        cfg.KeepAlive,
		MaxResponseHeaderBytes: cfg.MaxHeaderBytes,
		DisableCompression:     true, // answers are small, and the limit counts what is unpacked: see unpacked
		Protocols:              &protocols,
	}
}

// MaxBodyBytes is the largest answer that is read, unpacked.
func (c *Client) MaxBodyBytes() int64 { return c.config.MaxBodyBytes }

// Do sends the request once and reads the answer whole. Every error is a *providers.CallError. An answer that arrived
// whole is kept even when ctx ended meanwhile: it was paid for.
func (c *Client) Do(ctx context.Context, r providers.Request) (providers.Reply, error) {
	return c.DoAs(ctx, r, c.wire.Format)
}

// DoAs is Do with a format of the call's own, for answers that are read by what was asked.
func (c *Client) DoAs(ctx context.Context, r providers.Request, format Format) (providers.Reply, error) {
	var reply providers.Reply
	err := c.exchange(ctx, r, format.Fault, func(a Answer) *Fault {
		var fault *Fault
		reply, fault = format.Decode(a)
		reply = c.finish(reply, a)
		return fault
	})
	return reply, err
}

// exchange sends the request once and has an answer of status 2xx decoded, and any other read as a fault.
func (c *Client) exchange(
	ctx context.Context, r providers.Request, fault func(Answer) Fault, decode func(Answer) *Fault,
) error {
	if err := c.refuse(ctx, r); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	total := time.AfterFunc(c.timeout(r), func() { cancel(errTotalTimeout) })
	defer total.Stop()

	watch := &watch{}
	// RoundTrip and not http.Client: it follows no redirect, which would carry the key's header to another host.
	resp, err := c.transport.RoundTrip(c.request(watch.attach(ctx), r))
	if err != nil {
		return c.lost(ctx, watch, err)
	}
	defer func() { _ = resp.Body.Close() }()
	return c.settle(ctx, resp, cancel, func(a Answer) *Fault {
		if a.Status/100 != 2 {
			refusal := fault(a)
			return &refusal
		}
		return decode(a)
	})
}

func (c *Client) refuse(ctx context.Context, r providers.Request) error {
	if ctx.Err() != nil {
		err := context.Cause(ctx)
		return c.fail(task.FailNotSent, "nothing was sent: "+err.Error(), err)
	}
	if len(r.Body) == 0 {
		return c.fail(task.FailInternal, "nothing was sent: the request was not prepared", nil)
	}
	return nil
}

func (c *Client) timeout(r providers.Request) time.Duration {
	if r.Timeout > 0 {
		return r.Timeout
	}
	return c.config.Timeout
}

func (c *Client) request(ctx context.Context, r providers.Request) *http.Request {
	header := make(http.Header, len(c.header)+len(r.Header)+len(c.config.Headers)+2)
	maps.Copy(header, c.header)
	for name, value := range r.Header {
		header.Set(name, value)
	}
	for name, value := range c.config.Headers {
		header.Set(name, value.Reveal())
	}
	header[providers.AttemptHeader] = []string{r.AttemptID.String()}
	if !c.key.IsZero() && c.wire.KeyField == "" {
		header.Set(c.wire.KeyHeader, c.key.Reveal())
	}
	body := c.body(r)
	target := *c.wire.URL
	target.Path += r.Path
	// Without GetBody the transport cannot send the body a second time over another connection.
	request := &http.Request{
		Method:        http.MethodPost,
		URL:           &target,
		Host:          target.Host,
		Header:        header,
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
	}
	return request.WithContext(ctx)
}

// body is the request's body, with the key where the API wants it there.
func (c *Client) body(r providers.Request) []byte {
	if c.wire.KeyField == "" || c.key.IsZero() {
		return r.Body
	}
	body := append(make([]byte, 0, len(r.Body)+len(c.wire.KeyField)+2*len(c.key.Reveal())+8), r.Body...)
	body = append(body[:len(body)-1], ',') // a prepared body is an object with fields, without a space behind it
	body = AppendString(body, c.wire.KeyField)
	body = append(body, ':')
	return append(AppendString(body, c.key.Reveal()), '}')
}

// settle has the answer's body read, or says what its failure is.
func (c *Client) settle(
	ctx context.Context, resp *http.Response, cancel context.CancelCauseFunc, read func(Answer) *Fault,
) error {
	buf, ok := c.buffers.Get().(*bytes.Buffer)
	if !ok {
		buf = new(bytes.Buffer)
	}
	defer c.release(buf)
	err := c.read(resp, buf, cancel)
	answer := Answer{
		Status: resp.StatusCode, Header: resp.Header, Body: buf.Bytes(),
		RetryAfter: RetryAfter(resp.Header, c.config.Now()),
	}
	// A JSON value shows its own end, so one that is complete is the whole answer however the connection ended. A refusal
	// is one by its status.
	if err != nil && answer.Status/100 == 2 && !json.Valid(answer.Body) {
		return c.answered(answer, cut(ctx, err))
	}
	if fault := read(answer); fault != nil {
		return c.answered(answer, *fault)
	}
	return nil
}

// finish bounds what is stored beside the output and adds the provider's id.
func (c *Client) finish(reply providers.Reply, answer Answer) providers.Reply {
	reply.Model = label(reply.Model)
	reply.RawStop = label(reply.RawStop)
	reply.ServiceTier = label(reply.ServiceTier)
	reply.Speed = label(reply.Speed)
	reply.Geo = label(reply.Geo)
	reply.RateLimits = RateLimits(answer.Header, c.config.Now())
	reply.RequestID = cmp.Or(c.requestID(answer), label(reply.RequestID))
	if !storable(reply.RawUsage) {
		reply.RawUsage, reply.Usage = nil, nil
	}
	if reply.Usage != nil && !credible(*reply.Usage, reply.Output) {
		reply.Usage = nil
	}
	return reply
}

func (c *Client) requestID(answer Answer) string {
	return label(answer.Header.Get(c.wire.RequestIDHeader))
}

// answered is the failure of a call that the provider answered.
func (c *Client) answered(answer Answer, fault Fault) error {
	failure := c.fail(fault.Class, fault.Message, nil)
	failure.Status = answer.Status
	failure.RetryAfter = answer.RetryAfter
	if failure.RetryAfter == 0 {
		failure.RetryAfter = fault.RetryAfter
	}
	failure.RateLimits = RateLimits(answer.Header, c.config.Now())
	failure.RequestID = c.requestID(answer)
	return failure
}

func (c *Client) fail(class task.FailureClass, message string, err error) *providers.CallError {
	return &providers.CallError{Class: class, Message: c.safe(message), Err: err}
}

// lost is the failure of a call without an answer.
func (c *Client) lost(ctx context.Context, watch *watch, err error) error {
	reason := err
	if cause := context.Cause(ctx); cause != nil {
		reason = cause
	}
	switch {
	case !watch.sent():
		return c.fail(task.FailNotSent, "nothing was sent: "+reason.Error(), reason)
	case isTimeout(reason):
		return c.fail(task.FailTimeout, "sent, but not answered in time: "+reason.Error(), reason)
	case watch.garbled() && !isNetwork(reason):
		return c.fail(task.FailMalformed, "answered in other than HTTP: "+reason.Error(), reason)
	}
	return c.fail(task.FailLostNet, "sent, then the connection was lost: "+reason.Error(), reason)
}

// cut is the fault of an answer that stopped before its end.
func cut(ctx context.Context, err error) Fault {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	switch {
	case isTimeout(err):
		return Fault{Class: task.FailTimeout, Message: "the answer did not end in time: " + err.Error()}
	case isNetwork(err):
		return Fault{Class: task.FailLostNet, Message: "the connection was lost inside the answer: " + err.Error()}
	case errors.Is(err, errTooLarge):
		return Fault{Class: task.FailMalformed, Message: err.Error()}
	}
	return Fault{Class: task.FailMalformed, Message: fmt.Sprintf("the answer cannot be read: %v", err)}
}
