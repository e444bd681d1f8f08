package httpcall

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/weirhq/weir/providers"
)

// AppendString appends s as a JSON string. What is not UTF-8 becomes U+FFFD; nothing is escaped that need not be.
func AppendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[start:i]...), "\ufffd"...)
				start = i + size
			}
			i += size
			continue
		}
		if c < ' ' || c == '"' || c == '\\' {
			dst = append(dst, s[start:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, '\\', 'n')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
			}
			start = i + 1
		}
		i++
	}
	return append(append(dst, s[start:]...), '"')
}

// AppendObject appends a JSON object byte for byte, so that equal ones stay equal for a prompt cache. The error wraps
// providers.ErrCall when raw is no JSON object.
func AppendObject(dst []byte, raw json.RawMessage) ([]byte, error) {
	if object := bytes.TrimSpace(raw); len(object) == 0 || object[0] != '{' || !json.Valid(object) {
		return nil, fmt.Errorf("%w: a schema is no JSON object", providers.ErrCall)
	}
	return append(dst, raw...), nil
}
