package embedded_test

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/embedded"
)

func TestStartPostgres_KeepsDataOverARestart(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	config := postgresConfig(dir)
	delete(config.Settings, "fsync")
	first, err := embedded.StartPostgres(t.Context(), config)
	require.NoError(t, err)
	mustExec(t, first.DSN(), `CREATE TABLE note (text text); INSERT INTO note VALUES ('kept')`)
	require.Empty(t, mustQuery(t, first.DSN(), `SHOW listen_addresses`), "no port must be open")
	require.Equal(t, "on", mustQuery(t, first.DSN(), `SHOW fsync`))
	require.Equal(t, "on", mustQuery(t, first.DSN(), `SHOW data_checksums`))
	require.Equal(t, "32MB", mustQuery(t, first.DSN(), `SHOW shared_buffers`), "the caller's settings come last")
	require.Equal(t, "weir", mustQuery(t, first.DSN(), `SELECT current_user`))

	mustStop(t, first)
	requireDone(t, first)
	mustStop(t, first)
	second := mustStartPostgres(t, dir)

	require.Equal(t, first.DSN(), second.DSN())
	require.Equal(t, "kept", mustQuery(t, second.DSN(), `SELECT text FROM note`))
}

func TestStartPostgres_RefusesASecondStart(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	postgres := mustStartPostgres(t, dir)

	_, err := embedded.StartPostgres(t.Context(), postgresConfig(dir))

	require.ErrorIs(t, err, embedded.ErrLocked)
	require.ErrorContains(t, err, dir)
	require.Equal(t, "1", mustQuery(t, postgres.DSN(), `SELECT 1::text`), "the first must go on")
}

func TestStartPostgres_AfterKill9(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		// kill ends the process that serves, and what else the case is about.
		kill func(t *testing.T, serving *exec.Cmd, report childReport)
	}{
		{"OfWeir", func(t *testing.T, serving *exec.Cmd, report childReport) {
			t.Helper()
			require.NoError(t, serving.Process.Kill())
			if embedded.DiesWithParent {
				requireGone(t, report.PostgresPid)
			}
		}},
		{"OfWeirStartedAgainAtOnce", func(t *testing.T, serving *exec.Cmd, _ childReport) {
			t.Helper()
			require.NoError(t, serving.Process.Kill())
		}},
		{"OfBoth", func(t *testing.T, serving *exec.Cmd, report childReport) {
			t.Helper()
			require.NoError(t, syscall.Kill(report.PostgresPid, syscall.SIGKILL))
			require.NoError(t, serving.Process.Kill())
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := dataDir(t)
			serving, report := startChild(t, dir)
			mustExec(t, report.DSN, `CREATE TABLE note (text text); INSERT INTO note VALUES ('kept')`)

			tt.kill(t, serving, report)
			require.Error(t, serving.Wait())
			postgres := mustStartPostgres(t, dir)

			require.Equal(t, "kept", mustQuery(t, postgres.DSN(), `SELECT text FROM note`))
		})
	}
}

// A number of a dead server may be given to any other program, above all in containers, where numbers are small.
func TestStartPostgres_StalePidFile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		content string
	}{
		{"NamesAnotherLiveProgram", strconv.Itoa(os.Getpid()) + "\n"},
		{"NamesADeadProcess", "4194303\n"},
		{"CutShort", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := dataDir(t)
			mustStop(t, mustStartPostgres(t, dir))
			file := filepath.Join(dir, "pg", "data", "postmaster.pid")
			require.NoError(t, os.WriteFile(file, []byte(tt.content), 0o600))
			giveTo(t, filepath.Dir(file), file)

			postgres := mustStartPostgres(t, dir)

			require.Equal(t, "1", mustQuery(t, postgres.DSN(), `SELECT 1::text`))
		})
	}
}

func TestStartPostgres_RefusesDataItCannotOpen(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		files   map[string]string
		version string // of a *VersionError; "" for any other
	}{
		{"AnotherRelease", map[string]string{"PG_VERSION": "9\n", "base/1/16384": "rows"}, "9"},
		{"NoCluster", map[string]string{"precious.txt": "rows"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := dataDir(t)
			data := filepath.Join(dir, "pg", "data")
			for name, content := range tt.files {
				path := filepath.Join(data, name)
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
				require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
			}
			before := snapshot(t, data)

			_, err := embedded.StartPostgres(t.Context(), postgresConfig(dir))

			require.ErrorContains(t, err, data)
			if tt.version != "" {
				var mismatch *embedded.VersionError
				require.ErrorAs(t, err, &mismatch)
				require.Equal(t, tt.version, mismatch.Data)
			}
			require.Equal(t, before, snapshot(t, data), "the refused directory must stay as it is")
		})
	}
}

