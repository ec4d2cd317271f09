package cache_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// TestLeaderLeaves: who looks into the far tier for others may leave at any time. The others get what is there, and the
// far tier is not blamed.
func TestLeaderLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far, registry, from := &shaky{Memory: new(storetest.Memory)}, prometheus.NewRegistry(), new(origins)
		c := newCache(t, far, cache.Options{Name: "c", TTL: time.Hour, Near: -1, Registerer: registry, Limits: cache.Limits{StoreTimeout: time.Second}})
		synctest.Wait()
		fetch(t, c, "key", from.load)
		for _, leave := range []func(context.Context, time.Duration) (context.Context, context.CancelFunc){
			context.WithTimeout,
			func(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancelCause(ctx)
				time.AfterFunc(d, func() { cancel(context.DeadlineExceeded) })
				return ctx, func() { cancel(nil) }
			},
		} {
			for range 5 {
				far.is(hangs)
				var all sync.WaitGroup
				all.Go(func() {
					ctx, cancel := leave(t.Context(), 5*time.Millisecond)
					defer cancel()
					start := time.Now()
					_, err := cache.Fetch(ctx, c, "key", from.load)
					if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != 5*time.Millisecond {
						t.Errorf("%v after %s", err, took)
					}
				})
				time.Sleep(time.Millisecond)
				all.Go(func() {
					if v, r, err := fetch(t, c, "key", from.load); v != "1" || err != nil || r.Outcome != cache.Hit || r.Tier != cache.Far {
						t.Errorf("%q, %+v, %v", v, r, err)
					}
				})
				time.Sleep(time.Millisecond)
				far.is(well)
				all.Wait()
			}
		}
		if state := breakerState(t, registry, "c"); state != 0 {
			t.Error("the far tier is left out")
		}
		for _, h := range histograms(t, registry, "cache_store_duration_seconds") {
			if h.labels["result"] == "error" && h.GetSampleCount() > 0 {
				t.Errorf("%v: %d", h.labels, h.GetSampleCount())
			}
		}
	})
}
