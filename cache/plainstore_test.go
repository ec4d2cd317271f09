package cache_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// TestPlainStore: with Get, Set and Delete alone each process loads once, and all share what is kept.
func TestPlainStore(t *testing.T) {
	both(t, func(t *testing.T, ask asker) {
		synctest.Test(t, func(t *testing.T) {
			far := plain{new(storetest.Memory)}
			one, two := newCache(t, far, cache.Options{TTL: time.Hour}), newCache(t, far, cache.Options{TTL: time.Hour})
			from := &origins{takes: time.Second}
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					if v, _, err := ask(t, one, "key", from.load); v != "1" || err != nil {
						t.Errorf("%q, %v", v, err)
					}
				})
			}
			all.Wait()
			if v, r, err := ask(t, two, "key", from.load); v != "1" || err != nil || r.Tier != cache.Far {
				t.Errorf("%q, %+v, %v; want the other's", v, r, err)
			}
			for _, key := range []string{"v:key", "r:host/key"} {
				if err := one.PurgeKey(t.Context(), cache.Hard, key); err != nil {
					t.Fatal(err)
				}
			}
			if v, _, err := ask(t, one, "key", from.load); v != "2" || err != nil {
				t.Errorf("%q, %v after a purge", v, err)
			}
			time.Sleep(30 * time.Second) // nothing tells the other, but NearTTL
			if v, _, err := ask(t, two, "key", from.load); v != "2" || err != nil {
				t.Errorf("%q, %v after NearTTL", v, err)
			}
		})
	})
}

// TestPurgeOfAPlainStoreDuringALoad: what the load set is taken away again.
func TestPurgeOfAPlainStoreDuringALoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := new(storetest.Memory)
		c := newCache(t, plain{&shaky{Memory: memory, takes: 20 * time.Millisecond}}, cache.Options{TTL: time.Hour})
		from := &origins{takes: time.Second}
		for _, after := range []time.Duration{500 * time.Millisecond, 1015 * time.Millisecond, 1035 * time.Millisecond} {
			time.AfterFunc(after, func() {
				if err := c.PurgeKey(t.Context(), cache.Hard, "v:key"); err != nil {
					t.Error(err)
				}
			})
			if _, _, err := fetch(t, c, "key", from.load); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Second)
			if keys := memory.Keys(); len(keys) != 0 || len(c.Hottest(1)) != 0 {
				t.Errorf("purged after %s, and kept: %q, %v", after, keys, c.Hottest(1))
			}
		}
	})
}

// TestErrorsOfAPlainStore are kept in it.
func TestErrorsOfAPlainStore(t *testing.T) {
	far := plain{new(storetest.Memory)}
	o := cache.Options{TTL: time.Hour, Tuning: cache.Tuning{ErrorTTL: time.Minute}}
	one, two := newCache(t, far, o), newCache(t, far, o)
	fails := func(context.Context) (int, error) { return 0, errOrigin }
	fetch(t, one, "key", fails)
	if _, r, err := fetch(t, two, "key", fails); r.Outcome != cache.Hit {
		t.Errorf("%+v, %v", r, err)
	} else if _, ok := errors.AsType[*cache.RemoteError](err); !ok {
		t.Errorf("%v, want a *RemoteError", err)
	}
}
