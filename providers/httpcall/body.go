package httpcall

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

const (
	maxErrorBody    = 64 << 10 // of an answer that is a failure, only the message is wanted
	maxPooledBuffer = 1 << 20
	maxRawUsage     = 64 << 10
)

const (
	errTotalTimeout = timeoutError("the call's time was up")
	errIdleTimeout  = timeoutError("no byte arrived for too long")
)

var errTooLarge = errors.New("the answer is larger than allowed")

type timeoutError string

func (e timeoutError) Error() string { return string(e) }

// read fills buf with the answer's body, unpacked and bounded. What was read stays in buf whatever the error.
func (c *Client) read(resp *http.Response, buf *bytes.Buffer, cancel context.CancelCauseFunc) error {
	limit := c.config.MaxBodyBytes
	if resp.StatusCode/100 != 2 {
		limit = min(limit, maxErrorBody)
	}
	if resp.ContentLength > limit && resp.StatusCode/100 == 2 {
		return fmt.Errorf("%w: %d bytes, the limit is %d", errTooLarge, resp.ContentLength, limit)
	}
	idle := time.AfterFunc(c.config.IdleTimeout, func() { cancel(errIdleTimeout) })
	defer idle.Stop()
	body, err := unpacked(resp.Header, &punctual{from: resp.Body, idle: idle, allowed: c.config.IdleTimeout})
	if err != nil {
		return err
	}
	if resp.ContentLength > 0 {
		buf.Grow(int(min(resp.ContentLength, limit)) + bytes.MinRead) // MinRead is what ReadFrom wants free at the end
	}
	n, err := buf.ReadFrom(io.LimitReader(body, limit+1))
	if n > limit {
		buf.Truncate(int(limit))
		return fmt.Errorf("%w: the limit is %d bytes", errTooLarge, limit)
	}
	return err
}

// unpacked undoes a content encoding. None is asked for, but some proxies compress all the same.
func unpacked(header http.Header, body io.Reader) (io.Reader, error) {
	switch encoding := strings.ToLower(header.Get("Content-Encoding")); encoding {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
		return gzip.NewReader(body)
	default:
		return nil, fmt.Errorf("the content encoding %q was not asked for", label(encoding))
	}
}

// punctual restarts the idle timer with every byte that arrives.
type punctual struct {
	from    io.Reader
	idle    *time.Timer
	allowed time.Duration
}

func (p *punctual) Read(b []byte) (int, error) {
	n, err := p.from.Read(b)
	if n > 0 && err == nil {
		p.idle.Reset(p.allowed)
	}
	return n, err
}

func (c *Client) release(buf *bytes.Buffer) {
	if buf.Cap() > maxPooledBuffer {
		return // one huge answer must not pin its memory
	}
	buf.Reset()
	c.buffers.Put(buf)
}

func isTimeout(err error) bool {
	var own timeoutError
	var timed net.Error
	return errors.As(err, &own) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timed) && timed.Timeout()
}

// isNetwork says that the connection ended, by the peer or by the caller, rather than that its bytes made no sense.
func isNetwork(err error) bool {
	var op *net.OpError
	var errno syscall.Errno
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, context.Canceled) || errors.As(err, &op) || errors.As(err, &errno)
}
