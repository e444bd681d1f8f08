package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers/sim"
)

// up is a weir up in a process of its own.
type up struct {
	cmd    *exec.Cmd
	output *bytes.Buffer
	ended  chan error
	ready  chan struct{}
}

// readyWriter closes ready when weir says that it is up.
type readyWriter struct {
	u    *up
	seen bool
}

func (w *readyWriter) Write(p []byte) (int, error) {
	n, err := w.u.output.Write(p)
	if !w.seen && strings.Contains(w.u.output.String(), "weir is up") {
		w.seen = true
		close(w.u.ready)
	}
	return n, err
}

func startUp(t *testing.T, dir, config string, port int) *up {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	u := &up{output: &bytes.Buffer{}, ended: make(chan error, 1), ready: make(chan struct{})}
	u.cmd = exec.Command(self, "up", "--data-dir", dir, "--config", config, fmt.Sprintf("--nats-port=%d", port)) //nolint:noctx // it is killed, not cancelled
	u.cmd.Env = append(os.Environ(), childEnv+"=1", "WEIR_LOG_LEVEL=warn")
	u.cmd.Stdout = &readyWriter{u: u}
	u.cmd.Stderr = u.cmd.Stdout
	require.NoError(t, u.cmd.Start())
	go func() { u.ended <- u.cmd.Wait() }()
	t.Cleanup(func() { _ = u.cmd.Process.Kill() })
	return u
}

func (u *up) mustBeUp(t *testing.T) {
	t.Helper()
	select {
	case <-u.ready:
	case err := <-u.ended:
		require.Fail(t, "weir up ended", "%v\n%s", err, u.output)
	case <-time.After(60 * time.Second):
		require.Fail(t, "weir up does not come up")
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	address, ok := listener.Addr().(*net.TCPAddr)
	require.True(t, ok)
	return address.Port
}

// prepareUp makes a data directory and a configuration with simulated models.
func prepareUp(t *testing.T) (dir, config string) {
	t.Helper()
	if testing.Short() {
		t.Skip("it starts servers of its own")
	}
	models, err := sim.New(sim.Config{})
	require.NoError(t, err)
	require.NoError(t, models.Start(t.Context(), "127.0.0.1:0"))
	t.Cleanup(func() { require.NoError(t, models.Close()) })
	// not t.TempDir: Postgres's own account has to reach its part of the directory
	dir, err = os.MkdirTemp("", "weir-up-") //nolint:usetesting // see above
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o711))
	config = filepath.Join(t.TempDir(), "weir.yaml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, crashYAML, models.URL()), 0o600))
	return dir, config
}

func TestUp_EndsWithItsPostgres(t *testing.T) {
	t.Parallel()
	dir, config := prepareUp(t)
	u := startUp(t, dir, config, freePort(t))
	u.mustBeUp(t)
	pidFile, err := os.ReadFile(filepath.Join(dir, "pg", "data", "postmaster.pid"))
	require.NoError(t, err)
	first, _, _ := strings.Cut(string(pidFile), "\n")
	pid, err := strconv.Atoi(first)
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	select {
	case err := <-u.ended:
		require.Error(t, err)
		require.Contains(t, u.output.String(), "the private Postgres has ended; start weir up again")
	case <-time.After(60 * time.Second):
		require.Fail(t, "weir up goes on without its Postgres")
	}
}

func TestUp_SurvivesKillAndRefusesASecondStart(t *testing.T) {
	t.Parallel()
	dir, config := prepareUp(t)
	port := freePort(t)

	first := startUp(t, dir, config, port)
	first.mustBeUp(t)
	var out, errs bytes.Buffer
	env := func(name string) string { return map[string]string{"WEIR_DATA_DIR": dir, "HOME": dir}[name] }
	tasks := strings.NewReader(`{"id":"a","input":"where is my parcel?"}` + "\n")
	err := run(t.Context(), []string{"publish", "--feature", "triage", "--batch", "b", "-"}, env, tasks, &out, &errs)
	require.NoError(t, err, errs.String())
	err = run(t.Context(), []string{"watch", "--batch", "b", "--timeout", "30s"}, env, nil, &out, &errs)
	require.NoError(t, err, errs.String())

	second := startUp(t, dir, config, freePort(t))
	require.Error(t, <-second.ended)
	require.Contains(t, second.output.String(), "another weir is using this directory")

	require.NoError(t, first.cmd.Process.Kill())
	require.Error(t, <-first.ended)
	third := startUp(t, dir, config, port)
	third.mustBeUp(t)
	out.Reset()
	require.NoError(t, run(t.Context(), []string{"report", "cpuo"}, env, nil, &out, &errs), errs.String())
	require.Contains(t, out.String(), "triage", "the ledger is still there")
	require.NoError(t, third.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, <-third.ended, third.output.String())
}
