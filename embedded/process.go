package embedded

import (
	"os"
	"os/exec"
	"runtime"
	"time"
)

// outputGrace bounds the wait for the output of a child that has ended: its own children hold the same pipe.
const outputGrace = 5 * time.Second

// child is a running program. Where the system can (Linux), it gets a signal when this process dies.
type child struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // of cmd.Wait; read it after done is closed
}

// startChild starts cmd in a process group of its own: Ctrl-C on a terminal reaches weir alone, which then stops its
// parts in order.
func startChild(cmd *exec.Cmd) (*child, error) {
	cmd.WaitDelay = outputGrace
	c := &child{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The death signal belongs to the thread that started the child, not to the process: the thread must live as
		// long as the child does, or an idle thread's end would stop a healthy server.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		c.err = cmd.Wait()
		close(c.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return c, nil
}

// signal sends sig unless the child has ended.
func (c *child) signal(sig os.Signal) {
	if !c.ended() {
		// The child may end at this very moment, which is what every signal here is for.
		_ = c.cmd.Process.Signal(sig)
	}
}

// endsWithin waits for the end of the child, at most for limit and until quit is closed, and reports whether it came.
func (c *child) endsWithin(limit time.Duration, quit <-chan struct{}) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
	case <-quit:
	}
	return c.ended()
}

func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}
