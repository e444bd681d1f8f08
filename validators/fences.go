package validators

import "strings"

// StripFences takes the code fence off an answer that is one fenced block and nothing else, and returns any other answer
// as it is. The fence is three or more backticks or tildes, with an optional language after the first one.
func StripFences(s string) string {
	text := strings.TrimSpace(s)
	fence := openingFence(text)
	if fence == "" {
		return s
	}
	info, body, found := strings.Cut(text[len(fence):], "\n")
	if !found || strings.ContainsAny(info, "`~") {
		return s
	}
	inside, closed := strings.CutSuffix(body, fence)
	if !closed || (inside != "" && !strings.HasSuffix(inside, "\n")) || hasFenceLine(inside, fence) {
		return s
	}
	return strings.TrimSpace(inside)
}

// openingFence is the run of fence characters that a text begins with, or nothing.
func openingFence(text string) string {
	const least = 3
	for _, c := range []string{"`", "~"} {
		run := text[:len(text)-len(strings.TrimLeft(text, c))]
		if len(run) >= least {
			return run
		}
	}
	return ""
}

// hasFenceLine tells whether the block ends before its end, so that the text holds more than one block.
func hasFenceLine(inside, fence string) bool {
	for line := range strings.Lines(inside) {
		if strings.HasPrefix(strings.TrimSpace(line), fence) {
			return true
		}
	}
	return false
}
