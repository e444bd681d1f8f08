package deepl_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/deepl"
	"github.com/weirhq/weir/providers/providertest"
	"github.com/weirhq/weir/task"
)

// body is an answer with one translation, whose fields after the source language are given as JSON.
func body(fields string) string {
	return `{"translations":[{"detected_source_language":"DE",` + fields + `}]}`
}

const good = `"text":"Where is my parcel?","billed_characters":21,"model_type_used":"quality_optimized"`

func TestConformance(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Suite{
		New:         deepl.New,
		Translation: true,
		KeyHeader:   "Authorization",
		KeyPrefix:   "DeepL-Auth-Key ",
		Good:        body(good),
		Output:      "Where is my parcel?",
		Usage:       task.Usage{Characters: 21},
		Answers:     answers(),
		Refusals:    refusals(),
	})
}

func answers() []providertest.Answer {
	whole := providers.Reply{
		Output: "Where is my parcel?", Model: "quality_optimized", Stop: providers.StopEnd,
		Usage: &task.Usage{Characters: 21}, RawUsage: json.RawMessage(`{"billed_characters":21}`),
	}
	unnamed := whole
	unnamed.Model = ""
	unmetered := unnamed
	unmetered.Usage, unmetered.RawUsage = nil, nil
	billed := func(raw string) providers.Reply {
		reply := unmetered
		reply.RawUsage = json.RawMessage(`{"billed_characters":` + raw + `}`)
		return reply
	}
	empty := unnamed
	empty.Output = ""
	textless := empty
	nothing := providers.Reply{Stop: providers.StopOther}
	const text = `"text":"Where is my parcel?"`
	return []providertest.Answer{
		{Name: "Whole", Body: body(good), Want: whole},
		{Name: "WithoutAModel", Body: body(text + `,"billed_characters":21`), Want: unnamed},
		{Name: "NewFields", Body: body(text + `,"billed_characters":21,"new":[{}]`), Want: unnamed},
		{Name: "EmptyText", Body: body(`"text":"","billed_characters":21`), Want: empty},
		{Name: "NotBilled", Body: body(text), Want: unmetered},
		{Name: "BilledNull", Body: body(text + `,"billed_characters":null`), Want: unmetered},
		{Name: "BilledNothing", Body: body(text + `,"billed_characters":0`), Want: billed("0")},
		{Name: "BilledLessThanNothing", Body: body(text + `,"billed_characters":-1`), Want: billed("-1")},
		{Name: "BilledInWords", Body: body(text + `,"billed_characters":"21"`), Want: billed(`"21"`)},
		{Name: "BilledAFraction", Body: body(text + `,"billed_characters":21.5`), Want: billed("21.5")},
		{Name: "BilledAbsurdly", Body: body(text + `,"billed_characters":9223372036854775807`), Want: billed("9223372036854775807")},
		{Name: "BilledWithoutAText", Body: body(`"billed_characters":21`), Want: textless, Class: task.FailMalformed},
		{Name: "NoTranslation", Body: `{"translations":[]}`, Want: nothing, Class: task.FailMalformed},
		{Name: "TwoTranslations", Body: `{"translations":[{` + good + `},{` + good + `}]}`, Want: nothing, Class: task.FailMalformed},
		{Name: "ErrorInside", Body: `{"message":"Internal error"}`, Want: nothing, Class: task.FailMalformed},
	}
}

func refusals() []providertest.Refusal {
	soon := map[string]string{"Retry-After": "20"}
	return []providertest.Refusal{
		{Name: "Quota", Status: 456, Body: `{"message":"Quota Exceeded"}`, Class: task.FailQuota, Message: "Quota"},
		{Name: "QuotaWithoutWords", Status: 456, Body: "", Class: task.FailQuota, Message: "no explanation"},
		{Name: "TooManyRequests", Status: 429, Body: `{"message":"Too many requests"}`, Class: task.FailRateLimited},
		{Name: "Wait", Status: 429, Header: soon, Body: `{"message":"Too many requests"}`, Class: task.FailRateLimited, RetryAfter: 20 * time.Second},
		{Name: "HighLoad", Status: 529, Body: `{"message":"Too many requests"}`, Class: task.FailOverloaded},
		{Name: "Unavailable", Status: 503, Body: `{"message":"Resource currently unavailable"}`, Class: task.FailOverloaded},
		{Name: "TooLarge", Status: 413, Body: `{"message":"Request Entity Too Large"}`, Class: task.FailTooLong},
		{Name: "Key", Status: 403, Body: "", Class: task.FailAuth},
		{Name: "Glossary", Status: 404, Body: `{"message":"Glossary not found"}`, Class: task.FailNotFound},
		{Name: "BadRequest", Status: 400, Body: `{"message":"Bad request","detail":"Value for 'target_lang' not supported."}`, Class: task.FailBadRequest, Message: "Bad request: Value for 'target_lang'"},
		{Name: "OnlyDetail", Status: 400, Body: `{"detail":"Value for 'formality' not supported."}`, Class: task.FailBadRequest, Message: "formality"},
		{Name: "Internal", Status: 500, Body: `{"message":"Internal error"}`, Class: task.FailServer},
	}
}

func TestPrepare(t *testing.T) {
	t.Parallel()
	p, err := deepl.New(providers.Config{})
	require.NoError(t, err)
	call := providers.Call{
		Model: deepl.DefaultModel, Messages: []task.Message{{Role: "user", Content: "Wo ist \"mein\" Paket?\n"}},
		Translate: &providers.Translate{Target: "en-gb"},
	}
	request, err := p.Prepare(call)
	require.NoError(t, err)
	require.Empty(t, request.Path)
	require.JSONEq(t, `{"target_lang":"EN-GB","show_billed_characters":true,"text":["Wo ist \"mein\" Paket?\n"]}`, string(request.Body))

	call.Model = "prefer_quality_optimized"
	call.Translate = &providers.Translate{Source: "de", Target: "pt-br", Formality: "prefer_more", Glossary: "def3a26b"}
	request, err = p.Prepare(call)
	require.NoError(t, err)
	require.JSONEq(t, `{"source_lang":"DE","target_lang":"PT-BR","formality":"prefer_more","glossary_id":"def3a26b",
		"model_type":"prefer_quality_optimized","show_billed_characters":true,"text":["Wo ist \"mein\" Paket?\n"]}`, string(request.Body))
}

func TestDo_URL(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.RequestURI
		w.Header().Set("X-Trace-ID", "501c2b93")
		_, _ = io.WriteString(w, body(good))
	}))
	t.Cleanup(server.Close)
	p, err := deepl.New(providers.Config{BaseURL: server.URL + "/proxy/", AllowPrivate: true})
	require.NoError(t, err)
	request, err := p.Prepare(providers.Call{
		Model: deepl.DefaultModel, Messages: []task.Message{{Role: "user", Content: "x"}},
		Translate: &providers.Translate{Target: "en"},
	})
	require.NoError(t, err)
	reply, err := p.Do(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, "/proxy/v2/translate", <-got)
	require.Equal(t, "501c2b93", reply.RequestID)
}

func TestIsFree(t *testing.T) {
	t.Parallel()
	require.True(t, deepl.IsFree(providers.NewSecret("279a2e9d-83b3-c416-7e2d-f721593e42a0:fx")))
	require.False(t, deepl.IsFree(providers.NewSecret("279a2e9d-83b3-c416-7e2d-f721593e42a0")))
	require.False(t, deepl.IsFree(providers.Secret{}))
}
