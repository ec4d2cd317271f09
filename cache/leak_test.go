package cache_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// TestCloseLeavesNoGoroutine: neither of the near tier, nor of the simulation, nor of the store's messages.
func TestCloseLeavesNoGoroutine(t *testing.T) {
	before := goleak.IgnoreCurrent()
	for _, far := range []cache.Store{nil, new(storetest.Memory), plain{new(storetest.Memory)}, refused{}} {
		c, err := cache.New(far, cache.Options{TTL: time.Millisecond, Stale: cache.Staleness{WhileRevalidate: time.Hour}})
		if err != nil {
			t.Fatal(err)
		}
		from := new(origins)
		for range 3 {
			if _, _, err := fetch(t, c, "key", from.load); err != nil {
				t.Error(err)
			}
			time.Sleep(2 * time.Millisecond) // past the TTL, so that it refreshes
		}
		_ = c.PurgeKey(t.Context(), cache.Hard, "v:key")
		_ = c.Close(t.Context())
	}
	goleak.VerifyNone(t, before)
}
