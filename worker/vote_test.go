package worker_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/task"
)

func TestVote(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                   string
		luna, low, sol, astra  string
		models                 []string
		verdicts               []string
		validators             []string
		output, model          string
		cost                   string
		hinted                 bool
		accepted, rejectedLast string
	}{
		{
			name: "TwoOfTwo", luna: "yes", low: "Yes.", models: []string{"luna", "low"}, verdicts: []string{"rejected", "accepted"},
			validators: []string{"agreement@1", "agreement@1"}, output: "Yes.", model: "low", accepted: "the same answer from luna, low",
			rejectedLast: "1 of the 2 models that have to agree have given this answer",
		},
		{
			name: "TheThirdDecides", luna: "yes", low: "no", sol: "no", models: []string{"luna", "low", "sol"},
			verdicts:   []string{"rejected", "rejected", "accepted"},
			validators: []string{"agreement@1", "agreement@1", "agreement@1"}, output: "no", model: "sol", accepted: "the same answer from low, sol",
			rejectedLast: "1 of the 2 models that have to agree have given this answer",
		},
		{
			name: "ThreeAnswersGoToTheLast", luna: "yes", low: "no", sol: "perhaps", astra: "yes",
			models: []string{"luna", "low", "sol", "astra"}, verdicts: []string{"rejected", "rejected", "rejected", "accepted"},
			validators: []string{"agreement@1", "agreement@1", "enum@1", ""}, output: "yes", model: "astra", hinted: true,
		},
		{
			name: "WhoCannotSettleItIsNotAsked", luna: "maybe", low: "perhaps", astra: "no", models: []string{"luna", "low", "astra"},
			verdicts: []string{"rejected", "rejected", "accepted"}, validators: []string{"enum@1", "enum@1", ""}, output: "no", model: "astra",
			hinted: true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, map[string][]answer{
				"gpt-6-luna": {say(c.luna)}, "gpt-6-sol": {say(c.low)}, "gpt-6.2-sol": {say(c.sol)}, "gpt-6.2-astra": {say(c.astra)},
			})
			b.publish(t, `{"id":"a","feature":"agreed","input":"Is it?"}`)
			r := b.result(t)
			require.Equal(t, task.Succeeded, r.Status, r.Reason)
			require.Equal(t, c.output, r.Output)
			require.Equal(t, c.model, r.Model)
			var models, verdicts, by []string
			for _, a := range b.attempts(t, "a") {
				models, verdicts = append(models, a.Model), append(verdicts, *a.Verdict)
				validator := ""
				if a.Validator != nil {
					validator = *a.Validator
				}
				by = append(by, validator)
			}
			require.Equal(t, c.models, models)
			require.Equal(t, c.verdicts, verdicts)
			require.Equal(t, c.validators, by)
			if c.accepted != "" {
				require.Equal(t, []string{c.accepted, c.rejectedLast}, b.lastReasons(t))
			}
			b.fake.mu.Lock()
			defer b.fake.mu.Unlock()
			last := b.fake.prompts[len(b.fake.prompts)-1]
			if c.hinted {
				require.Contains(t, last, "rejected by a check")
			} else {
				require.NotContains(t, last, "rejected by a check", "nothing is known to be wrong with an answer that nobody shares")
			}
		})
	}
}

// lastReasons are those of the last two attempts, the newer first.
func (b *testBundle) lastReasons(t *testing.T) []string {
	t.Helper()
	rows, err := b.pool.Query(t.Context(), `SELECT reason FROM weir.attempts ORDER BY n DESC LIMIT 2`)
	require.NoError(t, err)
	defer rows.Close()
	var reasons []string
	for rows.Next() {
		var reason string
		require.NoError(t, rows.Scan(&reason))
		reasons = append(reasons, reason)
	}
	require.NoError(t, rows.Err())
	return reasons
}
