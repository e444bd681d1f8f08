package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/internal/pgtest"
	"github.com/weirhq/weir/producer"
	"github.com/weirhq/weir/providers/sim"
	"github.com/weirhq/weir/task"
)

// weirInit runs weir init in an environment of these variables.
func weirInit(t *testing.T, env map[string]string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs strings.Builder
	err = run(t.Context(), append([]string{"init"}, args...), func(name string) string { return env[name] },
		strings.NewReader(""), &out, &errs)
	return out.String(), errs.String(), err
}

func TestInit(t *testing.T) {
	t.Parallel()
	both := map[string]string{"ANTHROPIC_API_KEY": "a-secret", "OPENAI_API_KEY": "b-secret"}
	all, err := presets()
	require.NoError(t, err)
	tests := []struct {
		name   string
		env    map[string]string
		args   []string
		models int
	}{
		{name: "Anthropic", env: map[string]string{"ANTHROPIC_API_KEY": "a-secret"}, models: 3},
		{name: "OpenAI", env: map[string]string{"OPENAI_API_KEY": "b-secret"}, models: 3},
		{name: "Gemini", env: map[string]string{"GEMINI_API_KEY": "c-secret"}, models: 3},
		{name: "Both", env: both, models: 6},
		{name: "All", args: []string{"--providers", "anthropic,openai,gemini"}, models: 9},
		{name: "Named", args: []string{"--providers", "openai"}, models: 3},
		{name: "DeepL", env: map[string]string{"OPENAI_API_KEY": "b-secret", "DEEPL_AUTH_KEY": "d-secret"}, models: 4},
		{name: "DeepLByItsOtherName", env: map[string]string{"OPENAI_API_KEY": "b-secret", "DEEPL_API_KEY": "d-secret:fx"}, models: 4},
		{name: "DeepLNamed", args: []string{"--providers", "openai,deepl"}, models: 4},
		{name: "OnlyClassifyNeedsNoDeepL", env: map[string]string{"OPENAI_API_KEY": "b-secret", "DEEPL_AUTH_KEY": "d-secret"}, args: []string{"--only", "classify,extract"}, models: 3},
	}
	for _, p := range all {
		tests = append(tests, struct {
			name   string
			env    map[string]string
			args   []string
			models int
		}{name: "Only/" + p.name, env: both, args: []string{"--only", p.name}, models: 6})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "weir.yaml")
			stdout, stderr, err := weirInit(t, tt.env, append(tt.args, "--out", file)...)
			require.NoError(t, err, stderr)
			require.Contains(t, stdout, "weir up --config "+file)
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			require.NotContains(t, string(data), "secret")
			s, err := newSetup(data)
			require.NoError(t, err)
			require.Len(t, s.catalog.Models, tt.models)
			require.Empty(t, s.cacheWarnings())
			if strings.HasPrefix(tt.name, "Only/") {
				require.Len(t, s.catalog.Features, 1)
				return
			}
			require.Empty(t, s.catalog.Warnings())
			if strings.HasPrefix(tt.name, "OnlyClassify") {
				require.NotContains(t, string(data), "nllb")
				return
			}
			require.Len(t, s.catalog.Features, len(all))
			cascade := s.catalog.Features["translate"].Cascade
			require.Equal(t, strings.HasPrefix(tt.name, "DeepL"), len(cascade) == 4 && cascade[0] == "deepl")
			require.Equal(t, strings.HasPrefix(tt.name, "DeepL"), strings.Contains(stdout, ", deepl\n"))
		})
	}
}

// TestInit_Translator: DeepL by its keys, and a server of one's own by what the comments say.
func TestInit_Translator(t *testing.T) {
	t.Parallel()
	all, err := presets()
	require.NoError(t, err)
	accounts := initProviders()[:1]
	for name, env := range map[string]map[string]string{
		"deepl: {api: deepl, key_env: DEEPL_AUTH_KEY, concurrency: 8}":                    {"DEEPL_AUTH_KEY": "k", "DEEPL_API_KEY": "k:fx"},
		"deepl: {api: deepl, key_env: DEEPL_API_KEY, prices: deepl-free, concurrency: 8}": {"DEEPL_API_KEY": "k:fx"},
	} {
		_, translator := chooseTranslator(nil, func(name string) string { return env[name] })
		text := composeConfig(accounts, translator, all)
		require.Contains(t, string(text), name)
		s, err := newSetup(text)
		require.NoError(t, err)
		_, err = s.buildProviders(func(name string) string { return env[name] })
		require.ErrorContains(t, err, "ANTHROPIC_API_KEY is not set")
		require.NotContains(t, err.Error(), "providers.deepl")
	}
	_, none := chooseTranslator(nil, func(string) string { return "" })
	require.Nil(t, none)
	own := regexp.MustCompile(`(?m)^( +)# (nllb:|translate:|cascade: \[nllb)`).
		ReplaceAllString(string(composeConfig(accounts, none, all)), "$1$2")
	s, err := newSetup([]byte(own))
	require.NoError(t, err)
	require.Empty(t, s.catalog.Warnings())
	require.Equal(t, []string{"nllb", "haiku", "sonnet", "opus"}, s.catalog.Features["translate"].Cascade)
	require.Equal(t, "de", s.catalog.Features["translate"].Translate.Target)
}

