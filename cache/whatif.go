package cache

import (
	"hash/maphash"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// WhatIf is what is known of caches of other sizes under the requests of the last five to ten minutes.
type WhatIf struct {
	// Rate is the share of keys that is simulated, above 0 and at most 1.
	Rate float64
	// Requests are those that the near tier might have answered, coalesced ones apart.
	Requests int64
	// Capacities are those simulated, in ascending order. Empty without a near tier.
	Capacities []Simulation
}

// Simulation is a near tier of another size.
type Simulation struct {
	Capacity float64 // times Options.Near
	Bytes    int64
	HitRatio float64       // of Requests, from 0 to 1
	Saved    time.Duration // of the origin's time, by these hits
}

// capacities are the simulated ones, as their label and as a number.
var capacities = []struct {
	label  string
	factor float64
}{{"0.25", .25}, {"0.5", .5}, {"1", 1}, {"2", 2}, {"4", 4}, {"8", 8}}

// simulator estimates the hit ratios of caches of other sizes by miniature simulation (Waldspurger et al.,
// USENIX ATC 2017): keys whose hash is low enough feed caches of the same policy, smaller by the share of
// such keys. What the sampled keys have too few or too many requests of is corrected as in SHARDS-adj
// (Waldspurger et al., FAST 2015): the difference counts as hits, because it is the hottest keys that
// chance puts in or leaves out.
//
// An entry of a miniature takes about 130 bytes beside Options.Near. There are at most 16 for each of the
// 4096 to 5850 that stand for the cache as it is: 12 MiB, if the keys in use would fill it eightfold.
type simulator struct {
	capacity int64
	far      bool // a value that the near tier lost has the rest of its life in the far one
	seed     maphash.Seed
	requests func() int64 // that ever were

	// threshold is the highest hash that is simulated.
	threshold atomic.Uint64
	// evicting tells that some miniature has lost an entry for want of room. Until then an entry that was
	// simulated once is a hit in all of them, and need not be again: the correction counts it.
	evicting atomic.Bool

	mu     sync.Mutex
	minis  []*miniature
	active int // of minis; the others, larger ones, would hold what the last of these does
	window [2]span
	since  time.Time // when window[0], the running one, began
}

// span counts the requests of some minutes. What is counted of sampled keys is divided by their share.
type span struct {
	before  int64   // all requests before it
	sampled float64 // requests
	cost    float64 // their loads, seconds
}

const (
	// simulatedEntries stand at least for the cache as it is, if it has as many.
	simulatedEntries = 4096
	// mostSimulated are too many, and have the rate lowered.
	mostSimulated = simulatedEntries / 7 * 10
	// thinning is by how much the rate falls then.
	thinning = .7
	halfLife = 5 * time.Minute
)

func newSimulator(capacity int64, far bool, requests func() int64) *simulator {
	s := &simulator{capacity: capacity, far: far, seed: maphash.MakeSeed(), requests: requests, active: 1, since: time.Now()}
	s.threshold.Store(math.MaxUint64)
	for _, c := range capacities {
		s.minis = append(s.minis, newMiniature(c.factor*float64(capacity)))
	}
	return s
}

func (s *simulator) close() {
	if s == nil {
		return
	}
	for _, m := range s.minis {
		m.otter.StopAllGoroutines()
	}
}

// hash is what decides whether k is simulated. It is made once for an entry. A nil simulator needs none.
func (s *simulator) hash(k entryKey) uint64 {
	if s == nil {
		return 0
	}
	return maphash.Comparable(s.seed, k)
}

func (s *simulator) rate() float64 { return float64(s.threshold.Load()) / math.MaxUint64 }

// observe simulates a request for e. Most pay one comparison.
func (s *simulator) observe(e *entry) {
	if s == nil || e.hash > s.threshold.Load() || !s.evicting.Load() && e.simulated.Load() {
		return
	}
	s.simulate(e, time.Now())
}

func (s *simulator) simulate(e *entry, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn(now)
	e.simulated.Store(true)
	each := 1 / s.rate()
	s.window[0].sampled += each
	s.window[0].cost += each * e.cost.Seconds()
	sim := simulated{weight: e.weight, expires: now.Add(e.expires.Sub(e.created))}
	if s.far {
		sim.expires = e.expires
	}
	for i := 0; i < s.active; i++ {
		m := s.minis[i]
		if m.has(e.hash, now) {
			m.hits[0] += each
			continue
		}
		if i == s.active-1 && s.active < len(s.minis) && m.lacksRoom(sim) {
			s.minis[s.active].become(m, s.threshold.Load())
			s.active++
			s.evicting.Store(true)
		}
		m.otter.Set(e.hash, sim)
	}
	s.thin()
}

// thin lowers the rate once more entries are simulated than need be.
func (s *simulator) thin() {
	const asItIs = 2 // the index of capacity 1
	if s.minis[min(asItIs, s.active-1)].otter.EstimatedSize() < mostSimulated {
		return
	}
	rate := s.rate() * thinning
	threshold := uint64(rate * math.MaxUint64)
	s.threshold.Store(threshold)
	// New ones: the policy's memory of what was frequent is as long as a cache is large, and does not shrink.
	for i, m := range s.minis {
		s.minis[i] = newMiniature(rate * capacities[i].factor * float64(s.capacity))
		s.minis[i].become(m, threshold)
		m.otter.StopAllGoroutines()
	}
}

// turn begins a new span once the running one has lasted.
func (s *simulator) turn(now time.Time) {
	for range min(int(now.Sub(s.since)/halfLife), 2) {
		s.window = [2]span{{before: s.requests()}, s.window[0]}
		for _, m := range s.minis {
			m.hits = [2]float64{0, m.hits[0]}
		}
		s.since = now
	}
}

// hits estimates the hits of the i-th capacity among n requests.
func (s *simulator) hits(i int, n int64) float64 {
	m := s.minis[min(i, s.active-1)]
	missing := float64(n) - s.window[0].sampled - s.window[1].sampled
	return min(max(m.hits[0]+m.hits[1]+missing, 0), float64(n))
}

// ratio is the hit ratio of the i-th capacity; 0 where nobody asked.
func (s *simulator) ratio(i int) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn(time.Now())
	n := s.requests() - s.window[1].before
	if n <= 0 {
		return 0
	}
	return s.hits(i, n) / float64(n)
}

// WhatIf estimates how a near tier of another size would do.
func (c *Cache) WhatIf() (w WhatIf) {
	s := c.whatIf
	if s == nil {
		return w
	}
	for i, each := range capacities {
		w.Capacities = append(w.Capacities, Simulation{Capacity: each.factor, Bytes: int64(each.factor * float64(s.capacity)), HitRatio: s.ratio(i)})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Rate, w.Requests = s.rate(), s.requests()-s.window[1].before
	if sampled := s.window[0].sampled + s.window[1].sampled; sampled > 0 {
		cost := (s.window[0].cost + s.window[1].cost) / sampled // of a request, were it loaded
		for i := range w.Capacities {
			w.Capacities[i].Saved = time.Duration(s.hits(i, w.Requests) * cost * float64(time.Second))
		}
	}
	return w
}