func TestStartPostgres_InterruptedInit(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	bin, err := embedded.FindBinaries(t.Context(), "")
	require.NoError(t, err)
	broken := filepath.Join(filepath.Dir(dir), "bin")
	require.NoError(t, os.Mkdir(broken, 0o755))
	require.NoError(t, os.Symlink(filepath.Join(bin.Dir, "postgres"), filepath.Join(broken, "postgres")))
	// Writes what makes a directory look like a cluster, then dies.
	script := "#!/bin/sh\nfor a in \"$@\"; do case $a in --pgdata=*) d=${a#--pgdata=} ;; esac; done\n" +
		"echo " + strconv.Itoa(bin.Major) + " > \"$d/PG_VERSION\"\necho disk full >&2\nexit 1\n"
	mustWriteScript(t, filepath.Join(broken, "initdb"), script)
	// What a run of initdb leaves that was killed together with weir.
	leftover := filepath.Join(dir, "pg", "init-123")
	require.NoError(t, os.MkdirAll(leftover, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(leftover, "PG_VERSION"), []byte(strconv.Itoa(bin.Major)), 0o600))

	config := postgresConfig(dir)
	config.BinDir = broken
	_, err = embedded.StartPostgres(t.Context(), config)
	require.ErrorContains(t, err, "disk full")

	postgres := mustStartPostgres(t, dir)
	require.Equal(t, "1", mustQuery(t, postgres.DSN(), `SELECT 1::text`))
	leftovers, err := filepath.Glob(filepath.Join(dir, "pg", "init-*"))
	require.NoError(t, err)
	require.Empty(t, leftovers)
}

func TestStartPostgres_AnyPath(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		path string
	}{
		{"TooLongForASocket", strings.Repeat("long/", 30)},
		{"Comma", "a,b"},
		{"SpacesAndQuotes", `it's a "test"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(dataDir(t), tt.path)
			first := mustStartPostgres(t, dir)
			require.Equal(t, "1", mustQuery(t, first.DSN(), `SELECT 1::text`))
			socketDir := mustQuery(t, first.DSN(), `SHOW unix_socket_directories`)
			require.DirExists(t, socketDir)

			mustStop(t, first)
			require.NoDirExists(t, socketDir, "nothing must stay outside the data directory")
			second := mustStartPostgres(t, dir)
			require.Equal(t, first.DSN(), second.DSN())
		})
	}
}

func TestStartPostgres_NoPostgres(t *testing.T) {
	t.Parallel()
	config := postgresConfig(dataDir(t))
	config.BinDir = t.TempDir()

	_, err := embedded.StartPostgres(t.Context(), config)

	require.ErrorIs(t, err, embedded.ErrNoPostgres)
	require.ErrorContains(t, err, config.BinDir)
	require.NotContains(t, err.Error(), "\n", "the hint is one line")
}

func TestStartPostgres_BadSetting(t *testing.T) {
	t.Parallel()
	config := postgresConfig(dataDir(t))
	config.Settings = map[string]string{"shared_buffers": "lots"}

	_, err := embedded.StartPostgres(t.Context(), config)

	require.ErrorContains(t, err, `invalid value for parameter "shared_buffers"`, "the server's own words must reach the caller")
}

func TestStartPostgres_UnreachableForItsUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root runs Postgres as another user")
	}
	dir := dataDir(t)
	require.NoError(t, os.MkdirAll(dir, 0o700))
	closed := filepath.Join(dir, "closed")
	require.NoError(t, os.Mkdir(closed, 0o700))

	_, err := embedded.StartPostgres(t.Context(), postgresConfig(filepath.Join(closed, "weir")))

	require.ErrorContains(t, err, closed)
	require.ErrorContains(t, err, "/var/lib/weir")
}

func TestPostgres_StopCutsOffWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	postgres := mustStartPostgres(t, dir)
	mustExec(t, postgres.DSN(), `CREATE TABLE note (text text); INSERT INTO note VALUES ('kept')`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	require.ErrorContains(t, postgres.Stop(ctx), "cut off")

	requireDone(t, postgres)
	again := mustStartPostgres(t, dir)
	require.Equal(t, "kept", mustQuery(t, again.DSN(), `SELECT text FROM note`))
}

func requireDone(t *testing.T, postgres *embedded.Postgres) {
	t.Helper()
	select {
	case <-postgres.Done():
	default:
		require.Fail(t, "the server must have ended")
	}
}

func requireGone(t *testing.T, pid int) {
	t.Helper()
	// A killed child of a killed parent stays as a zombie where nobody collects it, so its state counts too.
	require.Eventually(t, func() bool { return !embedded.Alive(pid) }, 20*time.Second, 10*time.Millisecond)
}

// giveTo makes the owner of the file like also the owner of path.
func giveTo(t *testing.T, like, path string) {
	t.Helper()
	info, err := os.Stat(like)
	require.NoError(t, err)
	owner, ok := info.Sys().(*syscall.Stat_t)
	require.True(t, ok)
	require.NoError(t, os.Chown(path, int(owner.Uid), int(owner.Gid)))
}

// snapshot is every path under dir with its mode, owner and content.
func snapshot(t *testing.T, dir string) []string {
	t.Helper()
	var entries []string
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := entry.Info()
		require.NoError(t, err)
		owner, ok := info.Sys().(*syscall.Stat_t)
		require.True(t, ok)
		var content []byte
		if !entry.IsDir() {
			content, err = os.ReadFile(path)
			require.NoError(t, err)
		}
		entries = append(entries, strings.Join([]string{
			path, info.Mode().String(), strconv.Itoa(int(owner.Uid)), info.ModTime().String(), string(content),
		}, "|"))
		return nil
	}))
	return entries
}
