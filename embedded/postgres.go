package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	superuser           = "weir"
	databaseName        = "weir"
	maintenanceDatabase = "postgres"

	// startTimeout is long because a server that was killed repeats its log first.
	startTimeout = 5 * time.Minute
	// stopTimeout is the time for a shutdown with a checkpoint; quitTimeout, then, for one without.
	stopTimeout = 30 * time.Second
	quitTimeout = 10 * time.Second
)

// errStillInUse is the end of a server that met the last processes of a killed one. The next try may succeed.
var errStillInUse = errors.New("the memory of an earlier server is still in use")

// PostgresConfig says where the private Postgres keeps its data and how it runs.
type PostgresConfig struct {
	// Dir is the data directory of weir; the cluster lives in its subdirectory pg, which is made, locked and, under
	// root, given to the user that Postgres runs as. Nothing else in Dir is touched.
	Dir string
	// BinDir is the directory of initdb and postgres. Default: FindBinaries looks for it.
	BinDir string
	// Settings are server settings (postgresql.conf names) over weir's own. The socket, the port, the addresses and
	// the log's destination are not for the caller to set.
	Settings map[string]string
	// Logger receives what the server says. Required.
	Logger *slog.Logger
}

// Postgres is a private Postgres server: a child of this process, reached through a Unix socket in a directory that
// only its own user can enter. It listens on no network port.
type Postgres struct {
	cluster   *cluster
	lock      *DirLock
	socketDir string
	outside   bool // socketDir lies outside the cluster's directory
	server    *child

	mu      sync.Mutex
	stopped bool
}

// StartPostgres serves the cluster under cfg.Dir, makes it first if there is none, and returns when the database weir
// answers. It returns ErrLocked when another process serves it, ErrNoPostgres when there are no server programs,
// *VersionError when the cluster is of another release than they are, and ctx's error when ctx ends first; ctx has no
// influence afterwards. A data directory is never removed or initialized again, whatever is wrong with it.
//
// When this process dies without Stop, the server shuts down too (on Linux), or is stopped by the next start (elsewhere).
func StartPostgres(ctx context.Context, cfg PostgresConfig) (*Postgres, error) {
	p, err := startPostgres(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("start postgres in %s: %w", cfg.Dir, err)
	}
	return p, nil
}

// DSN is a connection string, in the keyword form that pgx and psql read, for the database weir as its superuser.
func (p *Postgres) DSN() string {
	return p.DatabaseDSN(databaseName)
}

// DatabaseDSN is DSN for another database of the cluster.
func (p *Postgres) DatabaseDSN(database string) string {
	return socketDSN(p.socketDir, database)
}

// Pid is the process number of the server.
func (p *Postgres) Pid() int {
	return p.server.cmd.Process.Pid
}

// Done is closed when the server has ended, after Stop or on its own.
func (p *Postgres) Done() <-chan struct{} {
	return p.server.done
}

// Stop ends all sessions, shuts the server down with a checkpoint, and gives the directory free. When that takes longer
// than 30 seconds, or ctx ends, the server is cut off instead: no committed row is lost, but the next start takes longer,
// and Stop returns an error that says so. It may be called more than once.
func (p *Postgres) Stop(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return nil
	}
	p.stopped = true
	err := p.shutdown(ctx)
	return errors.Join(err, p.release())
}

func startPostgres(ctx context.Context, cfg PostgresConfig) (*Postgres, error) {
	if err := makeDir(cfg.Dir); err != nil {
		return nil, err
	}
	// Processes are recognized by the directory they work in, which the system tells without symbolic links.
	dir, err := realPath(cfg.Dir)
	if err != nil {
		return nil, err
	}
	clusterDir := filepath.Join(dir, "pg")
	lock, err := Lock(clusterDir)
	if err != nil {
		return nil, err
	}
	p := &Postgres{lock: lock}
	if err := p.start(ctx, clusterDir, cfg); err != nil {
		return nil, errors.Join(err, p.release())
	}
	return p, nil
}

