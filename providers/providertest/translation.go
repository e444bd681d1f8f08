package providertest

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/task"
)

// testTexts holds that whatever is said of a translation is in its request.
func (s Suite) testTexts(t *testing.T, p providers.Provider) {
	t.Helper()
	seen := map[string]bool{}
	changes := []func(*providers.Call){
		func(*providers.Call) {},
		func(c *providers.Call) { c.Translate.Source = "" },
		func(c *providers.Call) { c.Translate.Source = "fr" },
		func(c *providers.Call) { c.Translate.Target = "pt-BR" },
		func(c *providers.Call) { c.Messages[0].Content += " " },
	}
	for _, change := range changes {
		c := s.call()
		change(&c)
		seen[string(prepare(t, p, c).Body)] = true
	}
	require.Len(t, seen, len(changes))
}

// testCharacters holds that a request says how many characters it can be billed for.
func (s Suite) testCharacters(t *testing.T, p providers.Provider) {
	t.Helper()
	for _, text := range []string{
		"a", "é", "e\u0301", "深", "\U0001F468\u200D\U0001F469", " \t\r\n", "a\x00b", "a\xffb\xc3", "<b>bold</b>",
	} {
		c := s.call()
		c.Messages[0].Content = text
		require.EqualValues(t, utf8.RuneCountInString(text), prepare(t, p, c).Characters, "%q", text)
	}
}

// testOnlyTranslations holds that nothing of a call is left out in silence.
func (s Suite) testOnlyTranslations(t *testing.T, p providers.Provider) {
	t.Helper()
	for _, change := range []func(*providers.Call){
		func(c *providers.Call) { c.Model = "" },
		func(c *providers.Call) { c.Translate = nil },
		func(c *providers.Call) { c.Translate.Target = "" },
		func(c *providers.Call) { c.Messages = nil },
		func(c *providers.Call) { c.Messages = append(c.Messages, c.Messages[0]) },
		func(c *providers.Call) { c.Messages[0].Role = task.RoleAssistant },
		func(c *providers.Call) { c.Messages[0].Content = "" },
		func(c *providers.Call) { c.System = "Be polite." },
		func(c *providers.Call) { c.Context = []string{"The customer is new."} },
		func(c *providers.Call) {
			c.Examples = []task.Message{{Role: "user", Content: "a"}, {Role: "assistant", Content: "b"}}
		},
		func(c *providers.Call) { c.Effort = "high" },
		func(c *providers.Call) { c.ThinkingTokens = 1 },
		func(c *providers.Call) { c.Temperature = new(0.5) },
		func(c *providers.Call) { c.ServiceTier = "flex" },
		func(c *providers.Call) { c.Tools = []task.Tool{{Name: "lookup"}} },
		func(c *providers.Call) { c.Schema = []byte(`{"type":"object"}`) },
	} {
		c := s.call()
		change(&c)
		_, err := p.Prepare(c)
		require.ErrorIs(t, err, providers.ErrCall)
	}
}
