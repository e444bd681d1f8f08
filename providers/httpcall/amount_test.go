package httpcall

import (
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/weirhq/weir/task"
)

func TestAmount(t *testing.T) {
	t.Parallel()
	for literal, want := range map[string]task.Pico{
		"0":                      0,
		"0.0":                    0,
		"1":                      task.USD,
		"0.0016150000000000001":  1_615_000_000,
		"9.5e-06":                9_500_000,
		"1E-12":                  1,
		"0.000000000001":         1,
		"0.0000000000005":        0, // half to even
		"0.0000000000015":        2,
		"0.00000000000150000001": 2,
		"1e-40":                  0,
		" 0.25 ":                 task.USD / 4,
		"9223372.036854775807":   9_223_372_036_854_775_807,
	} {
		got := Amount(literal, task.USD)
		require.NotNil(t, got, literal)
		require.Equal(t, want, *got, literal)
	}
	ticks := Amount("37756000", 100)
	require.Equal(t, task.Pico(3_775_600_000), *ticks)
	for _, literal := range []string{
		"", "null", "true", `"1"`, "-1", "-0", "+1", ".5", "5.", "01", "1/3", "0x10", "1e", "1e999999999", "1e-999999999",
		"1_000", "NaN", "Infinity", "9223372.036854775808", "1e30", strings.Repeat("1", 65), "1 2", "[1]",
	} {
		require.Nil(t, Amount(literal, task.USD), literal)
	}
}

func FuzzAmount(f *testing.F) {
	for _, literal := range []string{"0.0016150000000000001", "9.5e-06", "1e40", "-1", "1/3", "0x1p-2", "12345678.9"} {
		f.Add(literal)
	}
	f.Fuzz(func(t *testing.T, literal string) {
		got := Amount(literal, task.USD)
		if got == nil {
			return
		}
		exact, ok := new(big.Rat).SetString(strings.TrimSpace(literal))
		require.True(t, ok)
		exact.Mul(exact, big.NewRat(int64(task.USD), 1))
		off := exact.Sub(exact, big.NewRat(int64(*got), 1))
		require.LessOrEqual(t, off.Abs(off).Cmp(big.NewRat(1, 2)), 0, "more than half a pico-USD off")
	})
}
