package cache_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// TestSetTTL: a load says how long its own value is fresh, an empty one less.
func TestSetTTL(t *testing.T) {
	for _, far := range []cache.Store{nil, new(storetest.Memory)} {
		both(t, func(t *testing.T, ask asker) {
			synctest.Test(t, func(t *testing.T) {
				c := newCache(t, far, cache.Options{TTL: time.Minute, Tuning: cache.Tuning{NearTTL: time.Hour}})
				for key, ttl := range map[string]time.Duration{"empty": 5 * time.Second, "constant": 20 * time.Minute} {
					from := new(origins)
					load := func(ctx context.Context) (string, error) {
						cache.SetTTL(ctx, ttl)
						return from.load(ctx)
					}
					for i, want := range []cache.Outcome{cache.Miss, cache.Hit, cache.Miss} {
						if _, r, err := ask(t, c, key, load); err != nil || r.Outcome != want {
							t.Errorf("%s, call %d: %+v, %v; want %s", key, i, r, err, want)
						}
						switch i {
						case 0:
							time.Sleep(min(ttl-1, 10*time.Minute))
						case 1:
							time.Sleep(1 + max(ttl-10*time.Minute, 0))
						}
					}
				}
			})
		})
	}
}

// TestZeroTTLKeepsNothing, whoever says it, and whatever windows there are.
func TestZeroTTLKeepsNothing(t *testing.T) {
	for _, ttl := range []time.Duration{0, -time.Second} {
		both(t, func(t *testing.T, ask asker) {
			var far storetest.Memory
			c := newCache(t, &far, cache.Options{TTL: time.Minute, Stale: cache.Staleness{WhileRevalidate: time.Hour, IfError: time.Hour}})
			from := new(origins)
			for _, want := range []string{"1", "2"} {
				v, r, err := ask(t, c, "key", func(ctx context.Context) (string, error) {
					cache.SetTTL(ctx, ttl)
					return from.load(ctx)
				})
				if v != want || err != nil || r.Outcome != cache.Miss || r.Stored {
					t.Errorf("%q, %+v, %v; want a miss that is not stored", v, r, err)
				}
			}
			if len(far.Keys()) != 0 || len(c.Hottest(1)) != 0 {
				t.Errorf("kept: %q, %v", far.Keys(), c.Hottest(1))
			}
		})
	}
}

// TestWishesOutsideALoad do nothing: there is no value that they could be of.
func TestWishesOutsideALoad(t *testing.T) {
	cache.SetTTL(t.Context(), 0)
	cache.AddTags(t.Context(), "a")
	c := newCache(t, nil, cache.Options{TTL: time.Minute})
	if _, r, err := fetch(t, c, "key", new(origins).load); err != nil || !r.Stored {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestStoreOutlastsFreshness: the store keeps a value as long as it may be served stale, and no longer.
func TestStoreOutlastsFreshness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &timed{}
		c := newCache(t, far, cache.Options{TTL: time.Minute, Stale: cache.Staleness{WhileRevalidate: 2 * time.Minute, IfError: 9 * time.Minute}})
		if _, _, err := fetch(t, c, "key", new(origins).load); err != nil {
			t.Fatal(err)
		}
		if far.ttl != 10*time.Minute {
			t.Errorf("kept for %s, want TTL and the longer window: 10m", far.ttl)
		}
	})
}

type timed struct {
	storetest.Memory
	ttl time.Duration
}

func (s *timed) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration, message []byte) (bool, error) {
	s.ttl = ttl
	return s.Memory.Fill(ctx, key, token, value, ttl, message)
}

// TestJitterSpreads TTLs below what was asked for, and nowhere else.
func TestJitterSpreads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, nil, cache.Options{TTL: 100 * time.Second, Tuning: cache.Tuning{Jitter: .2}})
		var sum, least, most time.Duration
		const n = 1000
		for i := range n {
			key := strings.Repeat("k", i)
			if _, _, err := fetch(t, c, key, new(origins).load); err != nil {
				t.Fatal(err)
			}
			_, r, _ := fetch(t, c, key, new(origins).load)
			sum += r.TTL
			if least == 0 || r.TTL < least {
				least = r.TTL
			}
			most = max(most, r.TTL)
		}
		if mean := sum / n; least < 80*time.Second || most > 100*time.Second || most-least < 18*time.Second || mean < 89*time.Second || mean > 91*time.Second {
			t.Errorf("from %s to %s, %s on average; want 80s to 100s, evenly", least, most, mean)
		}
	})
}

// TestErrorTTL: an error is kept in both tiers; elsewhere its text is left.
func TestErrorTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var far storetest.Memory
		o := cache.Options{TTL: time.Minute, Tuning: cache.Tuning{ErrorTTL: 10 * time.Second}}
		one, two := newCache(t, &far, o), newCache(t, &far, o)
		from := new(origins)
		from.fails.Store(true)
		for range 3 {
			if _, _, err := fetch(t, one, "key", from.load); !errors.Is(err, errOrigin) {
				t.Errorf("%v, want the error itself", err)
			}
			_, r, err := fetch(t, two, "key", from.load)
			if remote, ok := errors.AsType[*cache.RemoteError](err); !ok || remote.Text != errOrigin.Error() || r.Outcome != cache.Hit {
				t.Errorf("%+v, %v; want a *RemoteError", r, err)
			}
		}
		if n := from.asked.Load(); n != 1 {
			t.Errorf("%d loads, want 1", n)
		}
		from.fails.Store(false)
		time.Sleep(10 * time.Second)
		if v, _, err := fetch(t, two, "key", from.load); v != "2" || err != nil {
			t.Errorf("%q, %v; want a new load", v, err)
		}
	})
}

