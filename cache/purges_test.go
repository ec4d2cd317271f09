package cache_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// purges are what can be done to a value that has the key "key" and the tags "a" and "b", and whether it hits.
var purges = []struct {
	desc  string
	purge func(context.Context, *cache.Cache, cache.Mode) error
	hits  bool
}{
	{"its key", func(ctx context.Context, c *cache.Cache, m cache.Mode) error { return c.PurgeKey(ctx, m, "v:key") }, true},
	{"another key", func(ctx context.Context, c *cache.Cache, m cache.Mode) error { return c.PurgeKey(ctx, m, "v:another") }, false},
	{"one of its tags", func(ctx context.Context, c *cache.Cache, m cache.Mode) error { return c.PurgeTags(ctx, m, "x", "b") }, true},
	{"other tags", func(ctx context.Context, c *cache.Cache, m cache.Mode) error { return c.PurgeTags(ctx, m, "x", "y") }, false},
	{"no tags", func(ctx context.Context, c *cache.Cache, m cache.Mode) error { return c.PurgeTags(ctx, m) }, false},
	{"all", func(ctx context.Context, c *cache.Cache, m cache.Mode) error { return c.PurgeAll(ctx, m) }, true},
}

// tagged is a load whose values bear tags.
func tagged(load func(context.Context) (string, error), tags ...string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		cache.AddTags(ctx, tags...)
		return load(ctx)
	}
}

// tiers are what a purge has to reach.
var tiers = []struct {
	desc     string
	far      bool
	near     int64
	replicas int // the last one purges
}{
	{"near tier", false, 0, 1}, {"far tier", true, -1, 1}, {"both tiers", true, 0, 1},
	{"of another replica", true, 0, 2}, {"of another replica without a near tier", true, -1, 2},
}

func TestPurge(t *testing.T) {
	for _, tier := range tiers {
		for _, test := range purges {
			for _, mode := range []cache.Mode{cache.Hard, cache.Soft} {
				t.Run(tier.desc+"/"+test.desc+"/"+modeName(mode), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						var store cache.Store
						if tier.far {
							store = new(storetest.Memory)
						}
						o := cache.Options{TTL: time.Hour, Near: tier.near, Stale: cache.Staleness{WhileRevalidate: time.Minute, IfError: time.Hour}}
						var all []*cache.Cache
						for range tier.replicas {
							all = append(all, newCache(t, store, o))
						}
						from := new(origins)
						load := tagged(from.load, "b", "a", "b")
						for _, c := range all {
							if v, _, err := fetch(t, c, "key", load); v != "1" || err != nil {
								t.Fatalf("%q, %v", v, err)
							}
						}
						if err := test.purge(t.Context(), all[len(all)-1], mode); err != nil {
							t.Fatal(err)
						}
						synctest.Wait()
						from.fails.Store(test.hits && mode == cache.Hard) // nothing is left that could stand in
						v, r, err := fetch(t, all[0], "key", load)
						switch {
						case !test.hits:
							if v != "1" || err != nil || r.Outcome != cache.Hit {
								t.Errorf("%q, %+v, %v; want the value, which nobody purged", v, r, err)
							}
							return
						case mode == cache.Soft:
							if v != "1" || err != nil || r.Outcome != cache.Stale || r.TTL > 0 {
								t.Errorf("%q, %+v, %v; want the value, stale", v, r, err)
							}
						case !errors.Is(err, errOrigin):
							t.Errorf("%q, %+v, %v; want the load's error", v, r, err)
						}
						from.fails.Store(false)
						time.Sleep(2 * time.Second)
						for _, c := range all {
							if v, r, err := fetch(t, c, "key", load); v == "1" || err != nil || from.asked.Load() > 3 {
								t.Errorf("%q, %+v, %v after %d loads; want a new value", v, r, err, from.asked.Load())
							}
						}
					})
				})
			}
		}
	}
}

func modeName(m cache.Mode) string {
	if m == cache.Soft {
		return "soft"
	}
	return "hard"
}

// TestSoftPurgeWithoutWindows is a hard one: nothing may be served stale.
func TestSoftPurgeWithoutWindows(t *testing.T) {
	for _, tier := range tiers[:3] {
		for _, test := range purges {
			t.Run(tier.desc+"/"+test.desc, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var store cache.Store
					if tier.far {
						store = new(storetest.Memory)
					}
					c := newCache(t, store, cache.Options{TTL: time.Hour, Near: tier.near})
					load := tagged(new(origins).load, "a", "b")
					want := map[bool]string{true: "2", false: "1"}[test.hits]
					if _, _, err := fetch(t, c, "key", load); err != nil {
						t.Fatal(err)
					}
					if err := test.purge(t.Context(), c, cache.Soft); err != nil {
						t.Fatal(err)
					}
					if v, _, err := fetch(t, c, "key", load); v != want || err != nil {
						t.Errorf("%q, %v; want %s", v, err, want)
					}
				})
			})
		}
	}
}

