package cache_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// counting returns a load that tells how often it ran.
func counting(takes time.Duration) func(context.Context) (int, error) {
	n := 0
	return func(context.Context) (int, error) {
		n++
		now := n
		time.Sleep(takes)
		return now, nil
	}
}

func TestPurgeKey(t *testing.T) {
	for _, test := range []struct {
		desc string
		far  cache.Store
		near int64
	}{{"near tier", nil, 0}, {"far tier", new(storetest.Memory), -1}, {"both tiers", new(storetest.Memory), 0}} {
		t.Run(test.desc, func(t *testing.T) {
			c := newCache(t, test.far, cache.Options{TTL: time.Hour, Near: test.near})
			load := counting(0)
			for _, step := range []struct {
				purge string
				want  int
			}{{"", 1}, {"", 1}, {"v:key", 2}, {"v:another", 2}, {"r:host/key", 2}, {"v:key", 3}} {
				if step.purge != "" {
					if err := c.PurgeKey(t.Context(), cache.Hard, step.purge); err != nil {
						t.Fatal(err)
					}
				}
				if got, err := cache.Fetch(t.Context(), c, "key", load); err != nil || got != step.want {
					t.Errorf("%d, %v after a purge of %q; want %d", got, err, step.purge, step.want)
				}
			}
		})
	}
}

// TestPurgeKeyOfAResponse: what Hottest calls an entry is what PurgeKey takes.
func TestPurgeKeyOfAResponse(t *testing.T) {
	c := newCache(t, nil, cache.Options{TTL: time.Hour})
	h := c.Handler(new(origin))
	for i, target := range []string{"http://host:8080/a?q=1", "http://host:8080/b", "/c"} {
		do(h, "GET", target)
		do(h, "GET", target)
		all := c.Hottest(10)
		if len(all) != 1 || all[0].Hits != 1 || all[0].Bytes <= 0 || all[0].TTL <= 0 {
			t.Fatalf("%+v, want one entry with a hit", all)
		}
		if err := c.PurgeKey(t.Context(), cache.Hard, all[0].Key); err != nil {
			t.Fatal(err)
		}
		if w := do(h, "GET", target); w.Body.String() != strconv.Itoa(2*i+2) {
			t.Errorf("%s: %s after a purge", all[0].Key, w.Body)
		}
		if err := c.PurgeKey(t.Context(), cache.Hard, all[0].Key); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"", "x", "x:y", "r:nopath"} {
		if err := c.PurgeKey(t.Context(), cache.Hard, key); !errors.Is(err, cache.ErrKey) {
			t.Errorf("%q: %v, want ErrKey", key, err)
		}
	}
}

// TestPurgeDuringALoad: the load's waiters have its value, and nobody after them.
func TestPurgeDuringALoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var far storetest.Memory
		c := newCache(t, &far, cache.Options{TTL: time.Hour})
		load := counting(time.Second)
		time.AfterFunc(500*time.Millisecond, func() {
			if err := c.PurgeKey(t.Context(), cache.Hard, "v:key"); err != nil {
				t.Error(err)
			}
		})
		for _, want := range []int{1, 2, 2} {
			if got, err := cache.Fetch(t.Context(), c, "key", load); got != want || err != nil {
				t.Errorf("%d, %v; want %d", got, err, want)
			}
			if want == 1 && (len(far.Keys()) != 0 || len(c.Hottest(1)) != 0) {
				t.Errorf("the purged value is kept: %q, %v", far.Keys(), c.Hottest(1))
			}
		}
	})
}

// TestPurgeWithoutTheFarTier: the near tier forgets, and the error says that the other did not.
func TestPurgeWithoutTheFarTier(t *testing.T) {
	c, err := cache.New(brokenStore{}, cache.Options{TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(t.Context()); err == nil || !strings.Contains(err.Error(), "does not know of: 1") {
			t.Errorf("%v, want the number of purges that are lost", err)
		}
	}()
	load := counting(0)
	for _, want := range []int{1, 2} {
		if got, err := cache.Fetch(t.Context(), c, "key", load); got != want || err != nil {
			t.Errorf("%d, %v; want %d", got, err, want)
		}
		if err := c.PurgeKey(t.Context(), cache.Hard, "v:key"); !errors.Is(err, cache.ErrUnsent) {
			t.Errorf("%v, want ErrUnsent", err)
		}
	}
}

var errBroken = errors.New("broken")

type brokenStore struct{}

func (brokenStore) Get(context.Context, string) ([]byte, error)              { return nil, errBroken }
func (brokenStore) Set(context.Context, string, []byte, time.Duration) error { return errBroken }
func (brokenStore) Delete(context.Context, ...string) error                  { return errBroken }
