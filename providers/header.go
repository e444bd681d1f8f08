package providers

import (
	"net/http"
	"strings"
)

// IsHeaderName says whether a name can be that of an HTTP header: letters, digits and a few marks, at most 128.
func IsHeaderName(name string) bool {
	if name == "" || len(name) > maxHeaderName {
		return false
	}
	for _, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return true
}

const maxHeaderName = 128

// ReservedHeader says that a header is part of how weir sends a request, so that nothing else may set it.
func ReservedHeader(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case AttemptHeader, "Accept", "Accept-Encoding", "Connection", "Content-Encoding", "Content-Length", "Content-Type",
		"Expect", "Host", "Idempotency-Key", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade", "User-Agent", "X-Idempotency-Key":
		return true
	}
	return false
}
