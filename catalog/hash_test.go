package catalog_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const hashed = `features:
  ticket-triage:
    output_schema: {type: object, properties: {a: {minimum: 1.5}, b: {enum: [x, y]}}}
    validators: [{type: enum, values: [x, y], case_fold: true}]
    max_cost_usd: "0.5"
    retention: 30d
  b: {}
`

func TestHash_Ignores(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name string
		give string
	}{
		{name: "Comments", give: "# one\n" + strings.ReplaceAll(hashed, "  b: {}", "  b: {} # two")},
		{name: "OrderOfKeys", give: `features:
  b: {}
  ticket-triage:
    retention: 30d
    max_cost_usd: "0.5"
    validators: [{case_fold: true, values: [x, y], type: enum}]
    output_schema: {properties: {b: {enum: [x, y]}, a: {minimum: 1.5}}, type: object}
`},
		{name: "Formatting", give: `features:
    b:
    "ticket-triage":
        output_schema:
            type: 'object'
            properties:
                a:
                    minimum: 1.50
                b:
                    enum:
                    - x
                    - "y"
        validators:
        - type: enum
          values: [x,
                   y]
          case_fold: true
        max_cost_usd: '0.500'
        retention: 720h
`},
		{name: "DefaultsWrittenOut", give: strings.ReplaceAll(hashed, "  b: {}", "  b: {class: auto, lane: now, weight: 1, max_attempts: 8}")},
		{name: "EmptySections", give: hashed + "lanes: {now: {}, batch: {}}\nlimits:\nprice_book:\n"},
	}
	want := mustParse(t, hashed).Hash
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			require.Equal(t, want, mustParse(t, tt.give).Hash)
		})
	}
}

func TestHash_SeesEveryChange(t *testing.T) {
	t.Parallel()

	seen := map[string]string{mustParse(t, hashed).Hash: "nothing"}
	for _, change := range [][2]string{
		{"[x, y], case", "[y, x], case"},
		{"minimum: 1.5", "minimum: 1.25"},
		{"max_cost_usd: \"0.5\"", "max_cost_usd: \"0.51\""},
		{"30d", "31d"},
		{"  b: {}", "  c: {}"},
		{"  b: {}", "  b: {system: hi}"},
		{"  b: {}", "  b: {}\nlimits: {depth: 31}"},
		{"  b: {}", "  b: {}\nprice_book: {own: {models: []}}"},
		{"  b: {}", "  b: {}\nclassifier: {rules: []}"},
		{"  b: {}", "  b: {}\ncascades: {L1: [haiku], L2: [sonnet], L3: [opus]}"},
	} {
		changed := strings.Replace(hashed, change[0], change[1], 1)
		require.NotEqual(t, hashed, changed)
		hash := mustParse(t, changed).Hash
		require.NotContains(t, seen, hash, "%s", change[1])
		seen[hash] = change[1]
	}
}
