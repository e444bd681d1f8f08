package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Translate is what a feature's translation services are told.
type Translate struct {
	// Source is the language of the texts; empty lets the service find out.
	Source string
	// Target is the language to translate into.
	Target string
	// Formality is less, more, prefer_less or prefer_more; empty is the service's default. Only DeepL takes it.
	Formality string
	// Glossary is the id of a glossary at the service, which needs a Source. Only DeepL takes it.
	Glossary string
}

const maxLanguageChars = 16

// readTranslate is nil without the key.
func readTranslate(o *object) *Translate {
	if !o.has("translate") {
		return nil
	}
	section := o.object("translate")
	section.require("target", "name the language to translate into, such as en")
	t := &Translate{
		Source:    readLanguage(section, "source"),
		Target:    readLanguage(section, "target"),
		Formality: section.word("formality", "", "less", "more", "prefer_less", "prefer_more"),
		Glossary:  section.text("glossary", maxIDChars),
	}
	section.close()
	if t.Glossary != "" && !section.has("source") {
		section.r.add(section.at("glossary"), "needs a source: a glossary is for one pair of languages")
	}
	return t
}

func readLanguage(o *object, key string) string {
	code := o.text(key, 0)
	if o.has(key) && isText(o.values[key]) && !validLanguage(code) {
		o.r.add(o.at(key), "is %q, which is no code of a language; write one such as de, en-GB or zh-Hans", clip(code))
		return ""
	}
	return code
}

// validLanguage takes what looks like a tag of BCP 47: two or three letters, then parts of letters and digits. Which of
// them there are is the service's to say.
func validLanguage(code string) bool {
	for i, part := range strings.Split(code, "-") {
		if len(part) < 2 || i == 0 && len(part) > 3 { // de, fil
			return false
		}
		for _, c := range []byte(part) {
			letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
			if !letter && (i == 0 || c < '0' || c > '9') {
				return false
			}
		}
	}
	return len(code) <= maxLanguageChars
}

// Translates says that the provider is a translation service, which takes a text and no prompt.
func (p Provider) Translates() bool { return p.API == APIDeepL || p.API == APILibreTranslate }

// Translates says that the model is a translation service's.
func (c *Catalog) Translates(model string) bool {
	return c.Providers[c.Models[model].Provider].Translates()
}

// checkTranslations holds the features against the translation services that their tasks can come to.
func checkTranslations(c *Catalog, r *report) {
	for _, name := range slices.Sorted(maps.Keys(c.Models)) {
		checkTranslationModel(c, c.Models[name], r)
	}
	for _, class := range classes() {
		if model := c.translationIn(c.Cascades[class]); model != "" {
			r.add("cascades."+string(class), "leads to model %q of a translation service, which every feature of the class "+
				"would be sent to; name it in the cascade of a feature with translate", model)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Features)) {
		f := c.Features[name]
		model := c.translationIn(f.Cascade)
		switch {
		case model == "":
		case f.Translate == nil:
			r.add("features."+name, "translate is missing, but its cascade leads to model %q of a translation service; "+
				"write into what, such as translate: {target: en}", model)
		case f.OutputSchema != nil:
			r.add("features."+name+".output_schema", "asks for JSON, which model %q of a translation service cannot give", model)
		}
	}
}

func checkTranslationModel(c *Catalog, m Model, r *report) {
	if !c.Providers[m.Provider].Translates() {
		return
	}
	if m.MaxOutput > 0 {
		r.add("models."+m.Name+".max_output", "is for models that put out tokens, not for a translation service")
	}
	if m.JSONSchema != nil {
		r.add("models."+m.Name+".json_schema", "is for models that take a schema, not for a translation service")
	}
}

// translationIn is the first model of a translation service that a cascade leads to, in it or sideways from it; empty when
// there is none.
func (c *Catalog) translationIn(cascade []string) string {
	for _, name := range cascade {
		for _, model := range append([]string{name}, c.Models[name].Sideways...) {
			if c.Translates(model) {
				return model
			}
		}
	}
	return ""
}

// translateWarnings are about what a feature says of translations and nobody hears.
func (c *Catalog) translateWarnings() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(c.Features)) {
		f := c.Features[name]
		switch {
		case f.Translate == nil:
		case c.translationIn(f.Cascade) == "":
			out = append(out, fmt.Sprintf("features.%s.translate: no model of its cascade is one of a translation service; models "+
				"go by the system prompt", name))
		case f.Translate.Formality != "" || f.Translate.Glossary != "":
			out = append(out, c.deaf(name, f.Cascade)...)
		}
	}
	return out
}

// deaf names the models of a cascade that take neither a formality nor a glossary.
func (c *Catalog) deaf(feature string, cascade []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, name := range cascade {
		for _, model := range append([]string{name}, c.Models[name].Sideways...) {
			if !seen[model] && c.Providers[c.Models[model].Provider].API == APILibreTranslate {
				out = append(out, fmt.Sprintf("features.%s.translate: model %q takes no formality and no glossary", feature, model))
			}
			seen[model] = true
		}
	}
	return out
}
