package cache_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

type asker = func(testing.TB, *cache.Cache, string, func(context.Context) (string, error)) (string, cache.Result, error)

func TestStaleWhileRevalidate(t *testing.T) {
	for _, test := range []struct {
		desc      string
		far       cache.Store
		near      int64
		elsewhere bool // what is stale was loaded by another replica
		tier      cache.Tier
	}{
		{"near tier", nil, 0, false, cache.Near},
		{"both tiers", new(storetest.Memory), 0, false, cache.Far}, // NearTTL is over
		{"far tier", new(storetest.Memory), -1, false, cache.Far},
		{"far tier, of another replica", new(storetest.Memory), 0, true, cache.Far},
		{"a plain store", plain{new(storetest.Memory)}, -1, false, cache.Far},
	} {
		t.Run(test.desc, func(t *testing.T) {
			both(t, func(t *testing.T, ask asker) {
				synctest.Test(t, func(t *testing.T) {
					o := cache.Options{TTL: time.Minute, Near: test.near, Stale: cache.Staleness{WhileRevalidate: 10 * time.Second}}
					c := newCache(t, test.far, o)
					first := c
					if test.elsewhere {
						first = newCache(t, test.far, o)
					}
					from := &origins{takes: time.Second}
					if v, _, err := ask(t, first, "key", from.load); v != "1" || err != nil {
						t.Fatalf("%q, %v", v, err)
					}
					time.Sleep(65 * time.Second)
					start := time.Now()
					for range 5 { // one refresh, however many ask
						v, r, err := ask(t, c, "key", from.load)
						if v != "1" || err != nil || r.Outcome != cache.Stale || r.TTL != -5*time.Second || r.Age != 65*time.Second || !time.Now().Equal(start) {
							t.Errorf("%q, %+v, %v after %s; want the stale value at once", v, r, err, time.Since(start))
						}
						if r.Tier != test.tier && r.Tier != cache.Near {
							t.Errorf("from %s, want %s", r.Tier, test.tier)
						}
					}
					time.Sleep(2 * time.Second)
					if v, r, err := ask(t, c, "key", from.load); v != "2" || err != nil || r.Outcome != cache.Hit || r.Age != time.Second {
						t.Errorf("%q, %+v, %v; want what the refresh brought", v, r, err)
					}
					if n := from.asked.Load(); n != 2 {
						t.Errorf("%d loads, want 2", n)
					}
					time.Sleep(69 * time.Second) // the window's end is the value's
					if v, r, err := ask(t, c, "key", from.load); v != "3" || err != nil || r.Outcome != cache.Miss {
						t.Errorf("%q, %+v, %v; want a miss", v, r, err)
					}
				})
			})
		})
	}
}

func TestStaleCacheStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, nil, cache.Options{Name: "slow", TTL: time.Minute, Stale: cache.Staleness{WhileRevalidate: 10 * time.Second, IfError: time.Hour}})
		status := http.StatusOK
		h := c.Handler(&origin{answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }})
		do(h, "GET", "/")
		time.Sleep(65 * time.Second)
		w := do(h, "GET", "/")
		if got := w.Header().Get("Cache-Status"); got != "slow; hit; ttl=-5; detail=stale" || w.Header().Get("Age") != "65" {
			t.Errorf("%s, Age %s", got, w.Header().Get("Age"))
		}
		synctest.Wait()
		time.Sleep(80 * time.Second)
		status = http.StatusServiceUnavailable
		w = do(h, "GET", "/")
		if got := w.Header().Get("Cache-Status"); got != "slow; fwd=stale; fwd-status=503; detail=stale_error" || w.Code != 200 || w.Body.String() != "2" || w.Header().Get("Age") != "80" {
			t.Errorf("%d %s %s, Age %s", w.Code, w.Body, got, w.Header().Get("Age"))
		}
	})
}

// TestRefreshOutlivesTheRequest: a background refresh does not die with the request that started it.
func TestRefreshOutlivesTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, nil, cache.Options{TTL: time.Minute, Stale: cache.Staleness{WhileRevalidate: time.Hour}})
		n := 0
		load := func(ctx context.Context) (int, error) {
			n++
			now := n
			select {
			case <-time.After(5 * time.Second):
				return now, nil
			case <-ctx.Done():
				return 0, context.Cause(ctx)
			}
		}
		ctx, leave := context.WithCancel(t.Context())
		for _, want := range []int{1, 1} {
			if v, err := cache.Fetch(ctx, c, "key", load); v != want || err != nil {
				t.Errorf("%d, %v", v, err)
			}
			time.Sleep(70 * time.Second)
		}
		if v, err := cache.Fetch(ctx, c, "key", load); v != 2 || err != nil {
			t.Fatalf("%d, %v", v, err)
		}
		synctest.Wait()
		leave()
		time.Sleep(6 * time.Second)
		if v, r, err := fetch(t, c, "key", load); v != 3 || err != nil || r.Outcome != cache.Hit {
			t.Errorf("%d, %+v, %v; want what the refresh brought", v, r, err)
		}
	})
}

