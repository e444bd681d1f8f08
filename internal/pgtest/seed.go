package pgtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/weirhq/weir/embedded"
)

// seedFormat changes when the way a seed is made does, so that older ones are not used.
const seedFormat = "1"

// errNoSeed says that there is no place to keep a seed; clusters are then made from nothing each time.
var errNoSeed = errors.New("no cache directory")

// plant puts a copy of the seed, an empty cluster made once for each release of Postgres and kept in the user's cache
// directory, into dir. A copy takes a tenth of the time of initdb. Without a cache directory it does nothing, and the
// server makes its own cluster.
func plant(ctx context.Context, dir string) error {
	seed, err := seedPath(ctx)
	if errors.Is(err, errNoSeed) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(seed); errors.Is(err, fs.ErrNotExist) {
		err = makeSeed(ctx, dir, seed)
		if err != nil {
			return fmt.Errorf("make a seed cluster: %w", err)
		}
	}
	return copyTree(ctx, seed, filepath.Join(dir, "pg"))
}

func seedPath(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", errNoSeed
	}
	bin, err := embedded.FindBinaries(ctx, os.Getenv("WEIR_PG_BIN"))
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(seedFormat + "\x00" + bin.Version))
	return filepath.Join(cache, "weir-pgtest", hex.EncodeToString(sum[:8])), nil
}

// makeSeed makes a cluster under dir, where Postgres can work, and moves it to the path seed in one step. Of several
// processes that do so at once, one wins, and the others use its result.
func makeSeed(ctx context.Context, dir, seed string) error {
	postgres, err := embedded.StartPostgres(ctx, config(dir, volatileSettings()))
	if err != nil {
		return err
	}
	if err := postgres.Stop(ctx); err != nil {
		return err
	}
	made := filepath.Join(dir, "pg")
	defer func() { _ = os.RemoveAll(made) }()
	if err := os.MkdirAll(filepath.Dir(seed), 0o700); err != nil {
		return err
	}
	// The rename is atomic only inside one file system, so the copy comes first.
	fresh, err := os.MkdirTemp(filepath.Dir(seed), "new-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(fresh) }()
	if err := copyTree(ctx, made, filepath.Join(fresh, "pg")); err != nil {
		return err
	}
	err = os.Rename(filepath.Join(fresh, "pg"), seed)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// copyTree copies a directory with its owners and permissions, on which Postgres insists.
func copyTree(ctx context.Context, from, to string) error {
	out, err := exec.CommandContext(ctx, "cp", "-Rp", from, to).CombinedOutput()
	if err != nil {
		return fmt.Errorf("copy %s: %w: %s", from, err, out)
	}
	return nil
}
