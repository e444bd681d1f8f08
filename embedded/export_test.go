package embedded

import "runtime"

// DiesWithParent says whether this system ends a server whose parent was killed.
const DiesWithParent = runtime.GOOS == "linux"

// Alive shows the tests what the launcher takes for a live process.
func Alive(pid int) bool { return alive(pid) }
