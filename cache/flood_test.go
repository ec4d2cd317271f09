package cache_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// forgetting is a store that is there and keeps few values: Redis at its maxmemory.
type forgetting struct {
	storetest.Memory
	mu   sync.Mutex
	keys []string
}

func (s *forgetting) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration, message []byte) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.keys) == 100 {
		if err := s.Delete(ctx, s.keys...); err != nil {
			return false, err
		}
		s.keys = s.keys[:0]
	}
	s.keys = append(s.keys, key)
	return s.Memory.Fill(ctx, key, token, value, ttl, message)
}

// flood asks a cache for n keys that nobody asked for before, of which the values are size bytes long, in both ways.
func flood(t testing.TB, c *cache.Cache, from, n, size int) {
	t.Helper()
	h := c.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write(make([]byte, size))
	}))
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := from + worker; i < from+n; i += 4 {
				if i%2 == 0 {
					do(h, "GET", fmt.Sprintf("http://host/tiles/20/%d", i))
					continue
				}
				_, err := cache.Fetch(context.Background(), c, fmt.Sprintf("value %d", i), func(ctx context.Context) ([]byte, error) {
					cache.AddTags(ctx, "tag")
					return make([]byte, size), nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// live is the heap that is in use, after garbage is collected.
func live() int64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestFloodStaysWithinNear: however many keys are asked for once, the heap stays within Options.Near and goroutines
// are few.
func TestFloodStaysWithinNear(t *testing.T) {
	const near = 4 << 20
	for _, test := range []struct {
		desc string
		far  cache.Store
		size int
	}{
		{"near tier alone, small values", nil, 10}, {"near tier alone", nil, 5000}, {"before a store that forgets", new(forgetting), 1000},
	} {
		t.Run(test.desc, func(t *testing.T) {
			goroutines, before := runtime.NumGoroutine(), live()
			c := newCache(t, test.far, cache.Options{TTL: time.Hour, Near: near, Tuning: cache.Tuning{NoWhatIf: true}})
			n := 2 * near / (700 + test.size) // twice what there is room for
			for round := range 2 {
				flood(t, c, round*n, n, test.size)
				cache.NearBytes(c)
				took, more := live()-before, runtime.NumGoroutine()-goroutines
				t.Logf("round %d: %.1f MB of %.1f, %d goroutines more, %d entries", round, float64(took)/(1<<20), float64(near)/(1<<20), more, c.Fill().Entries)
				if took > near*115/100 {
					t.Errorf("%d bytes, want %d and 15 %% at most", took, near)
				}
				if more > 20 {
					t.Errorf("%d goroutines more", more)
				}
			}
			runtime.KeepAlive(c)
		})
	}
}

// TestSoak floods for VITRINE_SOAK=5m and tells of the heap and of goroutines once in a while: see make soak.
func TestSoak(t *testing.T) {
	lasts, err := time.ParseDuration(os.Getenv("VITRINE_SOAK"))
	if err != nil {
		t.Skip("make soak runs it")
	}
	const near = 64 << 20
	c := newCache(t, new(forgetting), cache.Options{
		TTL: 20 * time.Second, Near: near, Stale: cache.Staleness{WhileRevalidate: 20 * time.Second, IfError: time.Minute},
	})
	goroutines, before, start := runtime.NumGoroutine(), live(), time.Now()
	told := start
	for n := 0; time.Since(start) < lasts; n += 20_000 {
		flood(t, c, n, 20_000, 1000)
		flood(t, c, n-20_000, 20_000, 1000) // hits, stale ones, and others
		if err := c.PurgeTags(t.Context(), cache.Soft, fmt.Sprint("tag", n)); err != nil {
			t.Error(err)
		}
		if time.Since(told) < 10*time.Second {
			continue
		}
		told = time.Now()
		took, more := live()-before, runtime.NumGoroutine()-goroutines
		t.Logf("after %s: %d keys, heap %.1f MB of %.1f, %d goroutines more, near tier %+v",
			time.Since(start).Round(time.Second), n, float64(took)/(1<<20), float64(near)/(1<<20), more, c.Fill())
		if took > near*115/100+16<<20 || more > 50 { // the simulation takes its own: see WhatIf
			t.Errorf("%d bytes and %d goroutines", took, more)
		}
	}
}
