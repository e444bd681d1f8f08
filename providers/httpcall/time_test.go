package httpcall

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/task"
)

const answerBody = `{"output":"shipping"}`

// TestClient_Time runs on a fake clock: no machine is slow enough to change what it sees.
func TestClient_Time(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		gap     time.Duration // before each byte of the body
		bytes   int           // of the body that are sent
		length  int           // of the body as the headers say
		timeout time.Duration // of the call
		want    task.FailureClass
		took    time.Duration
	}{
		{"SlowButSteady", 59 * time.Second, len(answerBody), len(answerBody), time.Hour, "", time.Duration(len(answerBody)) * 59 * time.Second},
		{"IdleForTooLong", 61 * time.Second, len(answerBody), len(answerBody), time.Hour, task.FailTimeout, time.Minute},
		{"StopsInTheMiddle", time.Second, 10, len(answerBody), time.Hour, task.FailTimeout, 70 * time.Second},
		{"SteadyButTooLong", 59 * time.Second, len(answerBody), len(answerBody), 0, task.FailTimeout, 2 * time.Minute},
		{"WholeButNotEnded", time.Second, len(answerBody), len(answerBody) + 1, 30 * time.Second, "", 30 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, served := newClient(t, "http://llm.example.com"), make(chan struct{})
				c.transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
					near, far := net.Pipe()
					go func() {
						defer close(served)
						answerSlowly(far, tc.gap, tc.bytes, tc.length)
					}()
					return &countingConn{Conn: near}, nil
				}
				r := request()
				r.Timeout = tc.timeout
				started := time.Now()
				reply, err := c.Do(t.Context(), r)
				require.Equal(t, tc.took, time.Since(started))
				c.transport.CloseIdleConnections()
				<-served // the fake clock stops with this function
				if tc.want == "" {
					require.NoError(t, err)
					require.Equal(t, "shipping", reply.Output)
					return
				}
				var failed *providers.CallError
				require.ErrorAs(t, err, &failed)
				require.Equal(t, tc.want, failed.Class, failed.Message)
			})
		})
	}
}

// answerSlowly sends n bytes of the body, one at a time and each after a gap, and leaves the connection open.
func answerSlowly(conn net.Conn, gap time.Duration, n, length int) {
	request, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, request.Body)
	if _, err := fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", length); err != nil {
		return
	}
	for i := range n {
		<-time.NewTimer(gap).C
		if _, err := conn.Write([]byte(answerBody[i : i+1])); err != nil {
			return
		}
	}
}
