package main

import "runtime/debug"

// gcPercent is how far the heap of a running node may grow between two collections, in percent of what lives. At Go's own
// 100 a busy node collects several times a second; this costs up to some hundred MiB and gives 7 % more throughput
// (docs/performance.md).
const gcPercent = 400

// relaxGC applies gcPercent unless GOGC, which the Go runtime reads by itself, says otherwise.
func relaxGC(getenv func(string) string) {
	if getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
