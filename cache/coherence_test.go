package cache_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// TestNewValueReachesAllReplicas: the near tiers drop what another has replaced.
func TestNewValueReachesAllReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var far storetest.Memory
		registry := prometheus.NewRegistry()
		short := cache.Options{TTL: time.Minute, Stale: cache.Staleness{WhileRevalidate: time.Hour}}
		long := short
		long.Registerer = registry
		one, two := newCache(t, &far, short), newCache(t, &far, long)
		from := new(origins)
		for _, c := range []*cache.Cache{one, two} {
			fetch(t, c, "key", from.load)
		}
		time.Sleep(70 * time.Second)
		fetch(t, one, "key", from.load) // stale; the refresh brings the second
		synctest.Wait()
		if v, r, err := fetch(t, two, "key", from.load); v != "2" || err != nil || r.Outcome != cache.Hit || r.Tier != cache.Far {
			t.Errorf("%q, %+v, %v; want the new value", v, r, err)
		}
		if n, err := testutil.GatherAndCount(registry, "cache_coherence_lag_seconds"); n != 1 || err != nil {
			t.Errorf("%d series of the lag, %v", n, err)
		}
	})
}

// TestLostMessageCostsNearTTL: what no message told of is found out by then, and at the latest on the reconnection.
func TestLostMessageCostsNearTTL(t *testing.T) {
	for _, test := range purges {
		if !test.hits {
			continue
		}
		for _, reconnects := range []bool{false, true} {
			t.Run(test.desc+map[bool]string{true: ", reconnected"}[reconnects], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var far storetest.Memory
					o := cache.Options{TTL: time.Hour, Tuning: cache.Tuning{NearTTL: 20 * time.Second}}
					one, two := newCache(t, &far, o), newCache(t, &far, o)
					from := new(origins)
					load := tagged(from.load, "a", "b")
					for _, c := range []*cache.Cache{one, two} {
						fetch(t, c, "key", load)
					}
					far.Cut(true)
					synctest.Wait()
					if err := test.purge(t.Context(), one, cache.Hard); err != nil {
						t.Fatal(err)
					}
					if v, _, err := fetch(t, one, "key", load); v != "2" || err != nil {
						t.Errorf("%q, %v where it was purged", v, err)
					}
					if reconnects {
						time.Sleep(time.Second)
						far.Cut(false)
						synctest.Wait()
					} else {
						time.Sleep(20 * time.Second)
					}
					if v, _, err := fetch(t, two, "key", load); v != "2" || err != nil {
						t.Errorf("%q, %v elsewhere", v, err)
					}
				})
			})
		}
	}
}

// TestPurgeOfAReplicaThatHearsNothing: its own account is the store's nevertheless.
func TestPurgeOfAReplicaThatHearsNothing(t *testing.T) {
	for _, test := range purges {
		t.Run(test.desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var far storetest.Memory
				far.Cut(true)
				c := newCache(t, &far, cache.Options{TTL: time.Hour})
				load := tagged(new(origins).load, "a", "b")
				fetch(t, c, "key", load)
				want := map[bool]string{true: "2", false: "1"}[test.hits]
				if err := test.purge(t.Context(), c, cache.Hard); err != nil {
					t.Fatal(err)
				}
				if v, _, err := fetch(t, c, "key", load); v != want || err != nil {
					t.Errorf("%q, %v; want %s", v, err, want)
				}
			})
		})
	}
}

