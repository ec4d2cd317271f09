package cache_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// TestNearHitDecodesNothing: the near tier holds values, not bytes.
func TestNearHitDecodesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var far storetest.Memory
		codec := new(counted)
		all := replicas(t, 2, &far, cache.Options{TTL: time.Hour, Codec: codec})
		synctest.Wait() // until they are in step
		from := new(origins)
		fetch(t, all[0], "key", from.load)
		for range 10 {
			if v, _, err := fetch(t, all[1], "key", from.load); v != "1" || err != nil {
				t.Fatalf("%q, %v", v, err)
			}
		}
		if codec.decoded != 1 {
			t.Errorf("decoded %d times, want once from the far tier", codec.decoded)
		}
	})
}

// TestNearHitAllocates next to nothing.
func TestNearHitAllocates(t *testing.T) {
	for _, far := range []cache.Store{nil, new(storetest.Memory)} {
		c := newCache(t, far, cache.Options{TTL: time.Hour, Registerer: prometheus.NewRegistry()})
		ctx := t.Context()
		load := func(context.Context) (string, error) { return "value", nil }
		n := testing.AllocsPerRun(1000, func() {
			if v, err := cache.Fetch(ctx, c, "key", load); v != "value" || err != nil {
				t.Errorf("%q, %v", v, err)
			}
		})
		t.Logf("%g allocations", n)
		if n > 1 {
			t.Errorf("%g allocations, want 1 at most", n)
		}
	}
}
