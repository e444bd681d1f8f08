package pricing_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/pricing"
)

func TestLint(t *testing.T) {
	t.Parallel()
	const flat = "\n        bands: [{input: \"1\", output: \"1\"}]\n"
	later := strings.NewReplacer("2026-01-01", "2026-02-01", "in_force", "announced").Replace(row) + flat
	tests := []struct {
		name    string
		content string
		now     string
		want    []string
	}{
		{"Fresh", acme(""), "2026-02-16", nil},
		{"CheckedLongAgo", acme(""), "2026-02-17", []string{
			"warning: acme/small@2026-01-01: last checked on 2026-01-02, more than 45 days ago",
		}},
		{"CheckedInTheFuture", acme(""), "2025-12-31", []string{
			"warning: acme/small@2026-01-01: checked on 2026-01-02, which is still to come",
		}},
		{"CheckedTomorrow", acme(""), "2026-01-01", nil},
		{"DearReads", strings.Replace(acme(""), `cache_read: "0.2"`, `cache_read: "2.1"`, 1), "2026-01-03", []string{
			"error: acme/small@2026-01-01: cache reads are dearer than the input",
		}},
		{"DearModes", acme("        modes: {batch: \"3/2\", flex: \"1\", priority: \"2\"}\n"), "2026-01-03", []string{
			"error: acme/small@2026-01-01: batch is dearer than the list price",
		}},
		{"DearModeOfItsOwn", acme("        modes: {flex: {bands: [{input: \"0.5\", output: \"5\"}]}}\n"), "2026-01-03", []string{
			"error: acme/small@2026-01-01: flex is dearer than the list price",
		}},
		{
			"SuccessorWithLess", acme("        until: 2026-02-01\n        modes: {batch: \"1/2\", flex: \"1/2\"}\n        per_unit: {web_search_1k: \"10\"}\n") +
				strings.Replace(later, "announced", "in_force", 1) + "        modes: {flex: \"1/2\"}\n", "2026-01-15",
			[]string{
				"warning: acme/small@2026-02-01: has no rate for cache_read, which acme/small@2026-01-01 has",
				"warning: acme/small@2026-02-01: has no rate for cache_write_5m, which acme/small@2026-01-01 has",
				"warning: acme/small@2026-02-01: has no mode batch, which acme/small@2026-01-01 has",
				"warning: acme/small@2026-02-01: has no price of searches, which acme/small@2026-01-01 has",
			},
		},
		{"EndedRowsAreHistory", acme("        until: 2026-02-01\n"), "2026-09-01", nil},
		{"BandThatGetsCheaper", strings.Replace(acme(""), `output: "6"`, `output: "3"`, 1), "2026-01-03", []string{
			"error: acme/small@2026-01-01: band 2 is cheaper than the band before it",
		}},
		{"EndsWithoutSuccessor", acme("        until: 2026-04-01\n"), "2026-01-31", []string{
			"warning: acme/small@2026-01-01: ends on 2026-04-01, and no price in force follows",
		}},
		{"EndsInAWhile", acme("        until: 2026-04-01\n"), "2026-01-30", nil},
		{"Retires", retiring("2026-04-01", ""), "2026-01-31", []string{"warning: acme/small: retires on 2026-04-01"}},
		{"RetiresInAWhile", retiring("2026-04-01", ""), "2026-01-30", nil},
		{"Retired", retiring("2026-01-10", ""), "2026-01-10", []string{"warning: acme/small: retired on 2026-01-10"}},
		{"RetiresWithItsPrice", retiring("2026-02-10", "        until: 2026-02-10\n"), "2026-01-20", []string{
			"warning: acme/small: retires on 2026-02-10",
		}},
		{"PriceEndsBeforeTheModel", retiring("2026-02-10", "        until: 2026-02-09\n"), "2026-01-20", []string{
			"warning: acme/small: retires on 2026-02-10",
			"warning: acme/small@2026-01-01: ends on 2026-02-09, and no price in force follows",
		}},
		{"RetiredWithItsPrice", retiring("2026-01-10", "        until: 2026-01-10\n"), "2026-01-10", nil},
		{"EndsWithSuccessor", head + row + "\n        until: 2026-02-01" + flat + strings.Replace(later, "announced", "in_force", 1), "2026-01-15", nil},
		{"AnnouncedSuccessor", acme("        until: 2026-02-01\n") + later, "2026-01-15", []string{
			"warning: acme/small@2026-01-01: ends on 2026-02-01, and no price in force follows: acme/small@2026-02-01 is only announced",
		}},
		{"AnnouncedDayHasCome", acme("        until: 2026-02-01\n") + later, "2026-02-01", []string{
			"warning: acme/small@2026-02-01: announced for 2026-02-01, which has come: put it in force or take it out",
		}},
		{"AnnouncedRunsIntoOneInForce", acme("") + later, "2026-01-15", []string{
			"error: acme/small@2026-02-01: announced for a time when acme/small@2026-01-01 is in force: give that one an until",
		}},
		{"AnnouncedBeforeOneInForce", head + strings.NewReplacer("2026-01-02", "2025-11-02", "2026-01-01", "2025-12-01", "in_force", "announced").Replace(row) + flat +
			strings.NewReplacer("2026-01-02", "2025-11-02", "2026-01-01", "2026-02-01").Replace(row) + flat, "2025-11-20", []string{
			"error: acme/small@2025-12-01: announced for a time when acme/small@2026-02-01 is in force: give that one an until",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			now, err := time.Parse(time.DateOnly, tt.now)
			require.NoError(t, err)
			require.Equal(t, tt.want, texts(mustBook(t, tt.content).Lint(now)))
		})
	}
}

func texts(found []pricing.Finding) []string {
	var out []string
	for _, f := range found {
		out = append(out, f.String())
	}
	return out
}

func TestLint_Embedded(t *testing.T) {
	t.Parallel()
	found := slices.DeleteFunc(texts(mustEmbedded(t).Lint(november())), func(s string) bool {
		return strings.Contains(s, "checked on") // age is for a person with network access
	})
	require.Equal(t, []string{
		"warning: anthropic/claude-sonnet-4-5: retires on 2026-11-30",
		"warning: google/gemini-3.8-flash@2026-09-02: ends on 2027-01-01, and no price in force follows: " +
			"google/gemini-3.8-flash@2027-01-01 is only announced",
	}, found)
}

// TestLint_EmbeddedIsFreeOfErrorsForever: what make check refuses never comes with time.
func TestLint_EmbeddedIsFreeOfErrorsForever(t *testing.T) {
	t.Parallel()
	book := mustEmbedded(t)
	for years := range 10 {
		for _, f := range book.Lint(november().AddDate(years-2, 0, 0)) {
			require.Equal(t, pricing.Warning, f.Severity, "%s", f)
		}
	}
}
