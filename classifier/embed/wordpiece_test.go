package embed_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/classifier/embed"
)

// prompt has 128 tokens in BERT's vocabulary.
const prompt = `You are a support agent of an online shop. Read the customer's message below, decide which of the listed
departments has to answer it, and extract the order number, the article and the amount that the customer asks back, as JSON
with the keys department, order, article and amount. Use null for whatever the message does not say, and do not guess.
Departments: billing, shipping, returns, technical questions, others. Message: Hello, I ordered the blue jacket (order
4711-0815) three weeks ago and paid 129.90 for it, but you charged my card twice. Please`

var vocabulary = []string{
	"[PAD]", "[UNK]", "un", "##aff", "##able", "runn", "##ing", ",", "cafe", "naive", "你", "=", "a", "b", "##b", "ᄒ", "##ᅡ",
	"##ᆫ", "strasse", "ß",
}

func mustWordPiece(tb testing.TB, vocabulary []string) *embed.WordPiece {
	tb.Helper()
	w, err := embed.NewWordPiece(vocabulary)
	require.NoError(tb, err)
	return w
}

func names(vocabulary []string, ids []int32) string {
	tokens := make([]string, len(ids))
	for i, id := range ids {
		tokens[i] = vocabulary[id]
	}
	return strings.Join(tokens, " ")
}

func TestNewWordPiece_Refuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		vocabulary []string
		want       string
	}{
		"NoUnknown": {[]string{"a"}, "no [UNK]"},
		"Empty":     {[]string{"[UNK]", ""}, "token 1: the token is empty"},
		"Twice":     {[]string{"[UNK]", "##a", "a", "##a"}, `token 3: the token "a" is there twice`},
		"TooMany":   {make([]string, 1<<17+1), "more than 131072"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := embed.NewWordPiece(test.vocabulary)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestWordPiece_Tokens(t *testing.T) {
	t.Parallel()
	w := mustWordPiece(t, vocabulary)
	for name, test := range map[string]struct{ text, want string }{
		"Empty":            {"", ""},
		"Blank":            {" \t\r\n\u00a0\u2003", ""},
		"Pieces":           {"UNaffable, running", "un ##aff ##able , runn ##ing"},
		"Accents":          {"Café NAÏVE cafe\u0301", "cafe naive cafe"},
		"Ideographs":       {"a你b", "a 你 b"},
		"Hangul":           {"한", "ᄒ ##ᅡ ##ᆫ"},
		"ComposedSign":     {"a≠b", "a = b"},
		"SharpS":           {"ß", "ß"},
		"Emoji":            {"a😀 b", "[UNK] b"},
		"NULAndControls":   {"c\x00a\u200bf\u0085\x7fe", "cafe"},
		"InvalidUTF8":      {"caf\xff\xc3e\xe4\xbd", "cafe"},
		"UnknownWhole":     {"unx a", "[UNK] a"},
		"SpecialIsText":    {"[UNK]a", "[UNK] [UNK] [UNK] a"},
		"HundredCharacter": {"a" + strings.Repeat("b", 99), "a" + strings.Repeat(" ##b", 99)},
		"TooLongAWord":     {"a" + strings.Repeat("b", 100) + " a", "[UNK] a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, names(vocabulary, w.Tokens(nil, test.text)))
		})
	}
}

func TestWordPiece_View(t *testing.T) {
	t.Parallel()
	w := mustWordPiece(t, vocabulary)
	view := func(text string) []int32 { return w.View(nil, text) }
	whole := func(text string) []int32 { return w.Tokens(nil, text) }

	t.Run("ShortIsWhole", func(t *testing.T) {
		t.Parallel()
		text := strings.Repeat("a b ", 64)
		require.Len(t, view(text), embed.HeadTokens+embed.TailTokens)
		require.Equal(t, whole(text), view(text))
	})
	t.Run("LongIsBothEnds", func(t *testing.T) {
		t.Parallel()
		for _, text := range []string{
			strings.Repeat("cafe ", 96) + "b" + strings.Repeat(" a", 32),          // 129 tokens
			strings.Repeat("a ", 90) + strings.Repeat("b", 80) + " , cafe",        // the head ends within a word
			strings.Repeat("unaffable a", 5_000) + strings.Repeat("b ", 20) + "a", // the byte bounds hold
		} {
			all, n := whole(text), embed.HeadTokens
			want := append(all[:n:n], all[len(all)-embed.TailTokens:]...)
			require.Equal(t, names(vocabulary, want), names(vocabulary, view(text)))
		}
	})
	t.Run("BlankMiddleIsNotRead", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "a b", names(vocabulary, view("a"+strings.Repeat(" ", 1<<20)+"b")))
	})
	t.Run("TailBeginsAtAWord", func(t *testing.T) {
		t.Parallel()
		text := strings.Repeat("unaffable ", 1_000)
		for range 20 { // every offset of the cut within a word
			text += " "
			ids := view(text)
			require.NotContains(t, ids, w.Unknown())
		}
	})
	t.Run("Appends", func(t *testing.T) {
		t.Parallel()
		text := strings.Repeat("a, b ", 1_000)
		require.Equal(t, append([]int32{7, 7}, view(text)...), w.View([]int32{7, 7}, text))
	})
}

func TestWordPiece_ViewAllocatesNothing(t *testing.T) { //nolint:paralleltest // counts the process's allocations
	w := mustWordPiece(t, vocabulary)
	text := strings.Repeat("unaffable 한 café, ", 10_000)
	ids := make([]int32, 0, 1024)
	require.Zero(t, testing.AllocsPerRun(100, func() { ids = w.View(ids[:0], text) }))
}
