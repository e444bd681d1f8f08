package task_test

import (
	"encoding/json"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/task"
)

func TestParseUSD(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		literal string
		want    task.Pico
		text    string
		reason  string
	}{
		{"Whole", "12", 12 * task.USD, "12", ""},
		{"Cents", "0.05", 50_000_000_000, "0.05", ""},
		{"Smallest", "0.000000000001", 1, "0.000000000001", ""},
		{"TrailingZeros", "1.500", 1_500_000_000_000, "1.5", ""},
		{"LeadingZeros", "007", 7 * task.USD, "7", ""},
		{"Negative", "-0.25", -250_000_000_000, "-0.25", ""},
		{"NegativeZero", "-0", 0, "0", ""},
		{"Largest", "9223372.036854775807", math.MaxInt64, "9223372.036854775807", ""},
		{"Least", "-9223372.036854775808", math.MinInt64, "-9223372.036854775808", ""},
		{"AboveLargest", "9223372.036854775808", 0, "", "out of range"},
		{"BelowLeast", "-9223372.036854775809", 0, "", "out of range"},
		{"TooFine", "0.0000000000001", 0, "", "more than 12 decimals"},
		{"TooLong", strings.Repeat("0", 33), 0, "", "longer than 32 characters"},
		{"Empty", "", 0, "", "write a decimal"},
		{"Minus", "-", 0, "", "write a decimal"},
		{"TwoMinus", "--1", 0, "", "write a decimal"},
		{"Plus", "+1", 0, "", "write a decimal"},
		{"NoWhole", ".5", 0, "", "write a decimal"},
		{"NoFraction", "5.", 0, "", "write a decimal"},
		{"TwoPoints", "1.2.3", 0, "", "write a decimal"},
		{"Exponent", "1e3", 0, "", "write a decimal"},
		{"Separator", "1,000", 0, "", "write a decimal"},
		{"Dollar", "$1", 0, "", "write a decimal"},
		{"Space", " 1", 0, "", "write a decimal"},
		{"OtherDigits", "١", 0, "", "write a decimal"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := task.ParseUSD(tt.literal)

			require.Equal(t, tt.want, got)
			if tt.reason == "" {
				require.NoError(t, err)
				require.Equal(t, tt.text, got.String())
				return
			}
			require.ErrorIs(t, err, task.ErrMoney)
			require.ErrorContains(t, err, tt.reason)
		})
	}
}

func TestPico_StringIsExact(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		want := task.Pico(random.Uint64() >> random.IntN(64)) // all magnitudes, both signs
		exact, ok := new(big.Rat).SetString(want.String())
		require.True(t, ok)
		require.Zero(t, exact.Cmp(big.NewRat(int64(want), int64(task.USD))), want.String())

		back, err := task.ParseUSD(want.String())
		require.NoError(t, err)
		require.Equal(t, want, back)
	}
}

func TestPico_JSONIsText(t *testing.T) {
	t.Parallel()
	body, err := json.Marshal(map[string]task.Pico{"cost_usd": 2_800_000_000})
	require.NoError(t, err)
	require.JSONEq(t, `{"cost_usd":"0.0028"}`, string(body))

	var back map[string]task.Pico
	require.NoError(t, json.Unmarshal(body, &back))
	require.Equal(t, task.Pico(2_800_000_000), back["cost_usd"])
	require.Error(t, json.Unmarshal([]byte(`{"cost_usd":0.0028}`), &back), "money is never a JSON number")
	require.ErrorIs(t, json.Unmarshal([]byte(`{"cost_usd":"x"}`), &back), task.ErrMoney)
}
