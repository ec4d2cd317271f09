package cache_test

import (
	"context"
	"errors"
	"math"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// TestRefreshThatMayNotBeKept: what the origin says now is the answer, and not what it said before.
func TestRefreshThatMayNotBeKept(t *testing.T) {
	for _, test := range []struct {
		desc string
		now  func(http.ResponseWriter)
	}{
		{"gone", func(w http.ResponseWriter) { w.WriteHeader(http.StatusGone) }},
		{"forbidden", func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) }},
		{"no-store", func(w http.ResponseWriter) { w.Header().Set("Cache-Control", "no-store") }},
		{"a cookie", func(w http.ResponseWriter) { w.Header().Set("Set-Cookie", "a=b") }},
	} {
		for tier, far := range map[string]cache.Store{
			"near": nil, "both": new(storetest.Memory), "plain": plain{new(storetest.Memory)},
		} {
			t.Run(test.desc+", "+tier, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := cache.Options{TTL: time.Minute, Stale: cache.Staleness{WhileRevalidate: time.Hour, IfError: time.Hour}}
					changed := false
					origin := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						if changed {
							test.now(w)
						}
						_, _ = w.Write([]byte("body"))
					})
					one, two := newCache(t, far, o).Handler(origin), newCache(t, far, o).Handler(origin)
					do(one, "GET", "/")
					do(two, "GET", "/")
					synctest.Wait()
					changed = true
					time.Sleep(2 * time.Minute)
					do(one, "GET", "/") // stale, and refreshed behind
					synctest.Wait()
					others := []http.Handler{one}
					if tier == "both" {
						others = append(others, two)
					}
					for i, h := range others {
						w := do(h, "GET", "/")
						got := w.Result()
						if status := got.Header.Get("Cache-Status"); got.StatusCode == http.StatusOK && got.Header["Set-Cookie"] == nil && got.Header["Cache-Control"] == nil {
							t.Errorf("replica %d still has what was before: %d, %s", i, got.StatusCode, status)
						}
					}
				})
			})
		}
	}
}

// TestRefreshThatFailsEndsNothing, however long it goes on about it.
func TestRefreshThatFailsEndsNothing(t *testing.T) {
	for desc, size := range map[string]int{"a few words": 10, "too many for a message": 64 << 10} {
		t.Run(desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := cache.Options{TTL: time.Minute, Stale: cache.Staleness{WhileRevalidate: time.Hour}, Tuning: cache.Tuning{NearTTL: time.Hour}}
				far := new(storetest.Memory)
				down := false
				origin := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					if down {
						w.WriteHeader(http.StatusServiceUnavailable)
						_, _ = w.Write(make([]byte, size))
						return
					}
					_, _ = w.Write([]byte("body"))
				})
				one, two := newCache(t, far, o).Handler(origin), newCache(t, far, o).Handler(origin)
				do(one, "GET", "/")
				do(two, "GET", "/")
				synctest.Wait()
				down = true
				time.Sleep(2 * time.Minute)
				for range 3 {
					for i, h := range []http.Handler{one, two} {
						if w := do(h, "GET", "/"); w.Code != http.StatusOK || w.Body.String() != "body" {
							t.Errorf("replica %d: %d, %s", i, w.Code, w.Header()["Cache-Status"])
						}
						synctest.Wait()
					}
				}
			})
		})
	}
}

// TestSoftPurgeEndsItsWindow: what is purged softly is served for as long as if it had expired then, however it is purged.
func TestSoftPurgeEndsItsWindow(t *testing.T) {
	for desc, purge := range map[string]func(*cache.Cache) error{
		"key":  func(c *cache.Cache) error { return c.PurgeKey(t.Context(), cache.Soft, "v:key") },
		"tags": func(c *cache.Cache) error { return c.PurgeTags(t.Context(), cache.Soft, "tag") },
		"all":  func(c *cache.Cache) error { return c.PurgeAll(t.Context(), cache.Soft) },
	} {
		t.Run(desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := cache.Options{TTL: time.Hour, Stale: cache.Staleness{WhileRevalidate: 10 * time.Second}, Tuning: cache.Tuning{NearTTL: time.Second}}
				far := new(storetest.Memory)
				one, two := newCache(t, far, o), newCache(t, far, o)
				errDown := errors.New("down")
				down := false
				load := func(ctx context.Context) (int, error) {
					if down {
						return 0, errDown
					}
					cache.AddTags(ctx, "tag")
					return 1, nil
				}
				for _, c := range []*cache.Cache{one, two} {
					if _, _, err := fetch(t, c, "key", load); err != nil {
						t.Fatal(err)
					}
				}
				down = true
				if err := purge(one); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				for range 4 {
					time.Sleep(2 * time.Second)
					for i, c := range []*cache.Cache{one, two} {
						if _, r, err := fetch(t, c, "key", load); err != nil || r.Outcome != cache.Stale {
							t.Errorf("replica %d, within the window: %+v, %v", i, r, err)
						}
					}
				}
				time.Sleep(3 * time.Second)
				for i, c := range []*cache.Cache{one, two} {
					if _, r, err := fetch(t, c, "key", load); !errors.Is(err, errDown) && err == nil {
						t.Errorf("replica %d, after the window: %+v", i, r)
					}
				}
			})
		})
	}
}

// TestFailureRestsEverywhere: an origin that is ill is not asked by every replica's every request.
func TestFailureRestsEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := new(storetest.Memory)
		o := cache.Options{TTL: time.Minute, Stale: cache.Staleness{IfError: time.Hour}, Tuning: cache.Tuning{ErrorTTL: 10 * time.Second}}
		one, two := newCache(t, far, o), newCache(t, far, o)
		var loads atomic.Int64
		down := false
		load := func(context.Context) (int, error) {
			if down {
				loads.Add(1)
				time.Sleep(time.Second)
				return 0, errors.New("down")
			}
			return 1, nil
		}
		for _, c := range []*cache.Cache{one, two} {
			if _, _, err := fetch(t, c, "key", load); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		time.Sleep(2 * time.Minute)
		down = true
		for range 5 {
			done := make(chan struct{})
			go func() {
				defer close(done)
				if _, r, err := fetch(t, two, "key", load); err != nil || r.Outcome != cache.StaleError {
					t.Errorf("%+v, %v", r, err)
				}
			}()
			if _, r, err := fetch(t, one, "key", load); err != nil || r.Outcome != cache.StaleError {
				t.Errorf("%+v, %v", r, err)
			}
			<-done
		}
		if n := loads.Load(); n != 1 {
			t.Errorf("%d loads of two replicas that were asked five times within the rest, want 1", n)
		}
	})
}

// TestForEver: the longest TTL there is keeps a value, in the far tier too.
func TestForEver(t *testing.T) {
	for _, near := range []int64{0, -1} {
		c := newCache(t, new(storetest.Memory), cache.Options{
			TTL: math.MaxInt64, Near: near, Stale: cache.Staleness{WhileRevalidate: math.MaxInt64, IfError: math.MaxInt64},
		})
		var loads counter
		for _, want := range []cache.Outcome{cache.Miss, cache.Hit} {
			if v, r, err := fetch(t, c, "key", loads.load); v != 1 || err != nil || r.Outcome != want {
				t.Errorf("%d, %+v, %v; want a %s", v, r, err, want)
			}
		}
	}
}
