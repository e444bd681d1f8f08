package embedded_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/embedded"
)

func TestFindBinaries(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		programs map[string]string // what they print
		major    int               // 0: none are found
	}{
		{name: "Release", programs: map[string]string{"initdb": "", "postgres": "postgres (PostgreSQL) 17.2 (Debian 17.2-1)"}, major: 17},
		{name: "Beta", programs: map[string]string{"initdb": "", "postgres": "postgres (PostgreSQL) 19beta1"}, major: 19},
		{name: "TooOld", programs: map[string]string{"initdb": "", "postgres": "postgres (PostgreSQL) 13.9"}},
		{name: "OnlyTheServer", programs: map[string]string{"postgres": "postgres (PostgreSQL) 17.2"}},
		{name: "OnlyInitdb", programs: map[string]string{"initdb": ""}},
		{name: "AnotherProgram", programs: map[string]string{"initdb": "", "postgres": "hello"}},
		{name: "Empty"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, output := range tt.programs {
				mustWriteProgram(t, filepath.Join(dir, name), output)
			}

			bin, err := embedded.FindBinaries(t.Context(), dir)

			if tt.major == 0 {
				require.ErrorIs(t, err, embedded.ErrNoPostgres)
				return
			}
			require.NoError(t, err)
			require.Equal(t, embedded.Binaries{Dir: dir, Major: tt.major, Version: tt.programs["postgres"]}, bin)
		})
	}
}

func TestFindBinaries_NewestFirst(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, version := range []string{"9.6", "17", "14"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, version, "bin"), 0o700))
	}

	require.Equal(t, []string{
		filepath.Join(root, "17", "bin"), filepath.Join(root, "14", "bin"), filepath.Join(root, "9.6", "bin"),
	}, embedded.NewestFirst(filepath.Join(root, "*", "bin")))
}

func mustWriteProgram(t *testing.T, path, output string) {
	t.Helper()
	mustWriteScript(t, path, "#!/bin/sh\necho '"+output+"'\n")
}

// mustWriteScript keeps other tests from starting programs meanwhile: a child would hold the file open for writing for a
// moment, and a file that is open for writing cannot be run.
func mustWriteScript(t *testing.T, path, script string) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	require.NoError(t, os.WriteFile(path, []byte(script), 0o755))
}
