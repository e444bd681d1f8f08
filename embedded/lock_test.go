package embedded_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/embedded"
)

func TestLock(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "by", "lock")
	lock, err := embedded.Lock(dir)
	require.NoError(t, err)

	_, err = embedded.Lock(dir)
	require.ErrorIs(t, err, embedded.ErrLocked)
	require.ErrorContains(t, err, dir)

	require.NoError(t, lock.Close())
	lock, err = embedded.Lock(dir)
	require.NoError(t, err)
	require.NoError(t, lock.Close())
}

func TestDefaultDir(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		euid    int
		xdg     string
		home    string
		want    string
		wantErr bool
	}{
		{name: "Root", euid: 0, xdg: "/root/xdg", home: "/root", want: "/var/lib/weir"},
		{name: "XDG", euid: 1000, xdg: "/data", home: "/home/ann", want: "/data/weir"},
		{name: "RelativeXDGIsIgnored", euid: 1000, xdg: "data", home: "/home/ann", want: "/home/ann/.local/share/weir"},
		{name: "Home", euid: 1000, home: "/home/ann", want: "/home/ann/.local/share/weir"},
		{name: "Nothing", euid: 1000, wantErr: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := embedded.DefaultDir(tt.euid, tt.xdg, tt.home)
			require.Equal(t, tt.wantErr, err != nil, "%v", err)
			require.Equal(t, tt.want, got)
		})
	}
}
