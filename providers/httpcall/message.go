package httpcall

import (
	"bytes"
	"cmp"
	"fmt"
	"mime"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/task"
)

const (
	maxMessage = 500 // characters
	maxLabel   = 128 // characters
	maxScanned = 16 << 10
	redacted   = "[redacted]"
)

// secretsOf are what no message may hold: the key and the values of extra headers, longest first, because one may be a
// part of another. Of a value with a scheme before it, such as Bearer, what follows is a secret by itself.
func secretsOf(cfg providers.Config) []providers.Secret {
	values := []string{cfg.Key.Reveal()}
	for _, value := range cfg.Headers {
		values = append(values, value.Reveal())
		if _, after, found := strings.Cut(value.Reveal(), " "); found {
			values = append(values, strings.TrimSpace(after))
		}
	}
	slices.SortFunc(values, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	var secrets []providers.Secret
	for _, value := range values {
		if value != "" {
			secrets = append(secrets, providers.NewSecret(value))
		}
	}
	return secrets
}

// safe makes a provider's words fit to store and to show: no key, no control characters, at most 500 characters.
func (c *Client) safe(message string) string {
	if len(message) > maxScanned {
		message = message[:maxScanned]
	}
	for _, secret := range c.secrets {
		message = strings.ReplaceAll(message, secret.Reveal(), redacted)
	}
	return shorten(redactKeys(message), maxMessage)
}

// redactKeys blanks words that look like a key, because some providers repeat a part of the one they were sent.
func redactKeys(message string) string {
	if !strings.Contains(message, "sk-") {
		return message
	}
	var out strings.Builder
	for {
		before, after, found := strings.Cut(message, "sk-")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		if inWord(before) { // "task-42" is not a key
			out.WriteString("sk-")
			message = after
			continue
		}
		out.WriteString(redacted)
		message = strings.TrimLeftFunc(after, isKeyChar)
	}
}

func inWord(before string) bool {
	last, _ := utf8.DecodeLastRuneInString(before)
	return unicode.IsLetter(last) || unicode.IsDigit(last)
}

func isKeyChar(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_' || r == '*' || r == '.'
}

// label bounds a name in a provider's answer, such as a model's.
func label(s string) string {
	if len(s) > 4*maxLabel {
		s = s[:4*maxLabel]
	}
	return shorten(s, maxLabel)
}

// shorten gives valid UTF-8 of at most limit characters without control characters.
func shorten(s string, limit int) string {
	if plain(s, limit) {
		return s
	}
	var out strings.Builder
	for _, r := range s {
		if limit == 0 {
			break
		}
		if unicode.IsControl(r) {
			r = ' '
		}
		out.WriteRune(r) // an invalid byte has become U+FFFD
		limit--
	}
	return strings.TrimSpace(out.String())
}

func plain(s string, limit int) bool {
	if len(s) > limit {
		return false
	}
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// Garbled is the fault of an answer that is not what the wire format says. The answer's beginning is quoted only when it
// is no JSON, such as a proxy's page: JSON is the model's answer, which belongs into no error text.
func Garbled(a Answer, reason string) Fault {
	media, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type"))
	message := fmt.Sprintf("%s (%d bytes of %s)", reason, len(a.Body), orUnknown(label(media)))
	body := bytes.TrimSpace(a.Body)
	if len(body) > 0 && body[0] != '{' && body[0] != '[' {
		message += ": " + string(body[:min(len(body), 4*maxMessage)])
	}
	return Fault{Class: task.FailMalformed, Message: message}
}

// Unexplained is the message of a failure whose body holds none that the wire format knows.
func Unexplained(a Answer) string {
	body := bytes.TrimSpace(a.Body)
	if len(body) == 0 {
		return "no explanation"
	}
	return string(body[:min(len(body), maxScanned)])
}

// Mentions says that a provider's message contains one of the phrases, which are in lower case. It is for what the
// provider's codes do not tell.
func Mentions(message string, phrases ...string) bool {
	message = strings.ToLower(message[:min(len(message), maxScanned)])
	return slices.ContainsFunc(phrases, func(phrase string) bool { return strings.Contains(message, phrase) })
}

func orUnknown(media string) string {
	if media == "" {
		return "unknown type"
	}
	return media
}
