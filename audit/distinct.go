package audit

import (
	"hash/fnv"
	"math"
	"math/bits"
)

// distinctBits is the size of a distinct: 2^10 registers, a standard error of 3.3 %.
const distinctBits = 10

// distinct counts different names in a kilobyte, approximately: P. Flajolet, É. Fusy, O. Gandouet, F. Meunier, HyperLogLog: the
// analysis of a near-optimal cardinality estimation algorithm (2007), with linear counting for few.
type distinct struct{ registers []uint8 }

func newDistinct() *distinct { return &distinct{} }

func (d *distinct) add(name string) {
	if d.registers == nil {
		d.registers = make([]uint8, 1<<distinctBits)
	}
	h := hashed(name)
	i := h >> (64 - distinctBits)
	rank := uint8(bits.LeadingZeros64(h<<distinctBits|1<<(distinctBits-1)) + 1) //nolint:gosec // at most 64
	d.registers[i] = max(d.registers[i], rank)
}

func (d *distinct) count() int64 {
	if d.registers == nil {
		return 0
	}
	m := float64(len(d.registers))
	sum, empty := 0.0, 0.0
	for _, rank := range d.registers {
		sum += math.Exp2(-float64(rank))
		if rank == 0 {
			empty++
		}
	}
	estimate := 0.7213 / (1 + 1.079/m) * m * m / sum
	if estimate <= 2.5*m && empty > 0 {
		estimate = m * math.Log(m/empty)
	}
	return int64(math.Round(estimate))
}

// hashed is 64 bits that are the same in every run: FNV-1a, mixed as SplitMix64 does, since the highest bits of FNV's are
// alike for short names.
func hashed(name string) uint64 {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(name)) // never fails
	h := sum.Sum64()
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