func (p *Postgres) start(ctx context.Context, clusterDir string, cfg PostgresConfig) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	var err error
	if p.cluster, err = openCluster(ctx, clusterDir, cfg); err != nil {
		return err
	}
	if err := p.cluster.prepare(ctx); err != nil {
		return err
	}
	if p.socketDir, p.outside, err = socketDir(clusterDir, os.TempDir(), p.cluster.account); err != nil {
		return err
	}
	if err := clearSocket(p.socketDir); err != nil {
		return fmt.Errorf("clear the socket directory: %w", err)
	}
	if err := p.serve(ctx); err != nil {
		return err
	}
	if err := p.ensureDatabase(ctx); err != nil {
		return errors.Join(err, p.shutdown(ctx))
	}
	p.cluster.logStart(ctx, p.Pid())
	return nil
}

// serve runs the server and waits until it is ready, again while the remains of a killed one are in the way.
func (p *Postgres) serve(ctx context.Context) error {
	for {
		err := p.serveOnce(ctx)
		if !errors.Is(err, errStillInUse) {
			return err
		}
		timer := time.NewTimer(10 * pollInterval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(ctx.Err(), err)
		case <-timer.C:
		}
	}
}

func (p *Postgres) serveOnce(ctx context.Context) error {
	log := &postgresLog{logger: p.cluster.cfg.Logger}
	args := serverArgs(p.cluster.data, p.socketDir, p.cluster.cfg.Settings)
	// The server outlives the start, and with it ctx. SIGINT is its fast shutdown.
	cmd := p.cluster.command(context.WithoutCancel(ctx), syscall.SIGINT, "postgres", args...)
	cmd.Stderr = log
	server, err := startChild(cmd)
	if err != nil {
		return fmt.Errorf("run postgres: %w", err)
	}
	p.server = server
	if err := p.awaitReady(ctx, log); err != nil {
		return errors.Join(err, p.shutdown(ctx))
	}
	return nil
}

// awaitReady waits for the word ready in postmaster.pid. Connecting instead would fill the server's log with refusals
// while it recovers.
func (p *Postgres) awaitReady(ctx context.Context, log *postgresLog) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until it is ready: %w: %s", ctx.Err(), log.last())
		case <-p.server.done:
			return p.earlyEnd(log.last())
		case <-ticker.C:
		}
		file, err := readPidFile(p.cluster.data)
		if err != nil {
			return err
		}
		if file.pid == p.Pid() && file.status == "ready" {
			return nil
		}
	}
}

func (p *Postgres) earlyEnd(lines string) error {
	if strings.Contains(lines, "is still in use") {
		return fmt.Errorf("%w: %s", errStillInUse, lines)
	}
	return fmt.Errorf("it ended while starting (%w): %s", p.server.err, lines)
}

// ensureDatabase makes the database weir unless it exists. It is looked for at every start, because a process may have
// died between making the cluster and making the database.
func (p *Postgres) ensureDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, p.DatabaseDSN(maintenanceDatabase))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	// A close that fails leaves a session that the server ends by itself.
	defer func() { _ = conn.Close(ctx) }()
	var exists bool
	const query = `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`
	if err := conn.QueryRow(ctx, query, databaseName).Scan(&exists); err != nil {
		return fmt.Errorf("look for the database %s: %w", databaseName, err)
	}
	if exists {
		return nil
	}
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+databaseName); err != nil {
		return fmt.Errorf("create the database %s: %w", databaseName, err)
	}
	return nil
}

// shutdown ends the server, more firmly each time it does not obey.
func (p *Postgres) shutdown(ctx context.Context) error {
	p.server.signal(syscall.SIGINT)
	if p.server.endsWithin(stopTimeout, ctx.Done()) {
		return nil
	}
	p.server.signal(syscall.SIGQUIT)
	if !p.server.endsWithin(quitTimeout, nil) {
		p.server.signal(syscall.SIGKILL)
		<-p.server.done
	}
	return errors.New("stop postgres: it was cut off, and will recover at its next start")
}

// release gives back what the server needed of the system.
func (p *Postgres) release() error {
	var err error
	if p.outside {
		err = os.RemoveAll(p.socketDir)
	}
	return errors.Join(err, p.lock.Close())
}

func socketDSN(socketDir, database string) string {
	return fmt.Sprintf("host=%s port=%s user=%s dbname=%s sslmode=disable", socketDir, socketPort, superuser, database)
}

func realPath(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(absolute)
}
