package cache_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

func TestLimitsOfLoads(t *testing.T) {
	for _, test := range []struct {
		desc     string
		limits   cache.Limits
		ask      int
		rejected int
		takes    time.Duration // all of them, of 1 s each
	}{
		{"any number", cache.Limits{}, 10, 0, time.Second},
		{"as many queue as run", cache.Limits{Loads: 2}, 10, 6, 2 * time.Second},
		{"a longer queue", cache.Limits{Loads: 2, Queue: 6}, 10, 2, 4 * time.Second},
		{"no queue", cache.Limits{Loads: 3, Queue: -1}, 10, 7, time.Second},
	} {
		t.Run(test.desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCache(t, nil, cache.Options{Name: "slow", TTL: time.Minute, Limits: test.limits})
				var all sync.WaitGroup
				var mu sync.Mutex
				rejected := 0
				start := time.Now()
				for i := range test.ask {
					all.Go(func() {
						_, r, err := fetch(t, c, strings.Repeat("k", i), (&origins{takes: time.Second}).load)
						if e, ok := errors.AsType[*cache.RejectedError](err); ok {
							mu.Lock()
							rejected++
							mu.Unlock()
							if r.Outcome != cache.Rejected || e.RetryAfter != time.Second || e.Cache != "slow" || !strings.Contains(e.Error(), "slow") {
								t.Errorf("%+v, %+v", r, e)
							}
						} else if err != nil || r.Outcome != cache.Miss {
							t.Errorf("%+v, %v", r, err)
						}
					})
				}
				all.Wait()
				if rejected != test.rejected || time.Since(start) != test.takes {
					t.Errorf("%d rejected, and %s; want %d and %s", rejected, time.Since(start), test.rejected, test.takes)
				}
			})
		})
	}
}

// TestHandlerRejects says when to come again, as far as that is known.
func TestHandlerRejects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newCache(t, nil, cache.Options{Name: "slow", TTL: time.Minute, Limits: cache.Limits{Loads: 1, Queue: -1}}).
			Handler(&origin{answer: func(http.ResponseWriter, *http.Request) { time.Sleep(2500 * time.Millisecond) }})
		for _, retry := range []string{"1", "3"} {
			go do(h, "GET", "/"+retry)
			synctest.Wait()
			w := do(h, "GET", "/another")
			if w.Code != 503 || w.Header().Get("Retry-After") != retry || w.Header().Get("Cache-Status") != "slow; fwd=miss; detail=rejected" {
				t.Errorf("%d %v, want a 503 with Retry-After: %s", w.Code, w.Header(), retry)
			}
			time.Sleep(3 * time.Second)
		}
	})
}

// TestQueueEndsWithItsCaller: who queues may give up, and its place in the queue is another's once the load has run.
func TestQueueEndsWithItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, nil, cache.Options{TTL: time.Minute, Limits: cache.Limits{Loads: 1}})
		from := &origins{takes: 10 * time.Second}
		go fetch(t, c, "runs", from.load)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := cache.Fetch(ctx, c, "queues", from.load); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want its own deadline", err)
		}
		time.Sleep(20 * time.Second)
		if v, r, err := fetch(t, c, "queues", from.load); v != "2" || err != nil || r.Outcome != cache.Hit {
			t.Errorf("%q, %+v, %v; want what the load brought, detached", v, r, err)
		}
	})
}

// TestLoadWithinALoad: to wait for another load takes no place, or a few that wait would stop all.
func TestLoadWithinALoad(t *testing.T) {
	for _, far := range []cache.Store{nil, new(storetest.Memory)} {
		synctest.Test(t, func(t *testing.T) {
			c := newCache(t, far, cache.Options{TTL: time.Minute, Limits: cache.Limits{Loads: 1, Queue: 100}})
			h := c.Handler(&origin{answer: func(http.ResponseWriter, *http.Request) { time.Sleep(time.Second) }})
			var all sync.WaitGroup
			for i := range 20 {
				all.Go(func() {
					_, _, err := fetch(t, c, strings.Repeat("k", i), func(ctx context.Context) (string, error) {
						for depth := range 3 {
							if _, err := cache.Fetch(ctx, c, "inner "+strings.Repeat("k", depth), (&origins{takes: time.Second}).load); err != nil {
								return "", err
							}
						}
						err := cache.Yield(ctx, func() error {
							if w := do(h, "GET", "/own"); w.Code != 200 {
								return errors.New(w.Body.String())
							}
							return nil
						})
						return "", err
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			start := time.Now()
			all.Wait()
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("%s for 4 seconds of loads", took)
			}
		})
	}
}

// TestYieldTakesItsPlaceAgain: after it no more loads run than may.
func TestYieldTakesItsPlaceAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, nil, cache.Options{TTL: time.Minute, Limits: cache.Limits{Loads: 1, Queue: 10}})
		var mu sync.Mutex
		running, most := 0, 0
		work := func() {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			running--
			mu.Unlock()
		}
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				_, _, err := fetch(t, c, strings.Repeat("k", i), func(ctx context.Context) (int, error) {
					work()
					_ = cache.Yield(ctx, func() error { time.Sleep(500 * time.Millisecond); return nil })
					work()
					return 0, nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if most != 1 {
			t.Errorf("%d at once, want 1", most)
		}
	})
}

// TestYieldOutsideALoad only waits.
func TestYieldOutsideALoad(t *testing.T) {
	if err := cache.Yield(t.Context(), func() error { return errOrigin }); !errors.Is(err, errOrigin) {
		t.Errorf("%v", err)
	}
}
