package embedded

// Serves shows the tests which processes of /proc the launcher takes for servers of a data directory.
func Serves(proc, data string) bool { return serves(proc, data) }
