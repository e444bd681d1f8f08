// Package dice is the chance that the simulator plays with: streams of numbers that follow from a seed and from what
// they are asked about, so that the same question falls the same way in every run, order and process.
package dice

import "math/bits"

// The odd constants of the mixing step: fractional digits of the golden ratio, of pi and of e.
const (
	golden = 0x9e3779b97f4a7c15
	piece  = 0x243f6a8885a308d3
	euler  = 0xb7e151628aed2a6b
)

// Hash is a 64-bit digest of the data under a seed. It is quick, not cryptographic, and the same on every machine.
func Hash[T ~string | ~[]byte](seed uint64, data T) uint64 {
	h := mix(seed^piece, uint64(len(data))+golden)
	i := 0
	for ; i+16 <= len(data); i += 16 {
		h = mix(word(data, i)^h, word(data, i+8)^euler)
	}
	var tail [16]byte
	copy(tail[:], data[i:])
	h = mix(word(tail[:], 0)^h, word(tail[:], 8)^piece)
	return mix(h, golden)
}

// word reads eight bytes. It is written out so that a string need not be copied for it.
func word[T ~string | ~[]byte](data T, i int) uint64 {
	_ = data[i+7]
	return uint64(data[i]) | uint64(data[i+1])<<8 | uint64(data[i+2])<<16 | uint64(data[i+3])<<24 |
		uint64(data[i+4])<<32 | uint64(data[i+5])<<40 | uint64(data[i+6])<<48 | uint64(data[i+7])<<56
}

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// Dice is one stream of numbers. It belongs to one goroutine.
type Dice struct{ state uint64 }

// New starts the stream that belongs to a seed and a purpose; other purposes have streams that tell nothing of it.
func New(seed uint64, purpose string) *Dice {
	return &Dice{state: Hash(seed, purpose)}
}

// Uint64 is the next number of the stream (splitmix64).
func (d *Dice) Uint64() uint64 {
	d.state += golden
	z := d.state
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// Below is a number from 0 to n-1, and 0 when n is not above 0.
func (d *Dice) Below(n int) int {
	if n <= 0 {
		return 0
	}
	hi, _ := bits.Mul64(d.Uint64(), uint64(n))
	return int(hi) //nolint:gosec // hi is below n
}

// Between is a number from low to high, both inclusive.
func (d *Dice) Between(low, high int) int { return low + d.Below(high-low+1) }

// Hits says yes in so many cases of a thousand.
func (d *Dice) Hits(perMille int) bool { return d.Below(1000) < perMille }

// Normal is a number around 0 with a standard deviation of 1,000, never beyond 6,000: the sum of twelve even numbers
// needs no function whose last digit differs between machines.
func (d *Dice) Normal() int {
	sum := 0
	for range 12 {
		sum += d.Below(1001)
	}
	return sum - 6000
}

// LogNormal is a number whose logarithm is normal: half of them are below the median, and spread is the deviation of
// the natural logarithm in thousandths. It is never beyond a thousand times the median.
func (d *Dice) LogNormal(median, spread int) int {
	exponent := d.Normal() * spread / 1000 // of e, in thousandths
	return scale(median, exponent)
}

// scale is n times e to the power of so many thousandths, in whole numbers.
func scale(n, exponent int) int {
	const most = 6900 // e^6.9 is just below a thousand
	exponent = max(-most, min(most, exponent))
	const unit = 1 << 20
	factor := 1 * unit
	for ; exponent >= 100; exponent -= 100 {
		factor = factor * 1105171 / 1_000_000 // e^0.1
	}
	for ; exponent <= -100; exponent += 100 {
		factor = factor * 904837 / 1_000_000 // e^-0.1
	}
	// e^x is 1 + x + x²/2 + x³/6 to five digits for |x| below 0.1.
	x := exponent * unit / 1000
	near := unit + x + x*x/unit/2 + x*x/unit*x/unit/6
	return n * (factor * near / unit) / unit
}

// Pick is one of the values, each as likely as the others. There must be one.
func Pick[T any](d *Dice, from []T) T { return from[d.Below(len(from))] }

// Shuffle puts the values into another order.
func Shuffle[T any](d *Dice, values []T) {
	for i := len(values) - 1; i > 0; i-- {
		j := d.Below(i + 1)
		values[i], values[j] = values[j], values[i]
	}
}
