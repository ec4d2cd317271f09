package telemetry

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestShutdownAccounts: what a shutdown does not export is counted too.
func TestShutdownAccounts(t *testing.T) {
	for _, test := range []struct {
		desc    string
		export  exporter
		patient time.Duration // zero is a context that has ended
		takes   time.Duration
		err     error
		failed  int
	}{
		{"accepts", accepts, time.Minute, 0, nil, 0},
		{"slow", takesASecond, time.Minute, 2 * time.Second, nil, 0},
		{"refuses", refuses, time.Minute, 0, nil, 1000},
		{"hangs", hangs, time.Hour, time.Minute, nil, 1000}, // two batches, 30 s each
		{"hangs, and nobody waits that long", hangs, 10 * time.Second, 10 * time.Second, context.DeadlineExceeded, 1000},
		{"hangs, and there is no time", hangs, 0, 0, context.DeadlineExceeded, 1000},
	} {
		t.Run(test.desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := defaults
				b.delay = time.Hour // or it might make a third batch
				p, tracer := start(t, test.export, b)
				end(tracer, 1000)
				ctx, cancel := context.WithTimeout(t.Context(), test.patient)
				defer cancel()
				begin := time.Now()
				if err := p.Shutdown(ctx); !errors.Is(err, test.err) {
					t.Errorf("%v, want %v", err, test.err)
				}
				if took := time.Since(begin); took != test.takes {
					t.Errorf("it took %s, want %s", took, test.takes)
				}
				synctest.Wait()
				end(tracer, 7)
				refused, late, exported, failed := p.account(t, 1007)
				if p.pending.Load() != 0 || refused != 0 || late != 7 || exported != 1000-test.failed || failed != test.failed {
					t.Errorf("%d pending, %d refused, %d late, %d exported, %d failed; want 0, 0, 7, %d, %d",
						p.pending.Load(), refused, late, exported, failed, 1000-test.failed, test.failed)
				}
			})
		})
	}
}

// TestSpansEndDuringShutdown: none falls between the drain and the end.
func TestSpansEndDuringShutdown(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			p, tracer := start(t, accepts, defaults)
			var wait sync.WaitGroup
			for range 4 {
				wait.Go(func() { end(tracer, 100) })
			}
			if err := p.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			wait.Wait()
			synctest.Wait()
			p.account(t, 400)
			if p.pending.Load() != 0 {
				t.Errorf("%d pending after a shutdown", p.pending.Load())
			}
		})
	}
}
