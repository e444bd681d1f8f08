package embedded

import (
	"maps"
	"slices"
)

// serverArgs are the arguments of the postgres program: weir's settings, then the caller's, then those the launcher
// itself depends on. Of two values for one setting the last counts.
func serverArgs(data, socketDir string, extra map[string]string) []string {
	settings := defaultSettings()
	maps.Copy(settings, extra)
	maps.Copy(settings, map[string]string{
		"listen_addresses":        "",
		"port":                    socketPort,
		"unix_socket_directories": socketDir,
		"unix_socket_permissions": "0700",
		"logging_collector":       "off",
		"log_destination":         "stderr",
	})
	args := []string{"-D", data}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	return args
}

// defaultSettings suit one weir on a laptop or a small server with a solid state disk.
func defaultSettings() map[string]string {
	return map[string]string{
		"shared_buffers":  "256MB",
		"max_connections": "100",
		// Fewer checkpoints mean fewer full pages in the log, and weir's rows change a few times soon after their insert.
		"max_wal_size":       "2GB",
		"checkpoint_timeout": "15min",
		// pglz, because lz4 is a choice of whoever built the server.
		"wal_compression":    "on",
		"random_page_cost":   "1.1",
		"jit":                "off",
		"autovacuum_naptime": "15s",
		"timezone":           "UTC",
		"log_timezone":       "UTC",
		// The log must not show what is in the rows: no statements of failed calls, no values, no details of a
		// violated constraint.
		"log_line_prefix":             "",
		"log_error_verbosity":         "terse",
		"log_min_error_statement":     "panic",
		"log_parameter_max_length":    "0",
		"log_min_duration_statement":  "500ms",
		"log_checkpoints":             "off",
		"log_autovacuum_min_duration": "-1",
		"cluster_name":                "weir",
	}
}