// TestRestartOfTheStoreResurrectsNothing: an account that is lost is no leave to serve what it had purged.
func TestRestartOfTheStoreResurrectsNothing(t *testing.T) {
	for _, test := range purges {
		if !test.hits {
			continue
		}
		t.Run(test.desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var far storetest.Memory
				o := cache.Options{TTL: time.Hour}
				one, two := newCache(t, &far, o), newCache(t, &far, o)
				from := &origins{takes: time.Second}
				load := tagged(from.load, "a", "b")
				fetch(t, one, "key", load)
				fetch(t, two, "key", load)
				slow := make(chan string)
				go func() { // begins before the restart, and ends after it
					v, _ := cache.Fetch(t.Context(), two, "slow", tagged((&origins{takes: time.Minute}).load, "a"))
					slow <- v
				}()
				synctest.Wait()
				if err := test.purge(t.Context(), one, cache.Hard); err != nil {
					t.Fatal(err)
				}
				far.Lose()
				if v, _, err := fetch(t, one, "key", load); v == "1" || err != nil {
					t.Errorf("%q, %v right after it", v, err)
				}
				// The store's account is another now: a purge is still one, where it is asked for at once.
				before := from.asked.Load()
				if err := test.purge(t.Context(), one, cache.Hard); err != nil {
					t.Fatal(err)
				}
				if _, _, err := fetch(t, one, "key", load); err != nil || from.asked.Load() == before {
					t.Errorf("%v after %d loads, want another", err, from.asked.Load())
				}
				time.Sleep(time.Second)
				for _, c := range []*cache.Cache{one, two} {
					if v, _, err := fetch(t, c, "key", load); v == "1" || err != nil {
						t.Errorf("%q, %v", v, err)
					}
				}
				<-slow
				if _, r, _ := fetch(t, one, "slow", load); r.Outcome == cache.Hit {
					t.Errorf("%+v of a load that saw the purge come: its account is gone", r)
				}
			})
		})
	}
}

// TestEvictedAccountResurrectsNothing: the values outlive their account.
func TestEvictedAccountResurrectsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := new(forgetful)
		far.era.Store("one")
		c := newCache(t, far, cache.Options{TTL: time.Hour, Near: -1})
		load := tagged(new(origins).load, "a")
		fetch(t, c, "key", load)
		if _, r, _ := fetch(t, c, "key", load); r.Outcome != cache.Hit {
			t.Fatalf("%+v", r)
		}
		far.era.Store("two") // and nothing in it
		time.Sleep(11 * time.Second)
		if v, r, err := fetch(t, c, "key", load); v != "2" || err != nil || r.Outcome != cache.Miss {
			t.Errorf("%q, %+v, %v; want a miss: nobody knows what was purged", v, r, err)
		}
		if v, r, err := fetch(t, c, "key", load); v != "2" || err != nil || r.Outcome != cache.Hit {
			t.Errorf("%q, %+v, %v", v, r, err)
		}
	})
}

// forgetful has an account of another era.
type forgetful struct {
	storetest.Memory
	era atomic.Value
}

func (s *forgetful) Purges(_ context.Context, _ string, _ cache.Mark, _ string) (cache.Account, error) {
	return cache.Account{Mark: cache.Mark{Era: s.era.Load().(string)}}, nil
}

// TestAccountStaysSmall: what it forgets it takes for purged.
func TestAccountStaysSmall(t *testing.T) {
	for _, far := range []cache.Store{nil, new(storetest.Memory)} {
		c := newCache(t, far, cache.Options{TTL: time.Hour, Limits: cache.Limits{StoreTimeout: time.Minute}}) // it is not about time
		from := new(origins)
		fetch(t, c, "tagged", tagged(from.load, "a"))
		fetch(t, c, "untagged", from.load)
		for i := range 25_000 {
			if err := c.PurgeTags(t.Context(), cache.Hard, string(rune(0x10000+i))); err != nil {
				t.Fatal(err)
			}
		}
		if _, r, _ := fetch(t, c, "untagged", from.load); r.Outcome != cache.Hit {
			t.Errorf("%+v, want a hit on what bears no tag", r)
		}
		for _, want := range []cache.Outcome{cache.Miss, cache.Hit} {
			if _, r, _ := fetch(t, c, "tagged", tagged(from.load, "a")); r.Outcome != want {
				t.Errorf("%+v, want %s", r, want)
			}
		}
	}
}
