package embedded

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

const (
	// socketPort only names the socket file; nothing listens on the port.
	socketPort = "5432"
	socketName = ".s.PGSQL." + socketPort
	// maxSocketPath is the longest path of a Unix socket on every system weir runs on: macOS keeps 104 bytes, the
	// closing NUL among them.
	maxSocketPath = 103
)

// socketDir makes a private directory for the socket of the cluster under clusterDir: clusterDir/run where its path is
// short and plain enough, else a directory with a fixed name in tempDir or /tmp. The second result tells which: a
// directory outside the cluster's is removed after use.
func socketDir(clusterDir, tempDir string, a account) (dir string, outside bool, err error) {
	inside := filepath.Join(clusterDir, "run")
	if fitsSocket(inside) {
		return inside, false, privateDir(inside, a)
	}
	sum := sha256.Sum256([]byte(clusterDir))
	name := fmt.Sprintf("weir-%d-%s", os.Geteuid(), hex.EncodeToString(sum[:6]))
	for _, parent := range []string{tempDir, "/tmp"} {
		dir := filepath.Join(parent, name)
		if fitsSocket(dir) && a.reaches(dir) == nil {
			return dir, true, privateDir(dir, a)
		}
	}
	return "", false, fmt.Errorf("no directory for the Postgres socket: both %s and %s are unusable or too long",
		clusterDir, tempDir)
}

// fitsSocket reports whether dir can hold the socket: short enough for the kernel, and free of characters, such as the
// comma, that separate directories in Postgres's setting or hosts in a connection string.
func fitsSocket(dir string) bool {
	return len(dir)+1+len(socketName) <= maxSocketPath && regexp.MustCompile(`^[\w/.+@-]+$`).MatchString(dir)
}

// privateDir makes dir, or takes it if it is already a directory that only the account can use. Anybody may have put
// something of that name into a shared temporary directory.
func privateDir(dir string, a account) error {
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		return a.own(dir)
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	owner, _ := ownerOf(dir)
	if owner == ownID() {
		// Made by a process that died before it could hand the directory over.
		if err := a.own(dir); err != nil {
			return err
		}
		owner = a.uid
	}
	if !info.IsDir() || info.Mode().Perm() != 0o700 || owner != a.uid {
		return fmt.Errorf("%s is in the way: it is not a private directory of the user Postgres runs as", dir)
	}
	return nil
}

// clearSocket removes what a killed server left in dir. Call it only when no server of the cluster runs.
func clearSocket(dir string) error {
	for _, name := range []string{socketName, socketName + ".lock"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
