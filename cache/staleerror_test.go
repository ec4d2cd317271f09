package cache_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// TestStaleIfError: the last good value stands in for a load that fails, in whichever way. It needs no validator.
func TestStaleIfError(t *testing.T) {
	for _, test := range []struct {
		desc string
		load func(context.Context) (string, error)
	}{
		{"an error", func(context.Context) (string, error) { return "", errOrigin }},
		{"a panic", func(context.Context) (string, error) { panic("boom") }},
		{"a load that gives up", func(ctx context.Context) (string, error) { <-ctx.Done(); return "", context.Cause(ctx) }},
		{"a deaf load", func(context.Context) (string, error) { time.Sleep(5 * time.Minute); return "late", nil }},
	} {
		t.Run(test.desc, func(t *testing.T) {
			for _, far := range []cache.Store{nil, new(storetest.Memory)} {
				both(t, func(t *testing.T, ask asker) {
					synctest.Test(t, func(t *testing.T) {
						c := newCache(t, far, cache.Options{
							TTL: time.Minute, Stale: cache.Staleness{IfError: 10 * time.Minute}, Limits: cache.Limits{LoadTimeout: 2 * time.Second},
						})
						if _, _, err := ask(t, c, "key", new(origins).load); err != nil {
							t.Fatal(err)
						}
						time.Sleep(2 * time.Minute)
						if v, r, err := ask(t, c, "key", test.load); v != "1" || err != nil || r.Outcome != cache.StaleError || r.TTL >= 0 {
							t.Errorf("%q, %+v, %v; want the last good value", v, r, err)
						}
						time.Sleep(20 * time.Minute)
						if v, _, err := ask(t, c, "key", func(context.Context) (string, error) { return "", errOrigin }); v == "1" || err == nil {
							t.Errorf("%q, %v; want an error past the window", v, err)
						}
					})
				})
			}
		})
	}
}

// TestStaleIfErrorOfARejectedLoad: to be turned away is to fail.
func TestStaleIfErrorOfARejectedLoad(t *testing.T) {
	both(t, func(t *testing.T, ask asker) {
		synctest.Test(t, func(t *testing.T) {
			c := newCache(t, nil, cache.Options{
				TTL: time.Minute, Stale: cache.Staleness{IfError: time.Hour}, Limits: cache.Limits{Loads: 1, Queue: -1},
			})
			if _, _, err := ask(t, c, "key", new(origins).load); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Minute)
			go ask(t, c, "another", (&origins{takes: time.Second}).load)
			synctest.Wait()
			if v, r, err := ask(t, c, "key", new(origins).load); v != "1" || err != nil || r.Outcome != cache.StaleError {
				t.Errorf("%q, %+v, %v; want the last good value", v, r, err)
			}
			time.Sleep(2 * time.Second)
		})
	})
}

// TestStaleIfErrorMasksNoRefusal: an old 200 in the place of a 401, 403, 404 or 410 would be a hole.
func TestStaleIfErrorMasksNoRefusal(t *testing.T) {
	for status, masked := range map[int]bool{
		500: true, 502: true, 503: true, 504: true, 400: false, 401: false, 403: false, 404: false, 410: false, 429: false, 501: false, 505: false,
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				now := 200
				c := newCache(t, new(storetest.Memory), cache.Options{TTL: time.Minute, Stale: cache.Staleness{IfError: time.Hour}})
				h := c.Handler(&origin{answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(now) }})
				do(h, "GET", "/")
				time.Sleep(2 * time.Minute)
				now = status
				want, body := status, "2"
				if masked {
					want, body = 200, "1"
				}
				if w := do(h, "GET", "/"); w.Code != want || w.Body.String() != body {
					t.Errorf("%d %s, want %d %s", w.Code, w.Body, want, body)
				}
			})
		})
	}
}

