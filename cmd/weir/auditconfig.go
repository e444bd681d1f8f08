package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/weirhq/weir/audit"
)

const (
	// answerRoom is what an answer may be longer than 95 of 100 were, leastAnswer the least room that it gets.
	answerRoom  = 1.5
	leastAnswer = 64
	mostAnswer  = 32_000
	// mostFeatureChars leaves room in a name for what tells it from another.
	mostFeatureChars = 56
)

// auditConfig is a weir.yaml whose features are the call paths that spend most.
func auditConfig(report *audit.Report, ladder initProvider) []byte {
	var b bytes.Buffer
	b.WriteString(`# A start from a usage log: its dearest call paths as features, each with the class that it seems to have. Every class is a
# guess until validators say how often its answers are good: add an output_schema or validators to each feature, and see
# weir report cascade after a day. Check a change with weir config check.
providers:
`)
	accounts := []initProvider{ladder}
	composeProviders(&b, accounts)
	b.WriteString("\nmodels:\n")
	composeModels(&b, accounts)
	composeCascades(&b, ladder.models)
	b.WriteString("\nfeatures:\n")
	taken := map[string]bool{}
	for i := range report.Shown {
		writeFeature(&b, &report.Shown[i], featureName(report.Shown[i].Path, taken))
	}
	return b.Bytes()
}

func writeFeature(b *bytes.Buffer, p *audit.PathReport, name string) {
	fmt.Fprintf(b, "  # %s: %s calls for %s USD, on %s\n", commented(p.Path), showCount(p.Calls), p.Steps.Now, commented(p.Models[0].Model))
	fmt.Fprintf(b, "  # %s: %s. Expected after routing: %s USD\n", p.Class, commented(p.Why), p.Steps.Routed)
	fmt.Fprintf(b, "  %s:\n    class: %s\n    max_output_tokens: %d\n", name, p.Class,
		min(mostAnswer, max(leastAnswer, int64(answerRoom*float64(p.OutputP95)))))
	if p.Schema {
		b.WriteString("    validators: [{type: json}] # the calls ask for a schema: put it here as output_schema\n")
	} else {
		b.WriteString("    validators: [{type: not_empty}]\n")
	}
}

// commented is a text that stays within a comment's line.
func commented(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}

// featureName makes of a call path a name that NATS and weir.yaml take, and that no other has.
func featureName(path string, taken map[string]bool) string {
	var b strings.Builder
	for _, r := range strings.ToLower(path) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		} else if b.Len() > 0 && !strings.HasSuffix(b.String(), "-") {
			b.WriteByte('-')
		}
		if b.Len() == mostFeatureChars {
			break
		}
	}
	name := strings.Trim(b.String(), "-")
	if name == "" {
		name = "path"
	}
	for n, base := 2, name; taken[name]; n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	taken[name] = true
	return name
}
