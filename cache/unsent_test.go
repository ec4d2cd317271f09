package cache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// TestPurgeWhileTheStoreFails: here at once, and elsewhere once the store is back.
func TestPurgeWhileTheStoreFails(t *testing.T) {
	for _, fault := range []fault{refuses, unheardOf, hangs} {
		for _, test := range purges {
			for _, mode := range []cache.Mode{cache.Hard, cache.Soft} {
				t.Run(fmt.Sprint(test.desc, "/", modeName(mode), "/", fault), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						far := new(storetest.Memory)
						o := cache.Options{TTL: time.Hour, Stale: cache.Staleness{IfError: 2 * time.Hour}}
						mine := &shaky{Memory: far}
						one, two := newCache(t, mine, o), newCache(t, far, o)
						synctest.Wait() // what is kept before they are in step is looked up again
						from := &origins{takes: time.Second}
						load := tagged(from.load, "a", "b")
						for _, c := range []*cache.Cache{one, two} {
							if v, _, err := fetch(t, c, "key", load); v != "1" || err != nil {
								t.Fatalf("%q, %v", v, err)
							}
						}
						mine.is(fault)
						err := test.purge(t.Context(), one, mode)
						if test.desc == "no tags" {
							if err != nil {
								t.Errorf("%v, want nothing", err)
							}
							return
						}
						if !errors.Is(err, cache.ErrUnsent) {
							t.Fatalf("%v, want ErrUnsent", err)
						}
						fetched := func(c *cache.Cache, again bool) {
							t.Helper()
							if v, _, err := fetch(t, c, "key", load); err != nil || (v != "1") != again {
								t.Errorf("%q, %v; want a new value: %t", v, err, again)
							}
						}
						fetched(one, test.hits)
						mine.is(well)
						time.Sleep(3 * time.Second)
						fetched(two, test.hits)
						fetched(one, test.hits)
					})
				})
			}
		}
	}
}

// TestFarTierIsLeftOutWhilePurgesAreUnsent: it may have what they purged.
func TestFarTierIsLeftOutWhilePurgesAreUnsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &shaky{Memory: new(storetest.Memory)}
		c := newCache(t, far, cache.Options{TTL: time.Hour, Near: -1})
		synctest.Wait()
		from := new(origins)
		fetch(t, c, "key", from.load)
		far.is(refuses)
		if err := c.PurgeKey(t.Context(), cache.Hard, "v:key"); !errors.Is(err, cache.ErrUnsent) {
			t.Fatal(err)
		}
		far.is(well) // and has the value still, until the cache has tried it again
		if v, _, err := fetch(t, c, "key", from.load); v != "2" || err != nil {
			t.Errorf("%q, %v; want a new value", v, err)
		}
		time.Sleep(3 * time.Second)
		for _, want := range []cache.Outcome{cache.Miss, cache.Hit} {
			if v, r, err := fetch(t, c, "key", from.load); v != "3" || err != nil || r.Outcome != want {
				t.Errorf("%q, %+v, %v; want %s", v, r, err, want)
			}
		}
	})
}

// TestManyUnsentPurgesBecomeOneOfAll, so that an outage takes no more memory the longer it lasts.
func TestManyUnsentPurgesBecomeOneOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := new(storetest.Memory)
		mine := &shaky{Memory: far}
		one, two := newCache(t, mine, cache.Options{TTL: time.Hour}), newCache(t, far, cache.Options{TTL: time.Hour})
		from := new(origins)
		fetch(t, two, "untouched", from.load)
		mine.is(refuses)
		for i := range 1500 {
			if err := one.PurgeKey(t.Context(), cache.Hard, fmt.Sprint("v:", i)); !errors.Is(err, cache.ErrUnsent) {
				t.Fatal(err)
			}
		}
		mine.is(well)
		calls := mine.calls.Load()
		time.Sleep(3 * time.Second)
		if n := mine.calls.Load() - calls; n > 600 {
			t.Errorf("%d calls to make up for the outage", n)
		}
		if v, _, err := fetch(t, two, "untouched", from.load); v != "2" || err != nil {
			t.Errorf("%q, %v; want all purged", v, err)
		}
	})
}

// TestUnsentPurgesOfAPlainStore are all kept: it knows no purge of all.
func TestUnsentPurgesOfAPlainStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := new(storetest.Memory)
		far := &shaky{Memory: memory}
		c := newCache(t, plain{far}, cache.Options{TTL: time.Hour, Near: -1})
		from := new(origins)
		for i := range 1200 {
			fetch(t, c, fmt.Sprint(i), from.load)
		}
		far.is(refuses)
		for i := range 1200 {
			if err := c.PurgeKey(t.Context(), cache.Hard, fmt.Sprint("v:", i)); !errors.Is(err, cache.ErrUnsent) {
				t.Fatal(err)
			}
		}
		far.is(well)
		time.Sleep(5 * time.Second)
		if keys := memory.Keys(); len(keys) != 0 {
			t.Errorf("%d keys are left", len(keys))
		}
	})
}

// TestCloseTellsOfUnsentPurges: they are lost with the process.
func TestCloseTellsOfUnsentPurges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &shaky{Memory: new(storetest.Memory)}
		far.is(refuses)
		c, err := cache.New(far, cache.Options{TTL: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.PurgeAll(t.Context(), cache.Hard); !errors.Is(err, cache.ErrUnsent) {
			t.Error(err)
		}
		if err := c.Close(context.Background()); err == nil || !strings.Contains(err.Error(), "does not know of: 1") {
			t.Errorf("%v, want what is lost", err)
		}
	})
}
