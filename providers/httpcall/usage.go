package httpcall

import (
	"bytes"
	"unicode/utf8"

	"github.com/weirhq/weir/task"
)

// maxTokens is far above every context window: a larger count is a mistake, and its product with a price would not fit.
const maxTokens = 1_000_000_000

// Count is a count that may be absent, as 0.
func Count(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

// Metered is the usage when it can be true, and nil, which means unknown, when it contradicts itself: a negative or
// absurd count, a prompt of no tokens or characters (servers that do not count say 0), more reasoning than output.
func Metered(u task.Usage) *task.Usage {
	for _, n := range []int64{
		u.Input, u.CacheRead, u.CacheWrite5m, u.CacheWrite30m, u.CacheWrite1h, u.CacheWrite12h,
		u.InputAudio, u.InputImage, u.Output, u.Reasoning, u.OutputAudio, u.WebSearches, u.Characters,
	} {
		if n < 0 || n > maxTokens {
			return nil
		}
	}
	if u.Prompt()+u.Characters == 0 || u.Reasoning > u.Output {
		return nil
	}
	return &u
}

// credible says that the usage fits the output: a text costs at least one token, or a character of the text that it
// translates.
func credible(u task.Usage, output string) bool {
	return output == "" || u.Output+u.OutputAudio+u.Characters > 0
}

// storable says that the usage's own bytes are of a sane size and fit Postgres's jsonb, which takes neither a NUL nor
// what is not UTF-8.
func storable(raw []byte) bool {
	return len(raw) <= maxRawUsage && utf8.Valid(raw) && !bytes.Contains(raw, []byte(`\u0000`))
}