// TestRefreshHasADeadline: nor does it run under none at all.
func TestRefreshHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, nil, cache.Options{TTL: time.Minute, Stale: cache.Staleness{WhileRevalidate: time.Hour}, Limits: cache.Limits{LoadTimeout: 10 * time.Second}})
		var ended []time.Duration
		load := func(ctx context.Context) (int, error) {
			if len(ended) == 0 {
				ended = append(ended, 0)
				return 1, nil
			}
			start := time.Now()
			<-ctx.Done()
			ended = append(ended, time.Since(start))
			return 0, context.Cause(ctx)
		}
		for range 2 {
			if v, _, err := fetch(t, c, "key", load); v != 1 || err != nil {
				t.Errorf("%d, %v", v, err)
			}
			time.Sleep(70 * time.Second)
			synctest.Wait()
		}
		if len(ended) != 2 || ended[1] != 10*time.Second {
			t.Errorf("loads took %v, want one that was given 10s", ended)
		}
	})
}

// TestSoftTimeout: the last good value after a while, and the load goes on and is kept.
func TestSoftTimeout(t *testing.T) {
	for _, far := range []cache.Store{nil, new(storetest.Memory)} {
		both(t, func(t *testing.T, ask asker) {
			synctest.Test(t, func(t *testing.T) {
				c := newCache(t, far, cache.Options{TTL: time.Minute, Stale: cache.Staleness{IfError: time.Hour, SoftTimeout: time.Second}})
				from := &origins{takes: 5 * time.Second}
				start := time.Now()
				if v, _, err := ask(t, c, "key", from.load); v != "1" || err != nil || time.Since(start) != 5*time.Second {
					t.Errorf("%q, %v after %s; want the whole load where nothing stands in", v, err, time.Since(start))
				}
				time.Sleep(2 * time.Minute)
				for range 2 {
					start = time.Now()
					v, r, err := ask(t, c, "key", from.load)
					if v != "1" || err != nil || r.Outcome != cache.StaleError || r.Status != 0 {
						t.Errorf("%q, %+v, %v; want the last good value", v, r, err)
					}
					if took := time.Since(start); took > time.Second {
						t.Errorf("after %s, want a second at most", took)
					}
				}
				time.Sleep(5 * time.Second)
				if v, r, err := ask(t, c, "key", from.load); v != "2" || err != nil || r.Outcome != cache.Hit {
					t.Errorf("%q, %+v, %v; want what the load brought after all", v, r, err)
				}
			})
		})
	}
}

// TestSoftTimeoutKeepsTheWindow: what is past its window by the soft timeout stands in for nothing.
func TestSoftTimeoutKeepsTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, nil, cache.Options{TTL: time.Minute, Stale: cache.Staleness{IfError: 10 * time.Second, SoftTimeout: 2 * time.Second}})
		from := &origins{}
		if _, _, err := fetch(t, c, "key", from.load); err != nil {
			t.Fatal(err)
		}
		from.takes = 5 * time.Second
		time.Sleep(69 * time.Second)
		if v, r, err := fetch(t, c, "key", from.load); v != "2" || err != nil || r.Outcome != cache.Miss {
			t.Errorf("%q, %+v, %v; want the load's value", v, r, err)
		}
	})
}

// TestHardTimeout: what outlasts Limits.LoadTimeout is an error, or what stands in for it.
func TestHardTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, new(storetest.Memory), cache.Options{
			TTL: time.Minute, Stale: cache.Staleness{IfError: time.Hour}, Limits: cache.Limits{LoadTimeout: 3 * time.Second},
		})
		from := &origins{}
		if _, _, err := fetch(t, c, "key", from.load); err != nil {
			t.Fatal(err)
		}
		from.takes = 10 * time.Second // and deaf
		time.Sleep(2 * time.Minute)
		start := time.Now()
		if v, r, err := fetch(t, c, "key", from.load); v != "1" || err != nil || r.Outcome != cache.StaleError || time.Since(start) != 3*time.Second {
			t.Errorf("%q, %+v, %v after %s; want the last good value after 3s", v, r, err, time.Since(start))
		}
		if _, _, err := fetch(t, c, "another", from.load); !errors.Is(err, cache.ErrLoadTimeout) {
			t.Errorf("%v, want ErrLoadTimeout", err)
		}
		time.Sleep(time.Minute)
	})
}

// TestStaleWindowsOfTheOrigin: what an answer says of its own windows counts (RFC 5861).
func TestStaleWindowsOfTheOrigin(t *testing.T) {
	for _, test := range []struct {
		says string
		want string // after 30 s, of which 10 s fresh: the outcome while the origin is well, and while it fails
	}{
		{"max-age=10", "stale 200"},
		{"max-age=10, stale-while-revalidate=0", "miss 200"},
		{"max-age=10, stale-while-revalidate=5, stale-if-error=5", "miss 503"},
		{"max-age=10, must-revalidate", "miss 503"},
		{"s-maxage=10", "miss 503"},
	} {
		t.Run(test.says, func(t *testing.T) {
			outcome, code := "", 0
			for _, fails := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					status := 200
					c := newCache(t, nil, cache.Options{TTL: time.Minute, Stale: cache.Staleness{WhileRevalidate: 50 * time.Second, IfError: time.Minute}})
					h := c.Handler(&origin{answer: func(w http.ResponseWriter, _ *http.Request) {
						w.Header().Set("Cache-Control", test.says)
						w.WriteHeader(status)
					}})
					do(h, "GET", "/")
					time.Sleep(30 * time.Second)
					if fails {
						status = 503
						code = do(h, "GET", "/").Code
						return
					}
					outcome = "miss"
					if w := do(h, "GET", "/"); w.Body.String() == "1" {
						outcome = "stale"
					}
				})
			}
			if got := outcome + " " + strconv.Itoa(code); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}
