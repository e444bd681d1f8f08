package main

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/weirhq/weir/catalog"
)

type initCmd struct {
	Out       string   `type:"path" help:"The file to write; WEIR_CONFIG or weir.yaml when absent."`
	List      bool     `help:"List the kinds of work and write nothing."`
	Only      []string `help:"Only these kinds of work, separated by commas."`
	Providers []string `help:"These providers, whatever keys the environment has."`
	Force     bool     `help:"Overwrite the file if it is there."`
}

// Run writes a weir.yaml for the providers whose keys are in the environment.
func (c *initCmd) Run(a *app) error {
	all, err := presets()
	if err != nil {
		return err
	}
	if c.List {
		return listPresets(a, all)
	}
	chosen, err := choosePresets(all, c.Only)
	if err != nil {
		return err
	}
	names, translator := chooseTranslator(c.Providers, a.getenv)
	accounts, err := chooseProviders(names, a.getenv)
	if err != nil {
		return err
	}
	text := composeConfig(accounts, translator, chosen)
	if _, err := newSetup(text); err != nil {
		return fmt.Errorf("the composed configuration has mistakes: %w", err)
	}
	file := fallback(c.Out, a.config.ConfigFile)
	if err := writeNew(file, text, c.Force); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "wrote %s: %s with the models of %s\n\nnext:\n"+
		"  weir config check %s\n  weir up --config %s\n",
		file, named(chosen, func(p preset) string { return p.name }),
		strings.Join(modelsOf(accounts, translator, chosen), ", "), file, file)
	return err
}

// modelsOf names the providers that the written configuration has models of.
func modelsOf(accounts []initProvider, t *initTranslator, chosen []preset) []string {
	var names []string
	for _, v := range accounts {
		names = append(names, v.name)
	}
	if t != nil && slices.ContainsFunc(chosen, preset.translates) {
		names = append(names, catalog.APIDeepL)
	}
	return names
}

func writeNew(file string, text []byte, force bool) error {
	flags := os.O_CREATE | os.O_WRONLY | os.O_EXCL
	if force {
		flags = os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	}
	out, err := os.OpenFile(file, flags, 0o644) //nolint:gosec // no secrets are in it
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already; --force overwrites it; or name another file", file)
	}
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	_, err = out.Write(text)
	return errors.Join(err, out.Close())
}

//go:embed presets/*.yaml
var presetFiles embed.FS

// preset is a kind of work: a feature with a prompt, a class and checks.
type preset struct {
	name  string
	about string // one line, its first comment
	text  []byte
}

// presets are all kinds of work in order of name.
func presets() ([]preset, error) {
	files, err := fs.Glob(presetFiles, "presets/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list presets: %w", err)
	}
	var all []preset
	for _, file := range files {
		text, err := presetFiles.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read preset: %w", err)
		}
		about, _, _ := strings.Cut(string(text), "\n")
		all = append(all, preset{
			name: strings.TrimSuffix(path.Base(file), ".yaml"), about: strings.TrimPrefix(about, "# "), text: text,
		})
	}
	return all, nil
}

func listPresets(a *app, all []preset) error {
	for _, p := range all {
		if _, err := fmt.Fprintf(a.stdout, "%-10s %s\n", p.name, p.about); err != nil {
			return err
		}
	}
	return nil
}

func choosePresets(all []preset, only []string) ([]preset, error) {
	if len(only) == 0 {
		return all, nil
	}
	for _, name := range only {
		if !slices.ContainsFunc(all, func(p preset) bool { return p.name == name }) {
			return nil, fmt.Errorf("there is no preset %q; there are %s", name, named(all, func(p preset) string { return p.name }))
		}
	}
	return slices.DeleteFunc(all, func(p preset) bool { return !slices.Contains(only, p.name) }), nil
}

// initProvider is a provider with its own mini, mid and flagship, all in the price book.
type initProvider struct {
	name   string // and its API's
	keyEnv string
	models []initModel // by tier
}

type initModel struct {
	name, id string
	tier     catalog.Tier
}

// initProviders in the order in which they lead a cascade.
func initProviders() []initProvider {
	return []initProvider{
		{name: catalog.APIAnthropic, keyEnv: "ANTHROPIC_API_KEY", models: []initModel{
			{"haiku", "claude-haiku-5-5", catalog.Mini},
			{"sonnet", "claude-sonnet-5-5", catalog.Mid},
			{"opus", "claude-opus-5-5", catalog.Flagship},
		}},
		{name: catalog.APIOpenAI, keyEnv: "OPENAI_API_KEY", models: []initModel{
			{"luna", "gpt-6-luna", catalog.Mini},
			{"sol", "gpt-6.2-sol", catalog.Mid},
			{"astra", "gpt-6.2-astra", catalog.Flagship},
		}},
		{name: catalog.APIGemini, keyEnv: "GEMINI_API_KEY", models: []initModel{
			{"lite", "gemini-3.5-flash-lite", catalog.Mini},
			{"flash", "gemini-3.5-flash", catalog.Mid},
			{"pro", "gemini-3.1-pro-preview", catalog.Flagship},
		}},
	}
}

// chooseProviders takes those that are named, else those whose keys are set.
func chooseProviders(names []string, getenv func(string) string) ([]initProvider, error) {
	all := initProviders()
	for _, name := range names {
		if !slices.ContainsFunc(all, func(v initProvider) bool { return v.name == name }) {
			return nil, fmt.Errorf("there is no provider %q; there are %s", name, named(all, func(v initProvider) string { return v.name }))
		}
	}
	chosen := slices.DeleteFunc(initProviders(), func(v initProvider) bool {
		if len(names) > 0 {
			return !slices.Contains(names, v.name)
		}
		return strings.TrimSpace(getenv(v.keyEnv)) == ""
	})
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no provider's key is in the environment: set %s, or name providers with --providers",
			named(all, func(v initProvider) string { return v.keyEnv }))
	}
	return chosen, nil
}

func named[T any](items []T, name func(T) string) string {
	names := make([]string, len(items))
	for i, item := range items {
		names[i] = name(item)
	}
	return strings.Join(names, ", ")
}

// composeConfig writes the configuration. The first provider's models are the cascades; those of the others stand in for them
// while they are down.
func composeConfig(accounts []initProvider, translator *initTranslator, chosen []preset) []byte {
	var b bytes.Buffer
	b.WriteString("# Which models there are, and how each feature uses them. Check a change with `weir config check`.\n" +
		"# Keys never belong here: key_env names the environment variable that holds one.\nproviders:\n")
	composeProviders(&b, accounts)
	b.WriteString(`  # A model of your own behind any server with Chat Completions. It needs a model below, and a feature that names it first
  # in a cascade of its own: cascade: [own, ` + accounts[0].models[0].name + `].
  # own: {api: openai, base_url: "http://localhost:8000/v1", allow_private: true}
`)
	translating := slices.ContainsFunc(chosen, preset.translates)
	if translating {
		b.WriteString(translator.provider())
	}
	b.WriteString("\nmodels:\n")
	composeModels(&b, accounts)
	if translating {
		b.WriteString(translator.model())
	}
	lead := accounts[0].models
	composeCascades(&b, lead)
	b.WriteString("\n# Features are cost centres: producers publish to weir.tasks.<tenant>.<feature>.\nfeatures:\n")
	for i, p := range chosen {
		if i > 0 {
			b.WriteByte('\n')
		}
		if p.translates() {
			p.text = translator.lead(p.text, lead)
		}
		for line := range bytes.Lines(p.text) {
			if len(bytes.TrimSpace(line)) > 0 {
				b.WriteString("  ")
			}
			b.Write(line)
		}
	}
	return b.Bytes()
}

func composeProviders(w io.Writer, accounts []initProvider) {
	for _, v := range accounts {
		_, _ = fmt.Fprintf(w, "  %s: {api: %s, key_env: %s, concurrency: 32}\n", v.name, v.name, v.keyEnv)
	}
}

func composeModels(w io.Writer, accounts []initProvider) {
	for i, v := range accounts {
		for tier, m := range v.models {
			_, _ = fmt.Fprintf(w, "  %s: {provider: %s, id: %s, tier: %s%s}\n", m.name, v.name, m.id, m.tier, sideways(accounts, i, tier))
		}
	}
}

func composeCascades(w io.Writer, lead []initModel) {
	_, _ = fmt.Fprintf(w, `
# For each class the models to try, cheapest first. The next one is asked only when a check rejects an answer.
cascades:
  L1: [%s, %s, %s]
  L2: [%s, %s]
  L3: [%s]
`, lead[0].name, lead[1].name, lead[2].name, lead[1].name, lead[2].name, lead[2].name)
}

// sideways are the models of the same tier at the other providers.
func sideways(accounts []initProvider, of, tier int) string {
	var names []string
	for i, v := range accounts {
		if i != of {
			names = append(names, v.models[tier].name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return ", sideways: [" + strings.Join(names, ", ") + "]"
}
