package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"time"
)

// roleFlag starts this program as one of the measured processes instead of as the bench.
const roleFlag = "--role"

// gcPercent is GOGC of every process but NATS: weir's own setting, see gc.go of the weir command. The others, the naive
// pipeline and River among them, get the same.
const gcPercent = 400

// The roles. Each is a process of its own, as it would be in production, so that their CPU time can be told apart.
const (
	roleNATS  = "nats"
	roleModel = "model"
	roleLoad  = "load"
	roleWeir  = "weir"
	roleNaive = "naive"
	roleRiver = "river"
)

// spec is the first line that a process reads: where the others are.
type spec struct {
	Dir   string `json:"dir,omitempty"`
	DSN   string `json:"dsn,omitempty"`
	NATS  string `json:"nats,omitempty"`
	Model string `json:"model,omitempty"`
	// Envelopes makes the load publish many tasks in a message.
	Envelopes bool `json:"envelopes,omitempty"`
	LogLevel  int  `json:"log_level"`
}

// request is every further line: something to do now.
type request struct {
	Do    string `json:"do"`
	Tasks int    `json:"tasks,omitempty"`
	File  string `json:"file,omitempty"`
}

// The things to do.
const (
	doRun          = "run"
	doProfile      = "profile"
	doStopProfile  = "stop_profile"
	answersAtMost  = 1 << 20
	requestsQueued = 4
)

// reply answers the spec (the process is ready) and each request.
type reply struct {
	Address string  `json:"address,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
	Done    int     `json:"done,omitempty"`
	Error   string  `json:"error,omitempty"`
}

// peer is a measured process's side of the conversation.
type peer struct {
	spec     spec
	requests <-chan request // closed when the bench is gone or done with this process
	out      *json.Encoder
	logger   *slog.Logger
}

// serve is the life of a measured process: it ends when its standard input does, so that it never outlives the bench.
func serve(role string, stdin io.Reader, stdout, stderr io.Writer) error {
	signal.Ignore(os.Interrupt) // Ctrl-C reaches the whole group; the bench ends its processes in order
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	lines := bufio.NewScanner(stdin)
	lines.Buffer(nil, answersAtMost)
	p := &peer{out: json.NewEncoder(stdout)}
	if !lines.Scan() {
		return fmt.Errorf("role %s: no spec", role)
	}
	if err := json.Unmarshal(lines.Bytes(), &p.spec); err != nil {
		return fmt.Errorf("role %s: read spec: %w", role, err)
	}
	p.logger = newLogger(stderr, slog.Level(p.spec.LogLevel))
	requests := make(chan request, requestsQueued)
	p.requests = requests
	go func() {
		defer cancel()
		defer close(requests)
		// a part that waits for others, which are gone as well when the bench was killed, is not waited for
		defer time.AfterFunc(stopGrace, func() { os.Exit(1) })
		for lines.Scan() {
			var r request
			if json.Unmarshal(lines.Bytes(), &r) != nil {
				return
			}
			requests <- r
		}
	}()
	if role != roleNATS && os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	roles := map[string]func(context.Context, *peer) error{
		roleNATS: serveNATS, roleModel: serveModel, roleLoad: serveLoad, roleWeir: serveWeir, roleNaive: serveNaive,
		roleRiver: serveRiver,
	}
	if err := roles[role](ctx, p); err != nil {
		return fmt.Errorf("role %s: %w", role, err)
	}
	return nil
}

// ready tells the bench that the process can be used.
func (p *peer) ready(address string) error { return p.out.Encode(reply{Address: address}) }

// answer does what is asked until the bench is done with this process.
func (p *peer) answer(do func(request) (reply, error)) error {
	for r := range p.requests {
		answer, err := do(r)
		if err != nil {
			answer.Error = err.Error()
		}
		if err := p.out.Encode(answer); err != nil {
			return fmt.Errorf("answer %s: %w", r.Do, err)
		}
	}
	return nil
}

// wait is answer for a process that is not asked anything.
func (p *peer) wait() error {
	return p.answer(func(r request) (reply, error) { return reply{}, fmt.Errorf("cannot do %q", r.Do) })
}
