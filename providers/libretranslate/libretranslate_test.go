package libretranslate_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/libretranslate"
	"github.com/weirhq/weir/providers/providertest"
	"github.com/weirhq/weir/task"
)

// sent is the suite's text, whose characters are the usage: the API has none of its own.
const sent = "Number 7, café \u2028 \\ \x00 \U0001F4E6"

func usage() *task.Usage { return &task.Usage{Characters: int64(utf8.RuneCountInString(sent))} }

func TestConformance(t *testing.T) {
	t.Parallel()
	reply := providers.Reply{Output: "Where?", Stop: providers.StopEnd, Usage: usage()}
	empty := reply
	empty.Output = ""
	nothing := providers.Reply{Stop: providers.StopOther}
	providertest.Run(t, providertest.Suite{
		New:         libretranslate.New,
		Translation: true,
		KeyField:    "api_key",
		Good:        `{"translatedText":"Where?"}`,
		Output:      "Where?",
		Usage:       *usage(),
		Answers: []providertest.Answer{
			{Name: "Detected", Body: `{"detectedLanguage":{"confidence":92.0,"language":"de"},"translatedText":"Where?"}`, Want: reply},
			{Name: "Alternatives", Body: `{"alternatives":["Where to?"],"translatedText":"Where?"}`, Want: reply},
			{Name: "Empty", Body: `{"translatedText":""}`, Want: empty},
			{Name: "Null", Body: `{"translatedText":null}`, Want: nothing, Class: task.FailMalformed},
			{Name: "ManyTexts", Body: `{"translatedText":["Where?"]}`, Want: nothing, Class: task.FailMalformed},
			{Name: "ErrorInside", Body: `{"error":"Cannot translate text: out of memory"}`, Want: nothing, Class: task.FailServer},
			{Name: "LanguageInside", Body: `{"error":"xx is not supported"}`, Want: nothing, Class: task.FailRefusal},
		},
		Refusals: []providertest.Refusal{
			{Name: "TooLong", Status: 400, Body: `{"error":"Invalid request: request (5200) exceeds text limit (5000)"}`, Class: task.FailTooLong, Message: "5000"},
			{Name: "NoKey", Status: 400, Body: `{"error":"Visit https://portal.example.com to get an API key"}`, Class: task.FailAuth},
			{Name: "WrongKey", Status: 403, Body: `{"error":"Invalid API key"}`, Class: task.FailAuth},
			{Name: "Banned", Status: 403, Body: `{"error":"Too many request limits violations"}`, Class: task.FailRateLimited},
			{Name: "Slowdown", Status: 429, Body: `{"error":"Slowdown: 10 per 1 minute"}`, Class: task.FailRateLimited},
			{Name: "Language", Status: 400, Body: `{"error":"tlh is not supported"}`, Class: task.FailRefusal},
			{Name: "Pair", Status: 400, Body: `{"error":"Korean (ko) is not available as a target language from Irish (ga)"}`, Class: task.FailRefusal},
			{Name: "BadRequest", Status: 400, Body: `{"error":"Invalid request: missing q parameter"}`, Class: task.FailBadRequest},
			{Name: "Internal", Status: 500, Body: `{"error":"Cannot translate text: out of memory"}`, Class: task.FailServer},
		},
	})
}

func TestPrepare(t *testing.T) {
	t.Parallel()
	p, err := libretranslate.New(providers.Config{})
	require.NoError(t, err)
	for _, tc := range []struct {
		translate providers.Translate
		want      string
	}{
		{providers.Translate{Target: "en"}, `{"source":"auto","target":"en","format":"text","q":"x"}`},
		{providers.Translate{Source: "DE", Target: "en-US"}, `{"source":"de","target":"en","format":"text","q":"x"}`},
		{providers.Translate{Source: "pt-PT", Target: "pt-BR"}, `{"source":"pt","target":"pt-br","format":"text","q":"x"}`},
		{providers.Translate{Source: "zh", Target: "zh-Hant"}, `{"source":"zh","target":"zh-hant","format":"text","q":"x"}`},
	} {
		request, err := p.Prepare(providers.Call{
			Model: "nllb", Messages: []task.Message{{Role: "user", Content: "x"}}, Translate: &tc.translate,
		})
		require.NoError(t, err)
		require.Equal(t, tc.want, string(request.Body))
	}
}

func TestDo_URL(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- r.RequestURI + string(body)
		_, _ = io.WriteString(w, `{"translatedText":"y"}`)
	}))
	t.Cleanup(server.Close)
	p, err := libretranslate.New(providers.Config{BaseURL: server.URL, Key: providers.NewSecret(`a"b`), AllowPrivate: true})
	require.NoError(t, err)
	request, err := p.Prepare(providers.Call{
		Model: "nllb", Messages: []task.Message{{Role: "user", Content: "x"}}, Translate: &providers.Translate{Target: "en"},
	})
	require.NoError(t, err)
	reply, err := p.Do(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, `/translate{"source":"auto","target":"en","format":"text","q":"x","api_key":"a\"b"}`, <-got)
	require.Equal(t, &task.Usage{Characters: 1}, reply.Usage)
}
