package embedded_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/embedded"
)

func TestServes(t *testing.T) {
	t.Parallel()
	const data = "/var/lib/weir/pg/data"
	for _, tt := range []struct {
		name    string
		program string
		cwd     string // "": it may not be read
		args    []string
		want    bool
	}{
		{name: "Postmaster", program: "postgres", cwd: data, args: []string{"postgres", "-D", data}, want: true},
		{name: "Backend", program: "postgres", cwd: data, args: []string{"postgres: weir: walwriter"}, want: true},
		{name: "OfAnotherCluster", program: "postgres", cwd: data + "2", args: []string{"postgres", "-D", data + "2"}},
		{name: "AShellInTheDirectory", program: "bash", cwd: data, args: []string{"bash"}},
		{name: "CwdHidden", program: "postgres", args: []string{"postgres", "-D", data, "-c", "port=5432"}, want: true},
		{name: "CwdHiddenOfAnotherCluster", program: "postgres", args: []string{"postgres", "-D", data + "2"}},
		{name: "CwdHiddenOfABackend", program: "postgres", args: []string{"postgres: weir: walwriter"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			proc := t.TempDir()
			args := strings.Join(tt.args, "\x00") + "\x00"
			require.NoError(t, os.WriteFile(filepath.Join(proc, "comm"), []byte(tt.program+"\n"), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(proc, "cmdline"), []byte(args), 0o600))
			if tt.cwd != "" {
				require.NoError(t, os.Symlink(tt.cwd, filepath.Join(proc, "cwd")))
			}

			require.Equal(t, tt.want, embedded.Serves(proc, data))
		})
	}
}
