package model

// nearest is how many prototypes a task is compared with.
const nearest = 5

// Similarity is the mean cosine of a vector to its nearest five of the prototypes, all of length 1, one after another; 1
// without prototypes. The zero vector is like nothing: 0.
func Similarity(v, prototypes []float32) float64 {
	if len(prototypes) == 0 {
		return 1
	}
	count := min(nearest, len(prototypes)/len(v))
	var top [nearest]float32 // falling
	for i := range top {
		top[i] = -2
	}
	for ; len(prototypes) > 0; prototypes = prototypes[len(v):] {
		cosine := dot(v, prototypes[:len(v)])
		for i := range count {
			if cosine > top[i] {
				cosine, top[i] = top[i], cosine
			}
		}
	}
	sum := 0.0
	for _, cosine := range top[:count] {
		sum += float64(cosine)
	}
	return sum / float64(count)
}

// dot has four sums, which a processor adds at the same time. Each product is rounded by its own conversion, because a
// compiler may otherwise fuse it with the addition on some architectures and not on others.
func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	for len(a) >= 4 && len(b) >= 4 {
		s0 += float32(a[0] * b[0])
		s1 += float32(a[1] * b[1])
		s2 += float32(a[2] * b[2])
		s3 += float32(a[3] * b[3])
		a, b = a[4:], b[4:]
	}
	for i := range a {
		s0 += float32(a[i] * b[i])
	}
	return (s0 + s1) + (s2 + s3)
}
