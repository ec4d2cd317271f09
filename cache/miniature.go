package cache

import (
	"time"

	"github.com/maypok86/otter/v2"
)

// miniature is a cache of hashes that behaves as the near tier would.
type miniature struct {
	otter *otter.Cache[uint64, simulated]
	hits  [2]float64 // in the running span and the one before
}

// simulated is what a miniature knows of an entry.
type simulated struct {
	weight  uint32
	expires time.Time
}

func newMiniature(capacity float64) *miniature {
	return &miniature{otter: otter.Must(&otter.Options[uint64, simulated]{
		MaximumWeight: uint64(max(capacity, 1)),
		Weigher:       func(_ uint64, e simulated) uint32 { return e.weight },
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[uint64, simulated]) time.Duration {
			return max(time.Until(e.Value.expires), time.Nanosecond)
		}),
		// What it puts off is done by whoever asked: a simulation has the time, and no goroutines.
		Executor: func(task func()) { task() },
	})}
}

func (m *miniature) has(hash uint64, now time.Time) bool {
	e, ok := m.otter.GetIfPresent(hash)
	return ok && now.Before(e.expires)
}

// lacksRoom tells whether e would push another out.
func (m *miniature) lacksRoom(e simulated) bool {
	return m.otter.WeightedSize()+uint64(e.weight) > m.otter.GetMaximum()
}

// become takes over what other holds of the hashes up to threshold, the coldest first, and how often it was
// hit.
func (m *miniature) become(other *miniature, threshold uint64) {
	for e := range other.otter.Coldest() {
		if e.Key <= threshold {
			m.otter.Set(e.Key, e.Value)
		}
	}
	m.hits = other.hits
}