func TestInit_Refuses(t *testing.T) {
	t.Parallel()
	there := filepath.Join(t.TempDir(), "weir.yaml")
	require.NoError(t, os.WriteFile(there, []byte("mine"), 0o600))
	key := map[string]string{"OPENAI_API_KEY": "k"}
	tests := []struct {
		name string
		env  map[string]string
		args []string
		want string
	}{
		{"NoKey", nil, nil, "set ANTHROPIC_API_KEY, OPENAI_API_KEY, GEMINI_API_KEY"},
		{"Preset", key, []string{"--only", "classify,poetry"}, `there is no preset "poetry"; there are agent, answer,`},
		{"Provider", key, []string{"--providers", "acme"}, `there is no provider "acme"; there are anthropic, openai, gemini`},
		{"File", key, []string{"--out", there}, "is there already; --force overwrites it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, stderr, err := weirInit(t, tt.env, tt.args...)
			require.Error(t, err)
			require.Contains(t, stderr, tt.want)
		})
	}
	t.Run("Force", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "weir.yaml")
		require.NoError(t, os.WriteFile(file, []byte("mine"), 0o600))
		_, stderr, err := weirInit(t, key, "--out", file, "--force")
		require.NoError(t, err, stderr)
	})
}

func TestInit_List(t *testing.T) {
	t.Parallel()
	stdout, _, err := weirInit(t, nil, "--list")
	require.NoError(t, err)
	for line := range strings.Lines(stdout) {
		require.Regexp(t, `^[a-z]+ +[A-Z].*[.]\n$`, line)
	}
	all, err := presets()
	require.NoError(t, err)
	require.Equal(t, len(all), strings.Count(stdout, "\n"))
}

// presetTasks are two tasks for each preset.
func presetTasks() []task.Task {
	document := "The warranty covers two years from the day of delivery. Repairs are free within it."
	lookup := []task.Tool{{Name: "lookup", Parameters: json.RawMessage(`{"type":"object","properties":{"order":{"type":"integer"}}}`)}}
	tasks := []task.Task{
		{Feature: "summarise", Input: "Anna Weber called on 3 May about invoice 4711 over 120.50 EUR, which she has paid twice."},
		{Feature: "summarise", Input: "The supplier moves the delivery of 40 pumps from Monday to Thursday and offers 3 % for it."},
		{Feature: "classify", Input: "Where is my parcel?"},
		{Feature: "classify", Input: "I was charged twice this month."},
		{Feature: "extract", Input: "Regards, Anna Weber, anna@example.com, order R-17, 3 May 2026."},
		{Feature: "extract", Input: "Please call back. Paul"},
		{Feature: "answer", Context: []string{document}, Input: "How long is the warranty?"},
		{Feature: "answer", Context: []string{document}, Input: "What does a repair cost?"},
		{Feature: "code", Input: "A Go function that adds two integers."},
		{Feature: "code", Input: "A test for a function that reverses a string."},
		{Feature: "agent", Input: "Find out where order 7 is.", Tools: lookup},
		{Feature: "agent", Input: "Say hello to the customer."},
		{Feature: "translate", Input: "The parcel arrives on Monday."},
		{Feature: "translate", Input: "Thank you for your patience."},
		{Feature: "invoice", Input: "ACME Ltd, invoice 2026-17 of 2026-05-03, total 120.50 EUR"},
		{Feature: "invoice", Input: "Hansen AG Rechnung 8812 vom 12.06.2026 Summe 88,00 EUR"},
	}
	for i := range tasks {
		tasks[i].ID = fmt.Sprintf("t%d", i)
	}
	return tasks
}

// TestInit_PresetsRun takes two tasks of each preset through the simulated models of each provider.
func TestInit_PresetsRun(t *testing.T) {
	t.Parallel()
	all, err := presets()
	require.NoError(t, err)
	accounts := initProviders()
	for i, v := range append(accounts, accounts[0]) {
		name := v.name
		var translator *initTranslator
		if i == len(accounts) {
			name, translator = name+"AfterDeepL", &initTranslator{keyEnv: "DEEPL_AUTH_KEY"}
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			yaml := strings.ReplaceAll(string(composeConfig([]initProvider{v}, translator, all)), "%", "%%")
			for _, key := range []string{v.keyEnv, "DEEPL_AUTH_KEY"} {
				yaml = strings.Replace(yaml, "key_env: "+key, `base_url: "%[1]s", allow_private: true`, 1)
			}
			dsn := pgtest.DSN(t)
			b := setupServers(t, dsn, pgtest.Open(t, dsn), yaml, sim.Config{Seed: 7, Speed: 20})
			p, err := producer.New(b.nats.Connect(t), producer.Config{Tenant: "acme"})
			require.NoError(t, err)
			tasks := presetTasks()
			_, err = p.PublishMany(t.Context(), producer.Tasks(tasks...), producer.Options{})
			require.NoError(t, err)
			weir := b.start(t, "")
			require.Eventually(t, func() bool { return b.answered() == len(tasks) }, 30*time.Second, 20*time.Millisecond)
			weir.stop(t)
			b.mu.Lock()
			defer b.mu.Unlock()
			for _, published := range tasks {
				for _, r := range b.results[published.ID] {
					require.Equal(t, task.Succeeded, r.Status, "%s: %s (%s)", published.Feature, r.Reason, r.Output)
				}
			}
		})
	}
}
