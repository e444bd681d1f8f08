package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// stopGrace is how long a process may take to end by itself.
const stopGrace = 10 * time.Second

// process is a measured process, seen from the bench.
type process struct {
	role    string
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	replies *json.Decoder
	address string
}

// spawn starts this very program in a role and waits until it is ready.
func spawn(ctx context.Context, role string, s spec, stderr io.Writer) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, roleFlag, role)
	cmd.Stderr, cmd.WaitDelay = stderr, stopGrace
	p := &process{role: role, cmd: cmd}
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	cmd.Cancel = p.stdin.Close // the end of its input ends it; WaitDelay kills it where that does not help
	p.replies = json.NewDecoder(stdout)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	ready, err := p.say(s)
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	p.address = ready.Address
	return p, nil
}

// ask has the process do something and waits for its answer.
func (p *process) ask(r request) (reply, error) { return p.say(r) }

func (p *process) say(line any) (reply, error) {
	if err := json.NewEncoder(p.stdin).Encode(line); err != nil {
		return reply{}, fmt.Errorf("ask %s: %w", p.role, err)
	}
	var answer reply
	if err := p.replies.Decode(&answer); err != nil {
		return reply{}, fmt.Errorf("hear from %s: %w", p.role, err)
	}
	if answer.Error != "" {
		return answer, fmt.Errorf("%s: %s", p.role, answer.Error)
	}
	return answer, nil
}

// stop ends the process and waits for it; one that does not end is killed.
func (p *process) stop() error {
	_ = p.stdin.Close() // a second close changes nothing
	killer := time.AfterFunc(stopGrace, func() { _ = p.cmd.Process.Kill() })
	defer killer.Stop()
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s ended badly: %w", p.role, err)
	}
	return nil
}
