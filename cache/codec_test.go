package cache_test

import (
	"context"
	"testing"
	"time"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// TestBytesAreKeptAsTheyAre: what comes from the far tier is what went there, whatever bytes it is made of.
func TestBytesAreKeptAsTheyAre(t *testing.T) {
	const value = "\x00\xff\"\\<&> é"
	far := new(storetest.Memory)
	c := newCache(t, far, cache.Options{TTL: time.Hour, Near: -1})
	for range 2 {
		s, err := cache.Fetch(t.Context(), c, "string", func(context.Context) (string, error) { return value, nil })
		if s != value || err != nil {
			t.Errorf("%q, %v", s, err)
		}
		b, err := cache.Fetch(t.Context(), c, "bytes", func(context.Context) ([]byte, error) { return []byte(value), nil })
		if string(b) != value || err != nil {
			t.Errorf("%q, %v", b, err)
		}
		empty, err := cache.Fetch(t.Context(), c, "empty", func(context.Context) ([]byte, error) { return nil, nil })
		if len(empty) != 0 || err != nil {
			t.Errorf("%q, %v", empty, err)
		}
	}
	for range 2 {
		for key, want := range map[string]any{"any string": "123", "any null": "null", "any number": 1.5} {
			got, err := cache.Fetch(t.Context(), c, key, func(context.Context) (any, error) { return want, nil })
			if got != want || err != nil {
				t.Errorf("%s: %#v, %v; want %#v", key, got, err, want)
			}
		}
	}
	for _, key := range []string{"string", "bytes"} {
		kept, err := far.Get(t.Context(), "cache:v:"+key)
		if err != nil || string(kept[len(kept)-len(value):]) != value {
			t.Errorf("%s: %q is kept, %v", key, kept, err)
		}
	}
}
