package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// VersionError refuses a data directory that the Postgres programs at hand cannot open. weir changes nothing in it.
type VersionError struct {
	// Dir is the data directory.
	Dir string
	// Data is the major version that wrote it, as its file PG_VERSION says.
	Data string
	// Binaries are the programs found.
	Binaries Binaries
}

// Error tells the two ways out.
func (e *VersionError) Error() string {
	return fmt.Sprintf("%s was written by Postgres %s, but the programs in %s are Postgres %d: "+
		"install Postgres %s beside them, or move the data with pg_upgrade or pg_dump",
		e.Dir, e.Data, e.Binaries.Dir, e.Binaries.Major, e.Data)
}

// cluster is a Postgres data directory with the programs and the account that serve it.
type cluster struct {
	dir     string // holds everything of the cluster, and belongs to the account
	data    string // what Postgres calls the data directory
	bin     Binaries
	account account
	cfg     PostgresConfig
}

// openCluster finds out how the cluster in dir can be served. It changes nothing.
func openCluster(ctx context.Context, dir string, cfg PostgresConfig) (*cluster, error) {
	c := &cluster{dir: dir, data: filepath.Join(dir, "data"), cfg: cfg}
	version, err := dataVersion(c.data)
	if err != nil {
		return nil, err
	}
	if c.bin, err = findBinaries(ctx, cfg.BinDir, leadingNumber(version)); err != nil {
		return nil, err
	}
	if version != "" && leadingNumber(version) != c.bin.Major {
		return nil, &VersionError{Dir: c.data, Data: version, Binaries: c.bin}
	}
	if c.account, err = chooseAccount(c.data); err != nil {
		return nil, err
	}
	return c, c.account.reaches(c.dir)
}

// dataVersion is the major version of the cluster in data, or "" where there is none yet. A directory that holds
// something else is refused: it is not weir's to fill or to remove.
func dataVersion(data string) (string, error) {
	version, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if err == nil {
		return strings.TrimSpace(string(version)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	entries, err := os.ReadDir(data)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return "", fmt.Errorf("%s is not empty and not a Postgres data directory", data)
}

// prepare makes the cluster ready to be served: it ends what a killed process left running, and makes the data
// directory if there is none.
func (c *cluster) prepare(ctx context.Context) error {
	//nolint:gosec // a directory needs the right to be entered
	if err := errors.Join(c.account.own(c.dir), os.Chmod(c.dir, 0o700)); err != nil {
		return fmt.Errorf("give %s to Postgres: %w", c.dir, err)
	}
	if err := c.dropLeftovers(); err != nil {
		return err
	}
	version, err := dataVersion(c.data)
	if err != nil {
		return err
	}
	if version == "" {
		return c.initialize(ctx)
	}
	return endOrphans(ctx, c.data)
}

// initialize runs initdb in a temporary directory and gives the result its name last, so that an interrupted run leaves
// nothing that looks like a data directory.
func (c *cluster) initialize(ctx context.Context) error {
	fresh, err := os.MkdirTemp(c.dir, "init-")
	if err != nil {
		return fmt.Errorf("make a data directory: %w", err)
	}
	if err := c.account.own(fresh); err != nil {
		return errors.Join(fmt.Errorf("make a data directory: %w", err), os.RemoveAll(fresh))
	}
	if err := c.initdb(ctx, fresh); err != nil {
		return errors.Join(err, os.RemoveAll(fresh))
	}
	if err := os.Rename(fresh, c.data); err != nil {
		return fmt.Errorf("name the data directory: %w", err)
	}
	return syncDir(c.dir)
}

// dropLeftovers removes what interrupted runs of initdb left. Nothing was ever stored in it.
func (c *cluster) dropLeftovers() error {
	leftovers, err := filepath.Glob(filepath.Join(c.dir, "init-*"))
	if err != nil {
		return err
	}
	for _, path := range leftovers {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove an unfinished data directory: %w", err)
		}
	}
	return nil
}

func (c *cluster) initdb(ctx context.Context, dir string) error {
	// Trust is enough: the only way in is a socket in a directory closed to every other user.
	args := []string{
		"--pgdata=" + dir, "--username=" + superuser, "--auth=trust", "--encoding=UTF8", "--locale=" + locale(),
		"--lc-messages=C", "--data-checksums", "--no-instructions",
	}
	if c.cfg.Settings["fsync"] == "off" {
		args = append(args, "--no-sync")
	}
	log := &postgresLog{logger: c.cfg.Logger}
	cmd := c.command(ctx, syscall.SIGKILL, "initdb", args...)
	cmd.Stdout, cmd.Stderr = log, log
	run, err := startChild(cmd)
	if err != nil {
		return fmt.Errorf("run initdb: %w", err)
	}
	<-run.done
	if run.err != nil {
		return fmt.Errorf("run initdb: %w: %s", errors.Join(run.err, ctx.Err()), log.last())
	}
	return nil
}

// command prepares a run of one of the cluster's programs: as its account, from a directory that this account can
// enter, and without this process's environment, in which PGDATA, PGPORT and their like would change what it does.
func (c *cluster) command(ctx context.Context, death syscall.Signal, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin.Dir, name), args...) //nolint:gosec // the programs are those the operator installed
	cmd.Dir = "/"
	// macOS ends a postmaster that finds no locale in its environment.
	cmd.Env = []string{"LC_ALL=C", "PATH=" + c.bin.Dir + ":/usr/bin:/bin"}
	cmd.SysProcAttr = childAttributes(c.account.credential, death)
	return cmd
}

// logStart says which cluster is served, by what.
func (c *cluster) logStart(ctx context.Context, pid int) {
	c.cfg.Logger.InfoContext(ctx, "private postgres started", slog.String("dir", c.data),
		slog.String("version", c.bin.Version), slog.String("user", c.account.name), slog.Int("pid", pid))
}

// locale orders text by code point and knows upper and lower case everywhere but on macOS, which has no C.UTF-8.
func locale() string {
	if runtime.GOOS == "darwin" {
		return "C"
	}
	return "C.UTF-8"
}

// syncDir makes a rename inside dir survive a loss of power.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
