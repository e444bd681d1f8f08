package task

import "strings"

// The layout of a W3C traceparent: version-trace-parent-flags, in lower-case hex.
const (
	traceparentChars = len("00-00000000000000000000000000000000-0000000000000000-00")
	forbiddenVersion = "ff"
)

// validTraceparent checks the form that version 00 of the standard defines; later versions begin with it.
func validTraceparent(s string) bool {
	parts := strings.Split(s, "-")
	if len(s) != traceparentChars || len(parts) != 4 {
		return false
	}
	version, trace, parent, flags := parts[0], parts[1], parts[2], parts[3]
	return len(version) == 2 && len(trace) == 32 && len(parent) == 16 && len(flags) == 2 &&
		isHex(strings.Join(parts, "")) && version != forbiddenVersion &&
		strings.Trim(trace, "0") != "" && strings.Trim(parent, "0") != ""
}

func isHex(s string) bool {
	return strings.Trim(s, "0123456789abcdef") == ""
}
