package feed

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/weirhq/weir/pricing"
)

// Files are price files with the proposed rows, by provider: each lies over the book as an override that begins at a day.
// Rates that no feed lists are those of the book.
func (p *Proposal) Files(from time.Time) map[string][]byte {
	out := map[string][]byte{}
	for i := range p.Models {
		m := &p.Models[i]
		if !m.Proposed() && m.Retires == nil {
			continue
		}
		if out[m.Provider] == nil {
			out[m.Provider] = fmt.Appendf(nil, "# Proposed by weir prices sync. Look at each row before you use it.\n"+
				"schema: 1\nprovider: %q\ncurrency: USD\nmodels:\n", m.Provider)
		}
		out[m.Provider] = append(out[m.Provider], m.yaml(from.UTC().Format(time.DateOnly))...)
	}
	return out
}

func (m *Model) yaml(day string) string {
	var b strings.Builder
	for _, lack := range m.Lacks {
		fmt.Fprintf(&b, "  # not listed by %s\n", lack)
	}
	fmt.Fprintf(&b, "  - id: %q\n", m.ID)
	source := strings.Join(m.sources, ", ")
	if m.Retires != nil {
		fmt.Fprintf(&b, "    retires: {on: %s, checked: %s, source: %q}\n", m.Retires.Format(time.DateOnly), day, LiteLLM)
	}
	if !m.Proposed() {
		return b.String()
	}
	first := m.rows[0]
	fmt.Fprintf(&b, "    prices:\n")
	for _, c := range m.Changes {
		fmt.Fprintf(&b, "      # %s: %s -> %s%s\n", named(c.Kind, c.Above), c.Old, c.New, c.remark())
	}
	fmt.Fprintf(&b, "      - from: %s\n", day)
	if first.Until != nil {
		fmt.Fprintf(&b, "        until: %s\n", first.Until.UTC().Format(time.RFC3339))
	}
	fmt.Fprintf(&b, "        status: in_force\n        checked: %s\n        source: %q\n        boundary: %s\n        bands:\n",
		day, source, first.Boundary)
	edge := int64(0)
	for _, r := range m.rows {
		b.WriteString("          - {" + m.band(r, edge) + "}\n")
		edge = r.MaxPrompt
	}
	writeRatios(&b, "modes", first.Modes)
	writeRatios(&b, "geo", first.Geo)
	if first.WebSearch != nil {
		const thousand = 1000
		fmt.Fprintf(&b, "        per_unit: {web_search_1k: %q}\n", (*first.WebSearch * thousand).String())
	}
	return b.String()
}

// band is one band with the changes in it.
func (m *Model) band(r pricing.Row, edge int64) string {
	var parts []string
	if r.MaxPrompt > 0 {
		parts = append(parts, fmt.Sprintf("max_prompt: %d", r.MaxPrompt))
	}
	for _, kind := range pricing.RateKinds() {
		rate, known := r.Rates[kind]
		if !known {
			continue
		}
		usd := rate * perMillion
		for _, c := range m.Changes {
			if c.Kind == kind && c.Above == edge {
				usd = c.New
			}
		}
		parts = append(parts, fmt.Sprintf("%s: %q", kind, usd))
	}
	return strings.Join(parts, ", ")
}

func writeRatios(b *strings.Builder, key string, ratios map[string]string) {
	if len(ratios) == 0 {
		return
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(ratios)) {
		parts = append(parts, fmt.Sprintf("%q: %q", name, ratios[name]))
	}
	fmt.Fprintf(b, "        %s: {%s}\n", key, strings.Join(parts, ", "))
}

// remark is what to mind about a change.
func (c Change) remark() string {
	if c.Large {
		return ", more than 20 %"
	}
	return ""
}
