//go:build !race

// The race detector makes a simulation ten times as slow, and has nothing to find in one goroutine.

package cache

import (
	"fmt"
	"hash/maphash"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// workloads are sequences of keys, as functions of the number of keys and of requests.
var workloads = []struct {
	name string
	next func(rng *rand.Rand, keys int) func(i int) int
}{
	{"zipf 0.7", func(rng *rand.Rand, keys int) func(int) int {
		z := zipf(rng, .7, keys)
		return func(int) int { return z() }
	}},
	{"zipf 1.01", func(rng *rand.Rand, keys int) func(int) int {
		z := zipf(rng, 1.01, keys)
		return func(int) int { return z() }
	}},
	{"zipf 1.01, a third scans", func(rng *rand.Rand, keys int) func(int) int {
		z := zipf(rng, 1.01, keys)
		return func(i int) int {
			if i%3 == 0 {
				return keys + i/3%keys
			}
			return z()
		}
	}},
	{"zipf 1.01, whose ranks shift", func(rng *rand.Rand, keys int) func(int) int {
		z := zipf(rng, 1.01, keys)
		return func(i int) int { return (z() + i/50_000*keys/10) % keys }
	}},
}

// accuracy compares the estimates of one workload with caches of full size, entry by entry.
func accuracy(t testing.TB, workload int, entries, keys, requests int) (table string, mae, rate float64) {
	t.Helper()
	const weight = 1000
	rng := rand.New(rand.NewPCG(1, uint64(workload)))
	next := workloads[workload].next(rng, keys)
	seen := int64(0)
	s := newSimulator(int64(entries)*weight, false, func() int64 { return seen })
	defer s.close()
	var full []*miniature
	for _, c := range capacities {
		m := newMiniature(c.factor * float64(entries) * weight)
		defer m.otter.StopAllGoroutines()
		full = append(full, m)
	}
	known := map[int]*entry{}
	hits := make([]int, len(full))
	now := time.Now()
	for i := range requests {
		key := next(i)
		e := known[key]
		if e == nil {
			e = &entry{lifetime: lifetime{created: now, expires: now.Add(time.Hour)}, weight: weight, hash: maphash.Comparable(s.seed, key)}
			known[key] = e
		}
		for j, m := range full {
			if m.has(uint64(key), now) {
				hits[j]++
			} else {
				m.otter.Set(uint64(key), simulated{weight, e.expires})
			}
		}
		seen++
		s.observe(e)
	}
	var b strings.Builder
	for i, c := range capacities {
		want, got := float64(hits[i])/float64(requests), s.ratio(i)
		mae += math.Abs(got-want) / float64(len(capacities))
		fmt.Fprintf(&b, "  ×%s %.3f (%.3f)", c.label, got, want)
	}
	return b.String(), mae, s.rate()
}

// TestWhatIfIsAccurate holds the miniatures against caches of full size.
func TestWhatIfIsAccurate(t *testing.T) {
	for i, w := range workloads {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			table, mae, rate := accuracy(t, i, 25_000, 250_000, 500_000)
			t.Logf("R = %.3f, estimated (in full):%s; mean absolute error %.4f", rate, table, mae)
			if mae > .02 {
				t.Errorf("mean absolute error %.4f, want at most 0.02", mae)
			}
			if rate > .3 {
				t.Errorf("R = %.3f: that is no miniature", rate)
			}
		})
	}
}

// BenchmarkWhatIfAccuracy is the same at a rate of 0.01, which takes minutes.
func BenchmarkWhatIfAccuracy(b *testing.B) {
	for i, w := range workloads {
		b.Run(w.name, func(b *testing.B) {
			for b.Loop() {
				table, mae, rate := accuracy(b, i, 450_000, 4_000_000, 6_000_000)
				b.Logf("R = %.4f, estimated (in full):%s; mean absolute error %.4f", rate, table, mae)
				b.ReportMetric(mae, "MAE")
			}
		})
	}
}
