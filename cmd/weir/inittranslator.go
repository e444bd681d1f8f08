package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/providers"
	"github.com/weirhq/weir/providers/deepl"
)

// initTranslator is an account at DeepL. Where there is none, nil, the configuration has in comments how a server of one's
// own would come in its place.
type initTranslator struct {
	keyEnv string
	free   bool // a key of the plan that bills nothing
}

// chooseTranslator takes DeepL when it is among the named providers, or when none are named and its key is set. It gives
// back the other names.
func chooseTranslator(names []string, getenv func(string) string) ([]string, *initTranslator) {
	t := &initTranslator{keyEnv: "DEEPL_AUTH_KEY"}
	key := strings.TrimSpace(getenv(t.keyEnv))
	if other := strings.TrimSpace(getenv("DEEPL_API_KEY")); key == "" && other != "" { // what many call it
		t.keyEnv, key = "DEEPL_API_KEY", other
	}
	t.free = deepl.IsFree(providers.NewSecret(key))
	if len(names) == 0 && key == "" || len(names) > 0 && !slices.Contains(names, catalog.APIDeepL) {
		return names, nil
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == catalog.APIDeepL }), t
}

// translates says that the preset is the one that a translation service can begin.
func (p preset) translates() bool { return p.name == "translate" }

func (t *initTranslator) provider() string {
	if t == nil {
		return `  # A translation service of your own, such as NLLB behind LibreTranslate's API: take the # from the lines with nllb, here,
  # under models and in the feature translate. DeepL is written here when DEEPL_AUTH_KEY is set.
  # nllb: {api: libretranslate, base_url: "http://localhost:5000", allow_private: true}
`
	}
	prices := ""
	if t.free {
		prices = ", prices: " + deeplFree
	}
	return fmt.Sprintf("  deepl: {api: deepl, key_env: %s%s, concurrency: 8}\n", t.keyEnv, prices)
}

func (t *initTranslator) model() string {
	if t == nil {
		return "  # nllb: {provider: nllb, id: nllb-200, tier: mini}\n"
	}
	return "  deepl: {provider: deepl, id: deepl, tier: mini} # paid by the character\n"
}

// lead puts the service before the class's models in the feature's own cascade.
func (t *initTranslator) lead(feature []byte, models []initModel) []byte {
	first, comment := "deepl", ""
	if t == nil {
		first, comment = "nllb", "# "
	}
	cascade := named(append([]initModel{{name: first}}, models...), func(m initModel) string { return m.name })
	// the target is the language that the system prompt names
	lines := fmt.Sprintf("  class: L1\n  %stranslate: {target: de} # for %s; models go by system\n  %scascade: [%s]\n",
		comment, first, comment, cascade)
	return bytes.Replace(feature, []byte("  class: L1\n"), []byte(lines), 1)
}
