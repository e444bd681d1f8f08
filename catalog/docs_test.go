package catalog_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/catalog"
)

func TestDocs(t *testing.T) {
	t.Parallel()

	page, err := os.ReadFile("../docs/configuration.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(page), "```yaml\n")
	require.True(t, found)
	example, _, _ := strings.Cut(rest, "```")

	t.Run("ExampleParses", func(t *testing.T) {
		t.Parallel()

		_, err := catalog.Parse([]byte(example))
		require.NoError(t, err)
	})
	t.Run("MistakesAreShownAsTheyAre", func(t *testing.T) {
		t.Parallel()

		wrong := strings.NewReplacer("L1: [haiku", "L1: [haku", `"0.50"`, "0.50").Replace(example)
		_, err := catalog.Parse([]byte(wrong))
		require.Error(t, err)
		for sentence := range strings.SplitSeq(err.Error(), "\n") {
			require.Contains(t, string(page), "  "+sentence+"\n")
		}
	})
	t.Run("EveryKeyIsDescribed", func(t *testing.T) {
		t.Parallel()

		full, err := os.ReadFile("testdata/full.yaml") // TestParse_EveryKey reads it
		require.NoError(t, err)
		free := map[string]bool{"pattern": true, "type": true, "values": true, "case_fold": true, "local": true, "family": true} // names and free-form keys
		for _, key := range regexp.MustCompile(`[a-z_][a-z0-9_]{3,}(?:: |:\n)`).FindAllString(string(full), -1) {
			key = strings.TrimRight(key, ": \n")
			if !free[key] {
				described := regexp.MustCompile("(?m)^\\| .*`" + key + "`|^## " + key + "$|`lanes\\." + key + "`")
				require.True(t, described.Match(page), "%s is not described", key)
			}
		}
	})
}