// TestSoftPurgeStandsIn: what is purged softly stands in for a load that fails, within its window.
func TestSoftPurgeStandsIn(t *testing.T) {
	for _, tier := range tiers[:3] {
		for _, test := range purges {
			if !test.hits {
				continue
			}
			t.Run(tier.desc+"/"+test.desc, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var store cache.Store
					if tier.far {
						store = new(storetest.Memory)
					}
					c := newCache(t, store, cache.Options{TTL: time.Hour, Near: tier.near, Stale: cache.Staleness{IfError: time.Hour}})
					from := new(origins)
					load := tagged(from.load, "a", "b")
					if _, _, err := fetch(t, c, "key", load); err != nil {
						t.Fatal(err)
					}
					if err := test.purge(t.Context(), c, cache.Soft); err != nil {
						t.Fatal(err)
					}
					from.fails.Store(true)
					if v, r, err := fetch(t, c, "key", load); v != "1" || err != nil || r.Outcome != cache.StaleError {
						t.Errorf("%q, %+v, %v; want the value in the load's place", v, r, err)
					}
				})
			})
		}
	}
}

// TestPurgeDuringALoadByAnything: what the load brings is its waiters' alone, and who comes after the purge waits for another.
func TestPurgeDuringALoadByAnything(t *testing.T) {
	for _, tier := range tiers {
		for _, test := range purges {
			for _, standsIn := range []bool{false, true} {
				t.Run(tier.desc+"/"+test.desc+map[bool]string{true: "/with a last value"}[standsIn], func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						var store cache.Store
						if tier.far {
							store = new(storetest.Memory)
						}
						o := cache.Options{TTL: time.Minute, Near: tier.near, Stale: cache.Staleness{IfError: time.Hour}}
						var all []*cache.Cache
						for range tier.replicas {
							all = append(all, newCache(t, store, o))
						}
						from := &origins{takes: time.Second}
						load := tagged(from.load, "a", "b")
						if standsIn {
							for _, c := range all {
								if _, _, err := fetch(t, c, "key", load); err != nil {
									t.Fatal(err)
								}
							}
							time.Sleep(2 * time.Minute)
						}
						before := from.asked.Load()
						done := make(chan string, len(all))
						for _, c := range all { // all but the first wait for it
							go func() {
								v, _ := cache.Fetch(t.Context(), c, "key", load)
								done <- v
							}()
							synctest.Wait()
						}
						time.Sleep(500 * time.Millisecond)
						if err := test.purge(t.Context(), all[len(all)-1], cache.Hard); err != nil {
							t.Fatal(err)
						}
						synctest.Wait()
						first := string(rune('0' + before + 1))
						for _, c := range all {
							v, r, err := fetch(t, c, "key", load)
							if test.hits == (v == first) || err != nil || v < first {
								t.Errorf("%q, %+v, %v after the purge, of which %s was before", v, r, err, first)
							}
						}
						if v := <-done; v != first {
							t.Errorf("a caller from before the purge got %q, want %q", v, first)
						}
						for _, c := range all {
							if v, r, err := fetch(t, c, "key", load); test.hits == (v == first) || err != nil || r.Outcome != cache.Hit {
								t.Errorf("%q, %+v, %v; want a hit on a value that was not purged", v, r, err)
							}
						}
						if n := from.asked.Load() - before; n > 2 || n == 2 != test.hits {
							t.Errorf("%d loads", n)
						}
						time.Sleep(2 * time.Second)
					})
				})
			}
		}
	}
}

// TestPurgeTakesTheLastValueFromThoseWhoWait: a caller that comes after a purge and joins a call which waits for
// another replica is not given what was purged when that load fails.
func TestPurgeTakesTheLastValueFromThoseWhoWait(t *testing.T) {
	for _, test := range purges {
		t.Run(test.desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var far storetest.Memory
				o := cache.Options{TTL: time.Minute, Stale: cache.Staleness{IfError: time.Hour}}
				one, two := newCache(t, &far, o), newCache(t, &far, o)
				from := &origins{takes: time.Second}
				load := tagged(from.load, "a", "b")
				for _, c := range []*cache.Cache{one, two} {
					if _, _, err := fetch(t, c, "key", load); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(2 * time.Minute)
				from.fails.Store(true)
				for _, c := range []*cache.Cache{one, two} {
					go fetch(t, c, "key", load)
					synctest.Wait()
				}
				if err := test.purge(t.Context(), two, cache.Hard); err != nil {
					t.Fatal(err)
				}
				v, r, err := fetch(t, two, "key", load)
				if stoodIn := v == "1" && err == nil; stoodIn == test.hits {
					t.Errorf("%q, %+v, %v", v, r, err)
				}
				time.Sleep(5 * time.Second)
			})
		})
	}
}

func TestPurgeUnsupported(t *testing.T) {
	c := newCache(t, plain{new(storetest.Memory)}, cache.Options{TTL: time.Hour})
	if err := c.PurgeTags(t.Context(), cache.Hard, "a"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("tags: %v, want ErrUnsupported", err)
	}
	if err := c.PurgeAll(t.Context(), cache.Soft); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("all: %v, want ErrUnsupported", err)
	}
	if err := c.PurgeTags(t.Context(), cache.Hard); err != nil {
		t.Errorf("no tags: %v, want nothing done, and no error", err)
	}
	for _, mode := range []cache.Mode{cache.Hard, cache.Soft} {
		if err := c.PurgeKey(t.Context(), mode, "v:key"); err != nil {
			t.Errorf("key: %v", err)
		}
	}
}
