package sim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/deepl"
	"github.com/weirhq/weir/providers/libretranslate"
	"github.com/weirhq/weir/providers/sim"
	"github.com/weirhq/weir/task"
)

// service is a client of a translation service and the model that it asks for.
type service struct {
	providers.Provider
	model string
}

func services(t *testing.T, s *sim.Server, key string) map[string]service {
	t.Helper()
	cfg := providers.Config{BaseURL: s.URL(), Key: providers.NewSecret(key), AllowPrivate: true}
	d, err := deepl.New(cfg)
	require.NoError(t, err)
	l, err := libretranslate.New(cfg)
	require.NoError(t, err)
	return map[string]service{"deepl": {d, "deepl"}, "libretranslate": {l, "nllb"}}
}

func (s service) ask(t *testing.T, target, text string) (providers.Reply, error) {
	t.Helper()
	request, err := s.Prepare(providers.Call{
		AttemptID: uuid.New(), Model: s.model, Messages: []task.Message{{Role: task.RoleUser, Content: text}},
		Translate: &providers.Translate{Target: target},
	})
	require.NoError(t, err)
	return s.Do(t.Context(), request)
}

func TestTranslate_BillsCharacters(t *testing.T) {
	t.Parallel()
	for name := range map[string]bool{"deepl": true, "libretranslate": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, fast(1))
			client := services(t, s, "")[name]
			var total int64
			for i, text := range []string{"Wo ist mein Paket?", "深い山 \U0001F4E6", strings.Repeat("x", 5000)} {
				reply, err := client.ask(t, "en", text)
				require.NoError(t, err)
				require.Equal(t, &task.Usage{Characters: int64(utf8.RuneCountInString(text))}, reply.Usage)
				entry := s.Ledger()[i]
				require.Equal(t, name, entry.API)
				require.Equal(t, name, entry.Model)
				require.Equal(t, *reply.Usage, entry.Usage, "the client was told what was billed")
				total += entry.Usage.Characters
			}
			require.Equal(t, task.Usage{Characters: total}, s.Stats().Models[name].Usage)
		})
	}
}

func TestTranslate_Answer(t *testing.T) {
	t.Parallel()
	right := sim.ModelProfile{Skill: 10_000}
	models := map[string]sim.ModelProfile{"deepl": right, "libretranslate": right}
	s := start(t, sim.Config{Seed: 1, Instant: true, Models: models})
	const text = "Wo ist Paket 4711? Paket, paket!"
	for name, client := range services(t, s, "") {
		english, err := client.ask(t, "en", text)
		require.NoError(t, err)
		again, err := client.ask(t, "en", text)
		require.NoError(t, err)
		require.Equal(t, english.Output, again.Output)
		words := strings.FieldsFunc(english.Output, func(r rune) bool { return r == ' ' || r == '?' || r == ',' || r == '!' })
		require.Len(t, words, 6, name)
		require.Equal(t, "4711", words[3], "what is no word stays")
		require.Equal(t, words[2], words[4], "a word is always the same one")
		require.Equal(t, strings.ToLower(words[4]), words[5])
		require.NotEqual(t, "Paket", words[2])
		russian, err := client.ask(t, "ru", text)
		require.NoError(t, err)
		require.Regexp(t, `^[\p{Cyrillic}0-9 ?,!]+$`, russian.Output)
		require.Regexp(t, `^[\p{Latin}0-9 ?,!]+$`, english.Output)
	}
}

func TestTranslate_Failures(t *testing.T) {
	t.Parallel()
	const text = "Wo ist mein Paket?"
	for _, tc := range []struct {
		name    string
		profile sim.ModelProfile
		played  sim.Played
		check   func(t *testing.T, output string)
	}{
		{"Malformed", sim.ModelProfile{Skill: 10_000, Malformed: 1000}, sim.PlayedMalformed, func(t *testing.T, output string) {
			t.Helper()
			require.Equal(t, text, output, "it comes back as it was")
		}},
		{"Off", sim.ModelProfile{Skill: 10_000, Wrong: 1000, OffEnum: 1000}, sim.PlayedOff, func(t *testing.T, output string) {
			t.Helper()
			require.Less(t, len(output), len(text)*2/3, "its end is missing")
		}},
		{"Wrong", sim.ModelProfile{Skill: 10_000, Wrong: 1000}, sim.PlayedWrong, func(t *testing.T, output string) {
			t.Helper()
			require.Len(t, strings.Fields(output), 4)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, sim.Config{Seed: 1, Instant: true, Models: map[string]sim.ModelProfile{"deepl": tc.profile}})
			reply, err := services(t, s, "")["deepl"].ask(t, "en", text)
			require.NoError(t, err)
			tc.check(t, reply.Output)
			require.Equal(t, tc.played, s.Ledger()[0].Played)
			require.EqualValues(t, 18, reply.Usage.Characters, "it is billed all the same")
		})
	}
}

