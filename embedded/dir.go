package embedded

import (
	"errors"
	"os"
	"path/filepath"
)

// rootDataDir is where a root process keeps its data: the account Postgres runs as cannot enter root's home.
const rootDataDir = "/var/lib/weir"

// DefaultDir is the data directory of a user who named none: /var/lib/weir for root (euid 0), else weir under
// xdgDataHome (XDG_DATA_HOME, taken only when absolute), else .local/share/weir under home (HOME).
// It is an error when no value leads to a directory.
func DefaultDir(euid int, xdgDataHome, home string) (string, error) {
	switch {
	case euid == 0:
		return rootDataDir, nil
	case filepath.IsAbs(xdgDataHome):
		return filepath.Join(xdgDataHome, "weir"), nil
	case filepath.IsAbs(home):
		return filepath.Join(home, ".local", "share", "weir"), nil
	}
	return "", errors.New("no data directory: neither XDG_DATA_HOME nor HOME is an absolute path")
}

// makeDir makes dir and its parents. Root's is passable to others, because the account Postgres runs as has to reach
// its part inside; every other user's is private.
func makeDir(dir string) error {
	if os.Geteuid() == 0 {
		return os.MkdirAll(dir, 0o711) //nolint:gosec // others may pass through, not look in
	}
	return os.MkdirAll(dir, 0o700)
}
