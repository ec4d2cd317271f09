package main

import (
	"math"
	"math/rand/v2"
	"slices"
)

// zipf draws of n keys, 0 to n-1, the k-th with a probability that is proportional to (k+1)^-skew. Unlike rand.Zipf it
// takes skews up to 1 too, which most published ones are.
type zipf struct {
	r     *rand.Rand
	up    []float64 // to and with each key, of total
	total float64
}

func newZipf(r *rand.Rand, skew float64, n int) *zipf {
	z := &zipf{r: r, up: make([]float64, n)}
	for k := range z.up {
		z.total += math.Pow(float64(k+1), -skew)
		z.up[k] = z.total
	}
	return z
}

func (z *zipf) next() int {
	k, _ := slices.BinarySearch(z.up, z.r.Float64()*z.total)
	return min(k, len(z.up)-1)
}

// seeded is a source of numbers that are the same each time.
func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }
