package train

import (
	"math"
	"math/rand/v2"
)

const (
	prototypeRounds = 8 // after which few examples still change their prototype
	maxSample       = 8192
)

// prototypes are k points that the examples' vectors lie around, of length 1, by k-means over the sphere. Fewer examples
// than k, or fewer different ones, give fewer points. Of very many examples a sample is looked at.
func prototypes(set *Set, k int, seed uint64) []float32 {
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // it must be repeatable
	var points [][]float32
	for _, e := range set.Examples {
		if !zero(e.Embedding) {
			points = append(points, e.Embedding)
		}
	}
	if len(points) > maxSample {
		random.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
		points = points[:maxSample]
	}
	if len(points) == 0 {
		return nil
	}
	centres := spread(points, k, random)
	for range prototypeRounds {
		centres = means(points, centres)
	}
	var flat []float32
	for _, c := range centres {
		flat = append(flat, c...)
	}
	return flat
}

// spread chooses k of the points, each the likelier the farther it is from those before (k-means++).
func spread(points [][]float32, k int, random *rand.Rand) [][]float32 {
	centres := [][]float32{points[random.IntN(len(points))]}
	far := make([]float64, len(points))
	for i := range far {
		far[i] = math.Inf(1)
	}
	for len(centres) < k {
		sum := 0.0
		for i, p := range points {
			far[i] = min(far[i], max(0, 1-cosine(p, centres[len(centres)-1])))
			sum += far[i]
		}
		if sum < 1e-9 { // every point is a centre
			break
		}
		at, target := 0, random.Float64()*sum
		for target -= far[at]; target > 0 && at < len(points)-1; target -= far[at] {
			at++
		}
		centres = append(centres, points[at])
	}
	return centres
}

// means moves each centre to the mean of the points that it is nearest to. One that lost all of its points is dropped.
func means(points, centres [][]float32) [][]float32 {
	dim := len(centres[0])
	sums := make([]float64, len(centres)*dim)
	for _, p := range points {
		best, highest := 0, math.Inf(-1)
		for c := range centres {
			if s := cosine(p, centres[c]); s > highest {
				best, highest = c, s
			}
		}
		for d, x := range p {
			sums[best*dim+d] += float64(x)
		}
	}
	var moved [][]float32
	for c := range centres {
		sum, norm := sums[c*dim:(c+1)*dim], 0.0
		for _, x := range sum {
			norm += float64(x * x)
		}
		if norm < 1e-12 {
			continue
		}
		centre := make([]float32, dim)
		for d, x := range sum {
			centre[d] = float32(x / math.Sqrt(norm))
		}
		moved = append(moved, centre)
	}
	return moved
}

// cosine is that of two vectors of length 1.
func cosine(a, b []float32) float64 {
	b = b[:len(a)]
	var s0, s1 float32
	for i := 0; i+1 < len(a); i += 2 {
		s0 += float32(a[i] * b[i])
		s1 += float32(a[i+1] * b[i+1])
	}
	if len(a)%2 == 1 {
		s0 += float32(a[len(a)-1] * b[len(a)-1])
	}
	return float64(s0 + s1)
}

func zero(v []float32) bool {
	for _, x := range v {
		if x != 0 {
			return false
		}
	}
	return true
}
