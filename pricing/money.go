package pricing

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/weirhq/weir/task"
)

// ErrOverflow is wrapped by every error that means an amount beyond what a Pico holds, 9.2 million USD.
var ErrOverflow = errors.New("amount out of range")

// CPUO is the cost per useful output: total / useful, rounded half to even to a pico-USD. It is false without a useful
// output, when no such figure exists.
func CPUO(total task.Pico, useful int64) (task.Pico, bool) {
	if useful <= 0 {
		return 0, false
	}
	cpuo, err := mulDiv(total, 1, useful)
	return cpuo, err == nil
}

// Round writes an amount in USD with exactly that many decimals, from 0 to 12, rounded half to even. It is for display
// only: sums are made of exact amounts.
func Round(p task.Pico, decimals int) string {
	const all = 12
	decimals = max(0, min(all, decimals))
	unit, scale := int64(1), uint64(1)
	for range all - decimals {
		unit *= 10
	}
	for range decimals {
		scale *= 10
	}
	rounded, _ := mulDiv(p, 1, unit) // a quotient cannot overflow
	sign := ""
	if rounded < 0 {
		sign = "-"
	}
	whole, fraction := magnitude(rounded)/scale, magnitude(rounded)%scale
	if decimals == 0 {
		return fmt.Sprintf("%s%d", sign, whole)
	}
	return fmt.Sprintf("%s%d.%0*d", sign, whole, decimals, fraction)
}

// scale is p times an exact multiplier, rounded half to even.
func scale(p task.Pico, by ratio) (task.Pico, error) { return mulDiv(p, by.num, by.den) }

// mul is count times rate, both at least 0.
func mul(count int64, rate task.Pico) (task.Pico, error) {
	high, low := bits.Mul64(magnitude(task.Pico(count)), magnitude(rate))
	return fit(high, low, false)
}

func add(a, b task.Pico) (task.Pico, error) {
	sum := a + b
	if (sum > a) != (b > 0) {
		return 0, ErrOverflow
	}
	return sum, nil
}

// mulDiv is p * num / den, rounded half to even, over a 128-bit product. num is at least 0 and den at least 1.
func mulDiv(p task.Pico, num, den int64) (task.Pico, error) {
	high, low := bits.Mul64(magnitude(p), magnitude(task.Pico(num)))
	divisor := magnitude(task.Pico(den))
	if high >= divisor { // the quotient needs more than 64 bits
		return 0, ErrOverflow
	}
	quotient, rest := bits.Div64(high, low, divisor)
	carry := uint64(0)
	if twice := 2 * rest; twice > divisor || (twice == divisor && quotient%2 == 1) { // rest < 2^63, so twice fits
		quotient, carry = bits.Add64(quotient, 1, 0)
	}
	return fit(carry, quotient, p < 0)
}

// magnitude is the absolute value; that of the least int64 fits too.
func magnitude(p task.Pico) uint64 {
	if p < 0 {
		return -uint64(p) //nolint:gosec // two's complement: the negation is the absolute value
	}
	return uint64(p)
}

// fit is the amount of a 128-bit magnitude and a sign.
func fit(high, low uint64, negative bool) (task.Pico, error) {
	const limit = 1 << 63
	switch {
	case high == 0 && low < limit && negative:
		return -task.Pico(low), nil //nolint:gosec // below the limit
	case high == 0 && low < limit:
		return task.Pico(low), nil //nolint:gosec // below the limit
	case high == 0 && low == limit && negative:
		return -limit, nil
	}
	return 0, ErrOverflow
}