func TestTranslate_Faults(t *testing.T) {
	t.Parallel()
	for fault, classes := range map[sim.Fault][2]task.FailureClass{
		sim.FaultServer:       {task.FailServer, task.FailServer},
		sim.FaultUnavailable:  {task.FailOverloaded, task.FailOverloaded},
		sim.FaultOverloaded:   {task.FailOverloaded, task.FailOverloaded},
		sim.FaultRateLimit:    {task.FailRateLimited, task.FailRateLimited},
		sim.FaultQuota:        {task.FailQuota, task.FailRateLimited}, // LibreTranslate has no quota but its pace
		sim.FaultUnauthorized: {task.FailAuth, task.FailAuth},
		sim.FaultHTML:         {task.FailMalformed, task.FailMalformed},
	} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			cfg := fast(1)
			cfg.Scripts = []sim.Script{{Fault: fault}}
			s := start(t, cfg)
			for i, name := range []string{"deepl", "libretranslate"} {
				_, err := services(t, s, "")[name].ask(t, "en", "x")
				var failed *providers.CallError
				require.ErrorAs(t, err, &failed)
				require.Equal(t, classes[i], failed.Class, name)
				require.Zero(t, s.Ledger()[i].Usage)
			}
		})
	}
	t.Run("NoUsage", func(t *testing.T) {
		t.Parallel()
		cfg := fast(1)
		cfg.Scripts = []sim.Script{{Fault: sim.FaultNoUsage}}
		s := start(t, cfg)
		reply, err := services(t, s, "")["deepl"].ask(t, "en", "x")
		require.NoError(t, err)
		require.Nil(t, reply.Usage)
		require.EqualValues(t, 1, s.Ledger()[0].Usage.Characters, "it was billed")
	})
}

func TestTranslate_Key(t *testing.T) {
	t.Parallel()
	cfg := fast(1)
	cfg.Key = "secret"
	s := start(t, cfg)
	for _, name := range []string{"deepl", "libretranslate"} {
		_, err := services(t, s, "secret")[name].ask(t, "en", "x")
		require.NoError(t, err)
		_, err = services(t, s, "other")[name].ask(t, "en", "x")
		var failed *providers.CallError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, task.FailAuth, failed.Class)
	}
}

func TestTranslate_ModelTypes(t *testing.T) {
	t.Parallel()
	s := start(t, fast(1))
	for model, answered := range map[string]string{
		"deepl": "", "latency_optimized": "latency_optimized", "prefer_quality_optimized": "quality_optimized",
	} {
		client := services(t, s, "")["deepl"]
		client.model = model
		reply, err := client.ask(t, "en", "x")
		require.NoError(t, err)
		require.Equal(t, answered, reply.Model)
	}
	client := services(t, s, "")["deepl"]
	client.model = "best"
	_, err := client.ask(t, "en", "x")
	var failed *providers.CallError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, task.FailBadRequest, failed.Class)
}

func TestTranslate_Refuses(t *testing.T) {
	t.Parallel()
	s := start(t, fast(1))
	for path, bodies := range map[string][]string{
		"/v2/translate": {`[]`, `{}`, `{"text":["a","b"],"target_lang":"EN"}`, `{"text":["a"]}`},
		"/translate":    {`[]`, `{}`, `{"q":"a","source":"auto"}`, `{"q":"a","target":"en"}`, `{"q":["a"],"source":"auto","target":"en"}`},
	} {
		for _, body := range bodies {
			require.Equal(t, http.StatusBadRequest, post(t, s.URL()+path, []byte(body), nil).status, "%s %s", path, body)
		}
	}
	large := fmt.Appendf(nil, `{"target_lang":"EN","text":[%q]}`, strings.Repeat("a", 128<<10))
	require.Equal(t, http.StatusRequestEntityTooLarge, post(t, s.URL()+"/v2/translate", large, nil).status)
	uncounted := post(t, s.URL()+"/proxy/v2/translate", []byte(`{"target_lang":"EN","text":["a"]}`), nil)
	require.Equal(t, http.StatusOK, uncounted.status)
	require.NotContains(t, string(uncounted.body), "billed_characters", "only who asks is told")
}
