package cache_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// TestHungStoreCostsAFewDeadlines, and then nothing until it is back: a store that hangs must not cost every answer.
func TestHungStoreCostsAFewDeadlines(t *testing.T) {
	for _, fault := range []fault{hangs, refuses, unheardOf} {
		for _, simple := range []bool{false, true} {
			t.Run(fmt.Sprint(fault, simple), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					far := &shaky{Memory: new(storetest.Memory)}
					var store cache.Store = far
					if simple {
						store = plain{far}
					}
					registry := prometheus.NewRegistry()
					c := newCache(t, store, cache.Options{Name: "c", TTL: time.Minute, Near: -1, Registerer: registry, Limits: cache.Limits{StoreTimeout: 20 * time.Millisecond}})
					state := func(want int) {
						t.Helper()
						err := testutil.GatherAndCompare(registry, strings.NewReader(fmt.Sprintf(`
# HELP cache_breaker_state Whether calls of the far tier are made (0) or left out because it fails (1).
# TYPE cache_breaker_state gauge
cache_breaker_state{cache="c",store="far"} %d
`, want)), "cache_breaker_state")
						if err != nil {
							t.Error(err)
						}
					}
					synctest.Wait()
					state(0)
					far.is(fault)
					start, from := time.Now(), new(origins)
					for i := range 1000 {
						if _, _, err := fetch(t, c, fmt.Sprint(i), from.load); err != nil {
							t.Fatal(err)
						}
					}
					if took := time.Since(start); took > 100*time.Millisecond {
						t.Errorf("1000 answers took %s more", took)
					}
					state(1)
					calls := far.calls.Load()
					time.Sleep(10 * time.Second)
					if n := far.calls.Load() - calls; n < 5 || n > 25 {
						t.Errorf("tried %d times in 10s", n)
					}
					far.is(well)
					time.Sleep(2 * time.Second)
					state(0)
					for _, want := range []cache.Outcome{cache.Miss, cache.Hit} {
						if _, r, err := fetch(t, c, "back", from.load); err != nil || r.Outcome != want {
							t.Errorf("%+v, %v; want %s", r, err, want)
						}
					}
				})
			})
		}
	}
}

// TestNearServesOnWhileTheStoreFails: what is held past NearTTL is as good as can be known.
func TestNearServesOnWhileTheStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &shaky{Memory: new(storetest.Memory)}
		c := newCache(t, far, cache.Options{TTL: time.Hour, Tuning: cache.Tuning{NearTTL: 5 * time.Second}})
		synctest.Wait()
		from := new(origins)
		fetch(t, c, "key", from.load)
		far.is(refuses)
		for range 100 {
			time.Sleep(time.Second)
			if v, r, err := fetch(t, c, "key", from.load); v != "1" || err != nil || r.Outcome != cache.Hit || r.Tier != cache.Near {
				t.Fatalf("%q, %+v, %v; want a hit", v, r, err)
			}
		}
	})
}
