//go:build !linux

package embedded

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// serversOf lists the postmaster that postmaster.pid names, once it has answered on its socket that it serves data. A
// live process that does not answer may be anybody's, so it is not touched and the start is refused.
func serversOf(ctx context.Context, data string, file pidFile) ([]int, error) {
	if file.pid == 0 || !alive(file.pid) {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	served, err := servedBy(ctx, file.socketDir)
	if !alive(file.pid) {
		return nil, nil
	}
	if err != nil || served != data {
		return nil, fmt.Errorf("%s/postmaster.pid names the live process %d, which does not answer as its server: "+
			"remove the file if that process is not Postgres", data, file.pid)
	}
	return []int{file.pid}, nil
}

// servedBy is the data directory of the server whose socket is in socketDir.
func servedBy(ctx context.Context, socketDir string) (string, error) {
	conn, err := pgx.Connect(ctx, socketDSN(socketDir, maintenanceDatabase))
	if err != nil {
		return "", err
	}
	var data string
	err = conn.QueryRow(ctx, "SHOW data_directory").Scan(&data)
	// The answer is already read; how the connection ends changes nothing.
	_ = conn.Close(ctx)
	return data, err
}

// alive reports whether a process has the number pid.
func alive(pid int) bool {
	return syscall.Kill(pid, 0) == nil
}
