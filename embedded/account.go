package embedded

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is who the Postgres programs run as. They refuse to run as root, so a root process starts them as another.
type account struct {
	name     string
	uid, gid uint32
	// credential is nil when the programs run as this process's own user.
	credential *syscall.Credential
}

// chooseAccount picks the account for a cluster in dataDir: this process's user, unless that is root. Then it is the
// owner of an existing data directory, else the user postgres, else nobody. initdb looks the user up by its number, so
// it has to be one that the system knows.
func chooseAccount(dataDir string) (account, error) {
	if os.Geteuid() != 0 {
		return account{uid: ownID(), gid: uint32(os.Getegid())}, nil //nolint:gosec // ids are 32 bits wide in the kernel
	}
	if owner, ok := ownerOf(dataDir); ok && owner != 0 {
		found, err := user.LookupId(strconv.FormatUint(uint64(owner), 10))
		if err != nil {
			return account{}, fmt.Errorf("look up the owner of %s: %w", dataDir, err)
		}
		return newAccount(found)
	}
	for _, name := range []string{"postgres", "nobody"} {
		if found, err := user.Lookup(name); err == nil {
			return newAccount(found)
		}
	}
	return account{}, errors.New("no account to run Postgres as: it refuses root, and there is no user postgres or nobody")
}

func newAccount(found *user.User) (account, error) {
	uid, uidErr := strconv.ParseUint(found.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(found.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return account{}, fmt.Errorf("read the ids of user %s: %w", found.Username, err)
	}
	a := account{name: found.Username, uid: uint32(uid), gid: uint32(gid)}
	a.credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	return a, nil
}

// own makes the account the owner of path, which only root can do and only root has to.
func (a account) own(path string) error {
	if a.credential == nil {
		return nil
	}
	return os.Lchown(path, int(a.uid), int(a.gid))
}

// reaches checks that the account may pass through every parent of path. Without this check the failure is a bare
// "permission denied" from the start of a program that everybody may run.
func (a account) reaches(path string) error {
	if a.credential == nil {
		return nil
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if !a.mayPass(info) {
			return fmt.Errorf("user %s, which Postgres runs as under root, may not enter %s: "+
				"use a data directory elsewhere, such as %s", a.name, dir, rootDataDir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

func (a account) mayPass(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case ok && stat.Uid == a.uid:
		return info.Mode().Perm()&0o100 != 0
	case ok && stat.Gid == a.gid:
		return info.Mode().Perm()&0o010 != 0
	}
	return info.Mode().Perm()&0o001 != 0
}

// ownID is this process's effective user.
func ownID() uint32 {
	return uint32(os.Geteuid()) //nolint:gosec // ids are 32 bits wide in the kernel
}

// ownerOf is the uid that owns path, if path exists.
func ownerOf(path string) (uint32, bool) {
	info, err := os.Lstat(path)
	if err != nil {
		return 0, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return stat.Uid, true
}
