package pricing_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/pricing"
	"github.com/weirhq/weir/task"
)

func TestCPUO(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		total  task.Pico
		useful int64
		want   string
	}{
		{"SmallModel71Percent", 100 * task.USD / 500, 71, "0.0028"},
		{"LargeModel96Percent", 100 * task.USD / 25, 96, "0.0417"},
		{"Cascade96Percent", 100 * task.USD / 125, 96, "0.0083"},
		{"NothingSpent", 0, 3, "0.0000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cpuo, ok := pricing.CPUO(tt.total, tt.useful)
			require.True(t, ok)
			require.Equal(t, tt.want, pricing.Round(cpuo, 4))
		})
	}
	for _, useful := range []int64{0, -1} {
		_, ok := pricing.CPUO(task.USD, useful)
		require.False(t, ok, "nothing useful has no cost per useful output")
	}
}

func TestCPUO_RoundsHalfToEven(t *testing.T) {
	t.Parallel()
	for total, want := range map[task.Pico]task.Pico{1: 0, 3: 2, 5: 2, 7: 4, -1: 0, -3: -2, -5: -2} {
		got, ok := pricing.CPUO(total, 2)
		require.True(t, ok)
		require.Equal(t, want, got, "%d / 2", total)
	}
}

func TestCPUO_AgreesWithRationals(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		total := task.Pico(random.Uint64() >> random.IntN(64)) // every size, both signs
		useful := int64(random.Uint64()>>(1+random.IntN(62))) + 1
		if useful < 1 {
			continue
		}
		got, ok := pricing.CPUO(total, useful)
		require.True(t, ok)
		require.Equal(t, halfEven(big.NewRat(int64(total), useful)).Int64(), int64(got), "%d / %d", total, useful)
	}
}

func TestRound(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		amount   task.Pico
		decimals int
		want     string
	}{
		{"TieToEvenDown", task.USD / 1000 * 125, 2, "0.12"},
		{"TieToEvenUp", task.USD / 1000 * 375, 2, "0.38"},
		{"AboveTie", task.USD/1000*125 + 1, 2, "0.13"},
		{"CarriesIntoDollars", task.USD - 1, 4, "1.0000"},
		{"KeepsZeros", task.USD, 2, "1.00"},
		{"NoDecimals", task.USD / 2 * 3, 0, "2"},
		{"AllDecimals", 1, 12, "0.000000000001"},
		{"MoreThanAll", 1, 99, "0.000000000001"},
		{"FewerThanNone", task.USD, -1, "1"},
		{"Negative", -task.USD / 1000 * 125, 2, "-0.12"},
		{"NegativeThatVanishes", -1, 2, "0.00"},
		{"Largest", math.MaxInt64, 12, "9223372.036854775807"},
		{"Least", math.MinInt64, 12, "-9223372.036854775808"},
		{"LeastRounded", math.MinInt64, 0, "-9223372"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, pricing.Round(tt.amount, tt.decimals))
		})
	}
}

func TestParseRate(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]task.Pico{
		"0": 0, "0.000001": 1, "0.125": 125_000, "2": 2_000_000, "0.003625": 3_625, "12.50": 12_500_000, "1000000": task.USD,
	} {
		got, err := pricing.ParseRate(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{
		"", ".", ".5", "5.", "-1", "+1", "1e3", "1_000", "1,5", " 1", "0.0000001", "0.1250000", "1000000.000001", "NaN", "0x1",
		"99999999999999999999", "000000000000000000000000000000001",
	} {
		_, err := pricing.ParseRate(text)
		require.Error(t, err, "%q", text)
	}
}
