package httpcall

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptrace"
	"sync/atomic"
)

// countingConn counts the bytes that were handed to the network, those of the TLS handshake included, and notes its end.
type countingConn struct {
	net.Conn
	written atomic.Int64
	ended   atomic.Bool
}

func (c *countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.ended.Store(true)
	}
	return n, err
}

func (c *countingConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

// watch follows one request over its connection. Trace hooks alone do not prove that nothing left: they report what was
// written into a buffer. The connection's count does, because the request has the connection to itself.
type watch struct {
	connected bool
	conn      *countingConn // nil when the connection is not one of ours
	before    int64         // bytes written when the request got the connection
	answering atomic.Bool   // set from the connection's own goroutine
}

func (w *watch) attach(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:              w.gotConn,
		GotFirstResponseByte: func() { w.answering.Store(true) },
	})
}

func (w *watch) gotConn(info httptrace.GotConnInfo) {
	w.connected = true
	conn := info.Conn
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	if counting, ok := conn.(*countingConn); ok {
		w.conn, w.before = counting, counting.written.Load()
	}
}

// sent is false only when provably not one byte of the request was written. It is called after RoundTrip returned,
// which waits for the connection's writer when it fails.
func (w *watch) sent() bool {
	if !w.connected {
		return false
	}
	return w.conn == nil || w.conn.written.Load() > w.before
}

// garbled says that the peer answered what is not HTTP, and did not merely stop inside its headers.
func (w *watch) garbled() bool {
	return w.answering.Load() && w.conn != nil && !w.conn.ended.Load()
}
