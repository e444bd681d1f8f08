package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ErrNoPostgres says that no Postgres server programs were found, and what to do about it.
var ErrNoPostgres = errors.New("no Postgres server programs found: install them (`apt-get install postgresql`, " +
	"`brew install postgresql`), name their directory in WEIR_PG_BIN, or use a server of your own through DATABASE_URL")

// oldestMajor is the oldest Postgres that weir's settings and schema work on.
const oldestMajor = 14

// Binaries is a directory that holds initdb and postgres of one release.
type Binaries struct {
	// Dir is the directory, an absolute path without symbolic links.
	Dir string
	// Major is the major version, such as 17.
	Major int
	// Version is what `postgres --version` says.
	Version string
}

// FindBinaries finds the Postgres server programs: in binDir alone when it is not empty, otherwise in what
// `pg_config --bindir` names, on the PATH, and in the directories that Debian, Homebrew and Postgres.app use, newest
// release first. The error is ErrNoPostgres when there are none, or none of Postgres 14 or newer.
func FindBinaries(ctx context.Context, binDir string) (Binaries, error) {
	return findBinaries(ctx, binDir, 0)
}

// findBinaries prefers programs of release major, if it is not 0, over all others: only they can open its data.
func findBinaries(ctx context.Context, binDir string, major int) (Binaries, error) {
	dirs := []string{binDir}
	if binDir == "" {
		dirs = binaryDirs(ctx)
	}
	var first Binaries
	for _, dir := range dirs {
		b, ok := readBinaries(ctx, dir)
		if !ok || b.Major < oldestMajor {
			continue
		}
		if major == 0 || b.Major == major {
			return b, nil
		}
		first = orDefault(first, b)
	}
	if first.Dir != "" {
		return first, nil
	}
	if binDir != "" {
		return Binaries{}, fmt.Errorf("look in %s: %w", binDir, ErrNoPostgres)
	}
	return Binaries{}, ErrNoPostgres
}

// binaryDirs are the places to look in, best first.
func binaryDirs(ctx context.Context) []string {
	var dirs []string
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",
		"/usr/pgsql-*/bin",
		"/opt/homebrew/opt/postgresql@*/bin",
		"/usr/local/opt/postgresql@*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		dirs = append(dirs, newestFirst(pattern)...)
	}
	return dirs
}

// newestFirst expands pattern and orders the paths by the number in them: as strings, 9 would come before 17.
func newestFirst(pattern string) []string {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil
	}
	number := func(path string) int {
		return leadingNumber(strings.TrimLeft(strings.TrimPrefix(path, pattern[:strings.Index(pattern, "*")]), "/"))
	}
	slices.SortFunc(paths, func(a, b string) int { return cmp.Compare(number(b), number(a)) })
	return paths
}

// readBinaries reports whether dir holds both programs, and of which release.
func readBinaries(ctx context.Context, dir string) (Binaries, bool) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Binaries{}, false
	}
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return Binaries{}, false
	}
	//nolint:gosec // the directory is one that the operator or the system's packages named
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return Binaries{}, false
	}
	version := strings.TrimSpace(string(out))
	match := regexp.MustCompile(`\(PostgreSQL\) (\d+)`).FindStringSubmatch(version)
	if match == nil {
		return Binaries{}, false
	}
	return Binaries{Dir: dir, Major: leadingNumber(match[1]), Version: version}, true
}

// leadingNumber is the decimal number text starts with, or 0.
func leadingNumber(text string) int {
	end := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		text = text[:end]
	}
	number, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return number
}
