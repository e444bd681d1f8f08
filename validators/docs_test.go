package validators_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
	"github.com/weirhq/weir/validators"
)

// featuresOf parses features on top of the smallest weir.yaml.
func featuresOf(tb testing.TB, features string) map[string]catalog.Feature {
	tb.Helper()
	const base = "providers:\n  p: {api: openai, key_env: KEY}\nmodels:\n  m: {provider: p, id: m, tier: mini}\n" +
		"cascades:\n  L1: [m]\n  L2: [m]\n  L3: [m]\n"
	parsed, err := catalog.Parse([]byte(base + features))
	require.NoError(tb, err)
	return parsed.Features
}

func TestDocs(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/validators.md")
	require.NoError(t, err)
	t.Run("FirstExample", func(t *testing.T) {
		t.Parallel()
		_, rest, found := strings.Cut(string(page), "```yaml\n")
		require.True(t, found)
		example, _, _ := strings.Cut(rest, "```")
		for _, feature := range featuresOf(t, example) {
			_, err := validators.Compile(feature.Validators, feature.OutputSchema)
			require.NoError(t, err)
		}
	})
	rows := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|.*\\| `(\\{type: .*\\})` \\|$").FindAllStringSubmatch(string(page), -1)
	require.Len(t, rows, len(validators.Types()))
	for i, row := range rows {
		t.Run(row[1], func(t *testing.T) {
			t.Parallel()
			require.Equal(t, validators.Types()[i], row[1])
			feature := featuresOf(t, "features:\n  f:\n    validators:\n      - "+row[2]+"\n")["f"]
			require.Equal(t, row[1], feature.Validators[0].Type)
			_, err := validators.Compile(feature.Validators, nil)
			require.NoError(t, err)
		})
	}
}

func TestStarterFileCompiles(t *testing.T) {
	t.Parallel()
	starter, err := os.ReadFile("../catalog/weir.example.yaml")
	require.NoError(t, err)
	parsed, err := catalog.Parse(starter)
	require.NoError(t, err)
	for name, feature := range parsed.Features {
		_, err := validators.Compile(feature.Validators, feature.OutputSchema)
		require.NoError(t, err, name)
	}
}
