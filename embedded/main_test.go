package embedded_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/embedded"
)

// childDir names, in a re-executed test process, the data directory it is to serve until it is killed.
const childDir = "EMBEDDED_TEST_CHILD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := serveUntilKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	m.Run()
}

// childReport is what a re-executed process says on its standard output once it serves.
type childReport struct {
	PostgresPid int    `json:"postgres_pid"`
	DSN         string `json:"dsn"`
	NATSURL     string `json:"nats_url"`
}

func serveUntilKilled(dir string) error {
	ctx := context.Background()
	postgres, err := embedded.StartPostgres(ctx, embedded.PostgresConfig{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	nats, err := embedded.StartNATS(ctx, natsConfig(dir))
	if err != nil {
		return err
	}
	report := childReport{PostgresPid: postgres.Pid(), DSN: postgres.DSN(), NATSURL: nats.ClientURL()}
	if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
		return err
	}
	select {}
}

// startChild runs this test binary again as a process that serves dir.
func startChild(t *testing.T, dir string) (*exec.Cmd, childReport) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadBytes('\n')
	require.NoError(t, err, "the child must report what it serves")
	var report childReport
	require.NoError(t, json.Unmarshal(line, &report))
	return cmd, report
}

// dataDir is a directory that every user can reach: t.TempDir is inside one that only its owner can enter, and under
// root Postgres runs as another user.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "weir-embedded-") //nolint:usetesting // see above
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return filepath.Join(dir, "weir")
}

// postgresConfig saves memory, and the time that syncing takes, which no test but the one of the defaults is about.
func postgresConfig(dir string) embedded.PostgresConfig {
	return embedded.PostgresConfig{
		Dir:      dir,
		Settings: map[string]string{"shared_buffers": "32MB", "fsync": "off"},
		Logger:   slog.New(slog.DiscardHandler),
	}
}

func natsConfig(dir string) embedded.NATSConfig {
	return embedded.NATSConfig{Dir: dir, Port: embedded.RandomPort, Logger: slog.New(slog.DiscardHandler)}
}

func mustStartPostgres(t *testing.T, dir string) *embedded.Postgres {
	t.Helper()
	postgres, err := embedded.StartPostgres(t.Context(), postgresConfig(dir))
	require.NoError(t, err)
	t.Cleanup(func() { mustStop(t, postgres) })
	return postgres
}

func mustStop(t *testing.T, postgres *embedded.Postgres) {
	t.Helper()
	require.NoError(t, postgres.Stop(context.WithoutCancel(t.Context())))
}

func mustConnect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() {
		// The server may have ended the session already.
		_ = conn.Close(context.WithoutCancel(t.Context()))
	})
	return conn
}

func mustExec(t *testing.T, dsn, sql string) {
	t.Helper()
	_, err := mustConnect(t, dsn).Exec(t.Context(), sql)
	require.NoError(t, err)
}

func mustQuery(t *testing.T, dsn, sql string) string {
	t.Helper()
	var value string
	require.NoError(t, mustConnect(t, dsn).QueryRow(t.Context(), sql).Scan(&value))
	return value
}
