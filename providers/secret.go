package providers

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a provider's key. Every way of printing it prints [redacted]; the zero Secret means that no key is sent.
type Secret struct {
	// A closure, because fmt and test diffs follow strings and pointers in unexported fields, where no method is called.
	reveal func() string
}

// NewSecret wraps a key; an empty one gives the zero Secret.
func NewSecret(key string) Secret {
	if key == "" {
		return Secret{}
	}
	return Secret{reveal: func() string { return key }}
}

// Reveal is the key itself, "" for the zero Secret. Only the code that writes it into a request's header calls it.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// IsZero says that there is no key.
func (s Secret) IsZero() bool { return s.reveal == nil }

// String is [redacted].
func (s Secret) String() string { return redacted }

// GoString is [redacted].
func (s Secret) GoString() string { return redacted }

// Format writes [redacted] for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText gives [redacted].
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON gives "[redacted]".
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// LogValue is [redacted].
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
