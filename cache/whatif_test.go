package cache

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// zipf draws ranks from 0 to n-1, the k-th with a weight of 1/(k+1)^s. math/rand's needs s above 1.
func zipf(rng *rand.Rand, s float64, n int) func() int {
	sums := make([]float64, n)
	sum := 0.
	for k := range sums {
		sum += math.Pow(float64(k+1), -s)
		sums[k] = sum
	}
	return func() int { return sort.SearchFloat64s(sums, rng.Float64()*sum) }
}

// TestWhatIfSimulatesTime: what is past its TTL is a miss, whatever the capacity; with a far tier a value that
// the near tier lost comes back with the rest of its life.
func TestWhatIfSimulatesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := New(nil, Options{TTL: time.Minute, Near: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := c.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}()
		load := func(context.Context) (int, error) { time.Sleep(time.Second); return 1, nil }
		for range 40 { // a miss, and a hit 40 s after it: 20 of each
			if _, err := Fetch(t.Context(), c, "key", load); err != nil {
				t.Fatal(err)
			}
			time.Sleep(40 * time.Second)
		}
		w := c.WhatIf()
		// The last five to ten minutes only.
		if w.Requests < 7 || w.Requests > 15 || w.Rate != 1 || len(w.Capacities) != len(capacities) {
			t.Errorf("%+v", w)
		}
		for _, s := range w.Capacities {
			if math.Abs(s.HitRatio-.5) > .1 || s.Bytes != int64(s.Capacity*(1<<20)) {
				t.Errorf("%+v, want a hit ratio of a half", s)
			}
			if saved := s.HitRatio * float64(w.Requests); math.Abs(s.Saved.Seconds()-saved) > .001 {
				t.Errorf("%+v, want %v s saved", s, saved)
			}
		}
	})
}

// TestWhatIfOfACache: at its own capacity a cache that evicts does what is said of it, and a larger one better.
func TestWhatIfOfACache(t *testing.T) {
	r := prometheus.NewRegistry()
	c, err := New(nil, Options{Name: "c", TTL: time.Hour, Near: 512 << 10, Registerer: r})
	if err != nil {
		t.Fatal(err)
	}
	next := zipf(rand.New(rand.NewPCG(1, 2)), .9, 5_000)
	loads, requests := 0, 30_000
	for range requests {
		if _, err := Fetch(t.Context(), c, fmt.Sprint(next()), func(context.Context) (int, error) { loads++; return 1, nil }); err != nil {
			t.Fatal(err)
		}
	}
	w := c.WhatIf()
	t.Logf("%d loads, %+v", loads, w)
	got, want := w.Capacities[2].HitRatio, 1-float64(loads)/float64(requests)
	if w.Requests != int64(requests) || math.Abs(got-want) > .02 {
		t.Errorf("a hit ratio of %.3f in %d requests is said of this capacity, which has %.3f in %d", got, w.Requests, want, requests)
	}
	for i, s := range w.Capacities[1:] {
		if s.HitRatio <= w.Capacities[i].HitRatio {
			t.Errorf("%+v is no better than %+v", s, w.Capacities[i])
		}
	}
	if n, err := testutil.GatherAndCount(r, "cache_whatif_hit_ratio"); n != len(capacities) || err != nil {
		t.Errorf("%d series of cache_whatif_hit_ratio, %v", n, err)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWhatIfLeftOut(t *testing.T) {
	for _, o := range []Options{{TTL: time.Hour, Tuning: Tuning{NoWhatIf: true}}, {TTL: time.Hour, Near: -1}} {
		far := Store(nil)
		if o.Near < 0 {
			far = forgetful{}
		}
		c, err := New(far, o)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := Fetch(t.Context(), c, "key", func(context.Context) (int, error) { return 1, nil }); err != nil {
				t.Fatal(err)
			}
		}
		if w := c.WhatIf(); w.Capacities != nil || w.Requests != 0 {
			t.Errorf("%+v", w)
		}
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

type forgetful struct{}

func (forgetful) Get(context.Context, string) ([]byte, error)              { return nil, ErrNotFound }
func (forgetful) Set(context.Context, string, []byte, time.Duration) error { return nil }
func (forgetful) Delete(context.Context, ...string) error                  { return nil }

// BenchmarkWhatIf is what the simulation adds to a hit of Fetch: left out, of a cache that holds all, of one
// that evicts and is simulated at rates of 1 and of 0.01.
func BenchmarkWhatIf(b *testing.B) {
	for _, bench := range []struct {
		desc     string
		off      bool
		evicting bool
		rate     float64
	}{{"left out", true, false, 0}, {"nothing evicted", false, false, 1}, {"rate 0.01", false, true, .01}, {"rate 1", false, true, 1}} {
		b.Run(bench.desc, func(b *testing.B) {
			c, err := New(nil, Options{TTL: time.Hour, Tuning: Tuning{NoWhatIf: bench.off}})
			if err != nil {
				b.Fatal(err)
			}
			if s := c.whatIf; s != nil {
				if bench.rate < 1 {
					s.threshold.Store(uint64(bench.rate * math.MaxUint64))
				}
				s.evicting.Store(bench.evicting)
				if bench.evicting {
					s.active = len(s.minis)
				}
			}
			keys := make([]string, 1024)
			for i := range keys {
				keys[i] = fmt.Sprint("key ", i)
			}
			load := func(context.Context) (int, error) { return 1, nil }
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := Fetch(b.Context(), c, keys[i%len(keys)], load); err != nil {
					b.Fatal(err)
				}
			}
			if err := c.Close(b.Context()); err != nil {
				b.Error(err)
			}
		})
	}
}
