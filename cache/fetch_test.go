package cache_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// newCache makes a cache that is closed with the test.
func newCache(t testing.TB, far cache.Store, o cache.Options) *cache.Cache {
	t.Helper()
	c, err := cache.New(far, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

// fetch returns the value under key and how it came about.
func fetch[T any](t testing.TB, c *cache.Cache, key string, load func(context.Context) (T, error)) (T, cache.Result, error) {
	t.Helper()
	ctx, recorder := cache.WithRecorder(t.Context())
	v, err := cache.Fetch(ctx, c, key, load)
	result, ok := recorder.Result()
	if !ok {
		t.Error("no result was recorded")
	}
	return v, result, err
}

// counter is a load that says how often it ran.
type counter struct{ n atomic.Int64 }

func (c *counter) load(context.Context) (int64, error) { return c.n.Add(1), nil }

func TestFetchKeepsForTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var loads counter
		c := newCache(t, nil, cache.Options{TTL: time.Minute})
		for _, step := range []struct {
			after   time.Duration
			value   int64
			outcome cache.Outcome
			tier    cache.Tier
			ttl     time.Duration
		}{
			{0, 1, cache.Miss, cache.None, 0},
			{0, 1, cache.Hit, cache.Near, time.Minute},
			{59 * time.Second, 1, cache.Hit, cache.Near, time.Second},
			{time.Second, 2, cache.Miss, cache.None, 0},
			{0, 2, cache.Hit, cache.Near, time.Minute},
		} {
			time.Sleep(step.after)
			v, result, err := fetch(t, c, "key", loads.load)
			if v != step.value || err != nil || result.Outcome != step.outcome || result.Tier != step.tier || result.TTL != step.ttl {
				t.Errorf("after %s: %d, %+v, %v; want %+v", step.after, v, result, err, step)
			}
		}
	})
}

func TestFetchWithoutTTLKeepsNothing(t *testing.T) {
	var far storetest.Memory
	var loads counter
	c := newCache(t, &far, cache.Options{})
	for want := range int64(3) {
		if v, result, _ := fetch(t, c, "key", loads.load); v != want+1 || result.Outcome != cache.Miss || result.Stored {
			t.Errorf("%d, %+v; want %d, a miss that is not stored", v, result, want+1)
		}
	}
	if keys := far.Keys(); len(keys) != 0 {
		t.Errorf("the far tier holds %q", keys)
	}
}

func TestFetchLoadsOnceHoweverManyAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, nil, cache.Options{TTL: time.Minute})
		var loads counter
		var all sync.WaitGroup
		outcomes := make([]cache.Outcome, 100)
		for i := range outcomes {
			all.Go(func() {
				v, result, err := fetch(t, c, "key", func(ctx context.Context) (int64, error) {
					time.Sleep(time.Second)
					return loads.load(ctx)
				})
				if v != 1 || err != nil {
					t.Errorf("%d, %v", v, err)
				}
				outcomes[i] = result.Outcome
			})
		}
		all.Wait()
		count := map[cache.Outcome]int{}
		for _, o := range outcomes {
			count[o]++
		}
		if loads.n.Load() != 1 || count[cache.Miss] != 1 || count[cache.Coalesced] != 99 {
			t.Errorf("%d loads, outcomes %v; want 1 load, 1 miss, 99 coalesced", loads.n.Load(), count)
		}
	})
}

func TestFetchOutlivesItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, nil, cache.Options{TTL: time.Minute})
		load := func(ctx context.Context) (string, error) {
			select {
			case <-time.After(10 * time.Second):
				return "value", nil
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := cache.Fetch(impatient, c, "key", load); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the leader got %v, want its own deadline", err)
			}
		})
		synctest.Wait()
		start := time.Now()
		if v, _, err := fetch(t, c, "key", load); v != "value" || err != nil || time.Since(start) != 10*time.Second {
			t.Errorf("the follower got %q, %v after %s", v, err, time.Since(start))
		}
		all.Wait()
	})
}

func TestFetchSharesErrorsAndKeepsNone(t *testing.T) {
	errLoad := errors.New("no luck")
	for _, test := range []struct {
		desc string
		load func() error
		is   func(error) bool
	}{
		{"an error", func() error { return errLoad }, func(err error) bool { return errors.Is(err, errLoad) }},
		{"a panic", func() error { panic("boom") }, func(err error) bool {
			p, ok := errors.AsType[*cache.PanicError](err)
			return ok && p.Value == "boom" && len(p.Stack) > 0
		}},
		{"a Goexit", func() error { runtime.Goexit(); return nil }, func(err error) bool {
			_, ok := errors.AsType[*cache.PanicError](err)
			return ok
		}},
	} {
		t.Run(test.desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCache(t, nil, cache.Options{TTL: time.Minute})
				var failures atomic.Int64
				var all sync.WaitGroup
				for range 10 {
					all.Go(func() {
						_, _, err := fetch(t, c, "key", func(context.Context) (int, error) {
							time.Sleep(time.Second)
							failures.Add(1)
							return 0, test.load()
						})
						if !test.is(err) {
							t.Errorf("got %v", err)
						}
					})
				}
				all.Wait()
				if n := failures.Load(); n != 1 {
					t.Errorf("%d loads, want 1", n)
				}
				if v, result, err := fetch(t, c, "key", func(context.Context) (int, error) { return 7, nil }); v != 7 || err != nil || result.Outcome != cache.Miss {
					t.Errorf("afterwards %d, %+v, %v; want a new load", v, result, err)
				}
			})
		})
	}
}

func TestFetchBoundsALoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, nil, cache.Options{TTL: time.Minute, Limits: cache.Limits{LoadTimeout: 5 * time.Second}})
		deaf := func(context.Context) (int, error) { time.Sleep(time.Minute); return 1, nil }
		start := time.Now()
		if _, _, err := fetch(t, c, "key", deaf); !errors.Is(err, cache.ErrLoadTimeout) || time.Since(start) != 5*time.Second {
			t.Errorf("%v after %s; want ErrLoadTimeout after 5s", err, time.Since(start))
		}
		if _, result, err := fetch(t, c, "key", deaf); !errors.Is(err, cache.ErrLoadTimeout) || result.Outcome != cache.Coalesced {
			t.Errorf("%+v, %v; want no second load beside the first", result, err)
		}
		time.Sleep(time.Minute)
		if v, result, err := fetch(t, c, "key", deaf); v != 1 || err != nil || result.Outcome != cache.Hit {
			t.Errorf("%d, %+v, %v; want what the late load brought after all", v, result, err)
		}
	})
}

func TestFetchNothingIsAValue(t *testing.T) {
	c := newCache(t, new(storetest.Memory), cache.Options{TTL: time.Minute})
	nothing := func(context.Context) (error, error) { return nil, nil }
	for _, want := range []cache.Outcome{cache.Miss, cache.Hit} {
		if v, result, err := fetch(t, c, "nil", nothing); v != nil || err != nil || result.Outcome != want {
			t.Errorf("nil interface: %v, %+v, %v; want %s", v, result, err, want)
		}
		if v, result, err := fetch(t, c, "empty", func(context.Context) ([]string, error) { return nil, nil }); v != nil || err != nil || result.Outcome != want {
			t.Errorf("nil slice: %v, %+v, %v; want %s", v, result, err, want)
		}
	}
}

func TestFetchOfAnotherType(t *testing.T) {
	c := newCache(t, nil, cache.Options{TTL: time.Minute})
	if _, _, err := fetch(t, c, "key", func(context.Context) (int, error) { return 1, nil }); err != nil {
		t.Fatal(err)
	}
	if v, _, err := fetch(t, c, "key", func(context.Context) (string, error) { return "one", nil }); err == nil {
		t.Errorf("a string %q came of an int, without an error", v)
	}
}

func TestFetchAcrossReplicas(t *testing.T) {
	var far storetest.Memory
	var loads counter
	one := newCache(t, &far, cache.Options{TTL: time.Minute})
	two := newCache(t, &far, cache.Options{TTL: time.Minute})
	for i, step := range []struct {
		cache   *cache.Cache
		outcome cache.Outcome
		tier    cache.Tier
	}{{one, cache.Miss, cache.None}, {two, cache.Hit, cache.Far}, {two, cache.Hit, cache.Near}} {
		if v, result, err := fetch(t, step.cache, "key", loads.load); v != 1 || err != nil || result.Outcome != step.outcome || result.Tier != step.tier {
			t.Errorf("step %d: %d, %+v, %v; want %s %s", i, v, result, err, step.outcome, step.tier)
		}
	}
}

func TestFetchKeepsNamesApart(t *testing.T) {
	var far storetest.Memory
	for i, name := range []string{"one", "two"} {
		c := newCache(t, &far, cache.Options{Name: name, TTL: time.Minute})
		if v, _, err := fetch(t, c, "key", func(context.Context) (int, error) { return i, nil }); v != i || err != nil {
			t.Errorf("%s: %d, %v", name, v, err)
		}
	}
}

func TestNearIsBounded(t *testing.T) {
	const bound = 1 << 20
	c := newCache(t, nil, cache.Options{TTL: time.Hour, Near: bound})
	value := make([]byte, 10<<10)
	for i := range 1000 {
		if _, _, err := fetch(t, c, fmt.Sprint(i), func(context.Context) ([]byte, error) { return value, nil }); err != nil {
			t.Fatal(err)
		}
	}
	if got := cache.NearBytes(c); got > bound || got < bound/2 {
		t.Errorf("10 MB went through a near tier of %d bytes, which holds %d", bound, got)
	}
}

func TestNewRejects(t *testing.T) {
	for _, test := range []struct {
		desc string
		opts cache.Options
	}{
		{"no tier at all", cache.Options{Near: -1}},
		{"a name that is no token", cache.Options{Name: "a b"}},
		{"a negative TTL", cache.Options{TTL: -1}},
		{"a negative load timeout", cache.Options{Limits: cache.Limits{LoadTimeout: -1}}},
		{"a store timeout of hours", cache.Options{Limits: cache.Limits{StoreTimeout: time.Hour}}},
		{"a lease of nothing", cache.Options{Tuning: cache.Tuning{Lease: 1}}},
		{"a negative store timeout", cache.Options{Limits: cache.Limits{StoreTimeout: -1}}},
		{"a negative body", cache.Options{Limits: cache.Limits{Body: -1}}},
	} {
		if _, err := cache.New(nil, test.opts); err == nil {
			t.Errorf("%s: no error", test.desc)
		}
	}
}