// TestErrorTTLOfATimeout: it stays one, wherever it is kept.
func TestErrorTTLOfATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var far storetest.Memory
		o := cache.Options{TTL: time.Minute, Limits: cache.Limits{LoadTimeout: time.Second}, Tuning: cache.Tuning{ErrorTTL: time.Minute}}
		one, two := newCache(t, &far, o), newCache(t, &far, o)
		load := func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, context.Cause(ctx) }
		for _, c := range []*cache.Cache{one, one, two} {
			if _, _, err := fetch(t, c, "key", load); !errors.Is(err, cache.ErrLoadTimeout) {
				t.Errorf("%v, want ErrLoadTimeout", err)
			}
		}
	})
}

// TestErrorsAreNotKeptOtherwise: neither by default, nor those of a load that was turned away, nor of a Handler.
func TestErrorsAreNotKeptOtherwise(t *testing.T) {
	var far storetest.Memory
	c := newCache(t, &far, cache.Options{TTL: time.Minute})
	from := new(origins)
	from.fails.Store(true)
	for want := range int64(2) {
		_, _, err := fetch(t, c, "key", from.load)
		if !errors.Is(err, errOrigin) || from.asked.Load() != want+1 || len(far.Keys()) != 0 {
			t.Errorf("%v after %d loads, kept %q", err, from.asked.Load(), far.Keys())
		}
	}
	c = newCache(t, &far, cache.Options{TTL: time.Minute, Tuning: cache.Tuning{ErrorTTL: time.Minute}})
	for range 2 {
		if _, _, err := get(t, c, "key", from.load); err == nil || len(far.Keys()) != 0 {
			t.Errorf("%v, kept %q", err, far.Keys())
		}
	}
	if n := from.asked.Load(); n != 4 {
		t.Errorf("%d loads, want each of 4", n)
	}
}

// TestEarlyRefresh: a hit near the end refreshes, likelier the longer the load took, and once.
func TestEarlyRefresh(t *testing.T) {
	both(t, func(t *testing.T, ask asker) {
		const n = 300
		early := 0
		var left time.Duration
		for range n {
			synctest.Test(t, func(t *testing.T) {
				c := newCache(t, nil, cache.Options{TTL: 100 * time.Second, Tuning: cache.Tuning{EarlyRefresh: 1, NoWhatIf: true}})
				from := &origins{takes: 5 * time.Second}
				if _, _, err := ask(t, c, "key", from.load); err != nil {
					t.Fatal(err)
				}
				time.Sleep(49 * time.Second)
				for i := range 99 {
					time.Sleep(500 * time.Millisecond)
					var all sync.WaitGroup
					for range 3 {
						all.Go(func() {
							if v, r, err := ask(t, c, "key", from.load); v != "1" || err != nil || r.Outcome != cache.Hit {
								t.Errorf("%q, %+v, %v; want a hit", v, r, err)
							}
						})
					}
					all.Wait()
					synctest.Wait()
					if loads := from.asked.Load(); loads > 2 {
						t.Errorf("%d loads, want one refresh", loads)
					} else if loads == 2 {
						early++
						left += 51*time.Second - time.Duration(i+1)*500*time.Millisecond
						break
					}
				}
				time.Sleep(6 * time.Second)
				if from.asked.Load() == 2 {
					if v, r, err := ask(t, c, "key", from.load); v != "2" || err != nil || r.Outcome != cache.Hit {
						t.Errorf("%q, %+v, %v; want what the refresh brought", v, r, err)
					}
				}
			})
		}
		// Each of 3 hits every half a second refreshes x seconds before the end with probability exp(-x/5): on average
		// that is first so at about 5·ln(30) = 17 s.
		if mean := left / time.Duration(max(early, 1)); early < n-5 || mean < 12*time.Second || mean > 24*time.Second {
			t.Errorf("%d of %d were refreshed early, %s before the end on average", early, n, mean)
		}
	})
}

// TestNoEarlyRefreshByDefault, nor of what costs nothing to load.
func TestNoEarlyRefreshByDefault(t *testing.T) {
	for _, test := range []struct {
		tuning cache.Tuning
		takes  time.Duration
	}{{cache.Tuning{}, 10 * time.Second}, {cache.Tuning{EarlyRefresh: 1}, 0}} {
		synctest.Test(t, func(t *testing.T) {
			c := newCache(t, nil, cache.Options{TTL: time.Minute, Tuning: test.tuning})
			from := &origins{takes: test.takes}
			fetch(t, c, "key", from.load)
			for range 599 {
				time.Sleep(100 * time.Millisecond)
				fetch(t, c, "key", from.load)
			}
			synctest.Wait()
			if n := from.asked.Load(); n != 1 {
				t.Errorf("%+v: %d loads, want 1", test, n)
			}
		})
	}
}