// TestStaleIfErrorRests: a failed load is not tried again for every request, but after max(ErrorTTL, 1 s).
func TestStaleIfErrorRests(t *testing.T) {
	for _, test := range []struct {
		desc  string
		stale cache.Staleness
		far   cache.Store
		ttl   time.Duration
		rests time.Duration
	}{
		{"within stale-if-error", cache.Staleness{IfError: time.Hour}, nil, 0, time.Second},
		{"with a short ErrorTTL", cache.Staleness{IfError: time.Hour}, nil, 10 * time.Millisecond, time.Second},
		{"with an ErrorTTL", cache.Staleness{IfError: time.Hour}, nil, 10 * time.Second, 10 * time.Second},
		{"within both windows", cache.Staleness{IfError: time.Hour, WhileRevalidate: time.Hour}, nil, 5 * time.Second, 5 * time.Second},
		{"within stale-while-revalidate", cache.Staleness{WhileRevalidate: time.Hour}, nil, 5 * time.Second, 5 * time.Second},
		{"with a far tier", cache.Staleness{IfError: time.Hour}, new(storetest.Memory), 10 * time.Second, 10 * time.Second},
	} {
		t.Run(test.desc, func(t *testing.T) {
			both(t, func(t *testing.T, ask asker) {
				synctest.Test(t, func(t *testing.T) {
					c := newCache(t, test.far, cache.Options{TTL: time.Minute, Stale: test.stale, Tuning: cache.Tuning{ErrorTTL: test.ttl}})
					from := new(origins)
					if _, _, err := ask(t, c, "key", from.load); err != nil {
						t.Fatal(err)
					}
					from.fails.Store(true)
					time.Sleep(2 * time.Minute)
					for i, want := range []int64{2, 2, 3} {
						for range 5 {
							if v, _, err := ask(t, c, "key", from.load); v != "1" || err != nil {
								t.Errorf("%q, %v; want the last good value", v, err)
							}
							synctest.Wait()
						}
						if n := from.asked.Load(); n != want {
							t.Errorf("round %d: %d loads, want %d", i, n, want)
						}
						if i == 0 {
							time.Sleep(test.rests - time.Nanosecond)
						} else {
							time.Sleep(time.Nanosecond)
						}
					}
				})
			})
		})
	}
}

// TestStandInOfAnotherReplica: a value past its TTL in the far tier stands in as one of the near tier does.
func TestStandInOfAnotherReplica(t *testing.T) {
	both(t, func(t *testing.T, ask asker) {
		synctest.Test(t, func(t *testing.T) {
			var far storetest.Memory
			o := cache.Options{TTL: time.Minute, Stale: cache.Staleness{IfError: time.Hour}}
			one, two := newCache(t, &far, o), newCache(t, &far, o)
			if _, _, err := ask(t, one, "key", new(origins).load); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Minute)
			if v, r, err := ask(t, two, "key", func(context.Context) (string, error) { return "", errOrigin }); v != "1" || err != nil || r.Outcome != cache.StaleError {
				t.Errorf("%q, %+v, %v; want the last good value", v, r, err)
			}
		})
	})
}

// TestErrorWithoutAStandIn is as it would be without windows.
func TestErrorWithoutAStandIn(t *testing.T) {
	c := newCache(t, nil, cache.Options{TTL: time.Minute, Stale: cache.Staleness{IfError: time.Hour, WhileRevalidate: time.Hour, SoftTimeout: time.Nanosecond}})
	if _, r, err := fetch(t, c, "key", func(context.Context) (int, error) { return 0, errOrigin }); !errors.Is(err, errOrigin) || r.Outcome != cache.Miss {
		t.Errorf("%+v, %v; want the load's error", r, err)
	}
}

// TestStandInIsWhole: that an answer fails is known before its first byte is sent, however much of it was written.
func TestStandInIsWhole(t *testing.T) {
	for _, test := range []struct {
		desc string
		ends func(http.ResponseWriter, *http.Request)
	}{
		{"a panic", func(http.ResponseWriter, *http.Request) { panic("boom") }},
		{"its time", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
		{"a 503", func(http.ResponseWriter, *http.Request) {}},
	} {
		t.Run(test.desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fails := false
				c := newCache(t, nil, cache.Options{TTL: time.Minute, Stale: cache.Staleness{IfError: time.Hour}, Limits: cache.Limits{LoadTimeout: time.Second}})
				h := c.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if !fails {
						_, _ = io.WriteString(w, "whole")
						return
					}
					w.Header().Set("X-Error", "yes")
					w.WriteHeader(http.StatusServiceUnavailable)
					_, _ = io.WriteString(w, "half of an err")
					test.ends(w, r)
				}))
				do(h, "GET", "/")
				time.Sleep(2 * time.Minute)
				fails = true
				if w := do(h, "GET", "/"); w.Code != 200 || w.Body.String() != "whole" || w.Header().Get("X-Error") != "" {
					t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
				}
			})
		})
	}
}
