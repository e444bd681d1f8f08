package tokens_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"github.com/tiktoken-go/tokenizer/codec"

	"github.com/weirhq/weir/tokens"
)

const english = "The customer's order #4711 arrived late; she asks for 12.50 EUR back, and for an apology. "

// hard are the pieces of texts that are tokenized unlike English.
func hard() []string {
	return []string{
		" ", "  ", "\n", "\r\n", "\t", "a", "Z", "word", "Wörter", "'s", "'LL", "'", "’", "12", "3", "½", "٣", "中文字", "。", "ा",
		"हिन्दी", "e\u0301", "\u0300", "ſ", "K", "\x00", "!", "/", "//\n", "==", "👩‍👩‍👧", "\u00a0", "\u2028", "\u3000", "ǅ", "ʰ",
		"<|endoftext|>", "func(x int) {", "zq", "\ufffd", "\x7f",
	}
}

func randomText(random *rand.Rand, bytes int) string {
	pieces := hard()
	few := pieces[random.IntN(len(pieces)):]
	var text strings.Builder
	for text.Len() < bytes {
		from := pieces
		if random.IntN(2) == 0 {
			from = few
		}
		piece := from[random.IntN(len(from))]
		text.WriteString(strings.Repeat(piece, 1+random.IntN(3)*random.IntN(60)))
	}
	return text.String()
}

// check holds a text to everything that the package promises.
func check(tb testing.TB, counter *tokens.Counter, text string) {
	tb.Helper()
	want, err := codec.NewO200kBase().Count(strings.ReplaceAll(text, "\x7f", "\x01"))
	require.NoError(tb, err)
	got := counter.Count(text)
	require.Equal(tb, int64(want), got, "in parts as in one")
	size := tokens.Bound(text)
	require.LessOrEqual(tb, size.Least, got)
	require.GreaterOrEqual(tb, size.Most, got)
	require.LessOrEqual(tb, size.Least, size.About)
	require.GreaterOrEqual(tb, size.Most, size.About)

	half := len(text) / 2
	for half > 0 && !utf8.RuneStart(text[half]) {
		half--
	}
	texts := []string{text[:half], text[half:], ""}
	exact := counter.Count(texts[0]) + counter.Count(texts[1]) + 7
	last := tokens.Size{Most: 1 << 40}
	all := counter.Narrow(tokens.Exactly(7), texts, func(s tokens.Size) bool {
		require.LessOrEqual(tb, s.Least, exact)
		require.GreaterOrEqual(tb, s.Most, exact)
		require.LessOrEqual(tb, s.Least, s.About)
		require.GreaterOrEqual(tb, s.Most, s.About)
		require.GreaterOrEqual(tb, s.Least, last.Least, "never wider than before")
		require.LessOrEqual(tb, s.Most, last.Most)
		last = s
		return false
	})
	require.Equal(tb, tokens.Exactly(exact), all)
}

func TestBounds_Hold(t *testing.T) {
	t.Parallel()
	counter := tokens.NewCounter()
	random := rand.New(rand.NewPCG(41, 200))
	for range 300 {
		check(t, counter, randomText(random, random.IntN(300)))
	}
	for range 30 {
		check(t, counter, randomText(random, 4000+random.IntN(20_000)))
	}
	for _, piece := range hard() {
		check(t, counter, strings.Repeat(piece, 10_000/len(piece)))
	}
}

func FuzzBounds(f *testing.F) {
	counter := tokens.NewCounter()
	for _, piece := range hard() {
		f.Add(piece, 1)
		f.Add(english+piece+english, 90)
	}
	f.Fuzz(func(t *testing.T, text string, times int) {
		if !utf8.ValidString(text) || text == "" {
			return
		}
		check(t, counter, strings.Repeat(text, max(1, min(times, 20_000/len(text)))))
	})
}

// Each token of the vocabulary is from 1 to 128 bytes long, so no text of n bytes has more than n tokens, or fewer than
// n/128; and the bound is no wider than it has to be.
func TestBound_IsTheVocabularys(t *testing.T) {
	t.Parallel()
	vocabulary, known, longest := codec.NewO200kBase(), 0, 0
	for id := range uint(199_998) {
		text, err := vocabulary.Decode([]uint{id})
		require.NoError(t, err)
		require.NotEmpty(t, text)
		known, longest = known+1, max(longest, len(text))
	}
	require.Equal(t, 199_998, known)
	spaces := strings.Repeat(" ", longest)
	require.Equal(t, int64(1), tokens.NewCounter().Count(spaces))
	require.Equal(t, int64(1), tokens.Bound(spaces).Least)
	require.Equal(t, int64(2), tokens.Bound(spaces+" ").Least)
	require.Zero(t, tokens.Bound(""))
}

func TestCounter_Count(t *testing.T) {
	t.Parallel()
	tests := []struct {
		give string
		want int64
	}{
		{"", 0},
		{"hello world", 2},
		{"1234567", 3},
		{strings.Repeat("\u0300", 3), 3},
		{"<|endoftext|>", 7}, // as text
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, tokens.NewCounter().Count(tt.give), tt.give)
	}
}

func TestCounter_CountLeavesNothingOut(t *testing.T) {
	t.Parallel()
	counter := tokens.NewCounter()
	for r := range rune(0x20000) {
		if utf8.ValidRune(r) {
			require.Positive(t, counter.Count(string(r)), "%U", r)
		}
	}
}

func TestCounter_NarrowStops(t *testing.T) {
	t.Parallel()
	counter := tokens.NewCounter()
	text := strings.Repeat(english, 1000)
	never := counter.Narrow(tokens.Size{}, []string{text}, func(tokens.Size) bool { return true })
	require.Equal(t, tokens.Bound(text), never, "bytes are enough: nothing is counted")

	calls := 0
	limit := int64(len(text)) * 9 / 10
	some := counter.Narrow(tokens.Size{}, []string{text}, func(s tokens.Size) bool {
		calls++
		return s.Most <= limit
	})
	require.LessOrEqual(t, some.Most, limit)
	require.Less(t, some.Least, some.Most, "the rest is not counted")
	require.Less(t, calls, 6, "%d bytes in parts of 4 KiB", len(text))
}

func BenchmarkCount(b *testing.B) {
	counter := tokens.NewCounter()
	for _, kib := range []int{1, 100} {
		text := strings.Repeat(english, kib<<10/len(english)+1)[:kib<<10]
		b.Run(fmt.Sprintf("%dKiB", kib), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				counter.Count(text)
			}
		})
	}
}

func BenchmarkBound(b *testing.B) {
	for _, kib := range []int{1, 100} {
		text := strings.Repeat(english, kib<<10/len(english)+1)[:kib<<10]
		b.Run(fmt.Sprintf("%dKiB", kib), func(b *testing.B) {
			for b.Loop() {
				tokens.Bound(text)
			}
		})
	}
}
