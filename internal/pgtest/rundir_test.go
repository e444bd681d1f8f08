package pgtest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/embedded"
)

func TestSweep(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		dir    string
		age    time.Duration
		locked bool
		stays  bool
	}{
		{name: "LeftByAKilledProcess", dir: runPrefix + "1", age: 2 * sweepAge},
		{name: "InUse", dir: runPrefix + "2", age: 2 * sweepAge, locked: true, stays: true},
		{name: "JustMade", dir: runPrefix + "3", stays: true},
		{name: "OfAnotherProgram", dir: "another-4", age: 2 * sweepAge, stays: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			temp := t.TempDir()
			dir := filepath.Join(temp, tt.dir)
			require.NoError(t, os.MkdirAll(filepath.Join(dir, "pg"), 0o700))
			if tt.locked {
				lock, err := embedded.Lock(dir)
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, lock.Close()) })
			}
			made := time.Now().Add(-tt.age)
			require.NoError(t, os.Chtimes(dir, made, made))

			sweep(temp)

			if tt.stays {
				require.DirExists(t, dir)
				return
			}
			require.NoDirExists(t, dir)
		})
	}
}
