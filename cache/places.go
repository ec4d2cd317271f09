package cache

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// RejectedError says that a load was turned away: Limits.Loads run, and Limits.Queue wait.
type RejectedError struct {
	Cache string
	// RetryAfter is about as long as a load takes, in whole seconds, and at least one.
	RetryAfter time.Duration
}

func (e *RejectedError) Error() string {
	return fmt.Sprintf("cache: %q has too many loads at once; try again in %s", e.Cache, e.RetryAfter)
}

// places bound how many loads run at once. The zero value does not.
type places struct {
	cache   string
	taken   chan struct{} // nil: there is no bound
	queue   int64
	waiting atomic.Int64
	last    atomic.Int64 // nanoseconds that a load took
}

func newPlaces(o Options) *places {
	p := &places{cache: o.Name, queue: int64(max(o.Limits.Queue, 0))}
	if o.Limits.Loads > 0 {
		p.taken = make(chan struct{}, o.Limits.Loads)
	}
	return p
}

func (p *places) took(d time.Duration) { p.last.Store(int64(d)) }

// take returns a place, after waiting for one in the queue. Errors are a *RejectedError, or ctx's.
func (p *places) take(ctx context.Context) (*place, error) {
	if p.taken == nil {
		return nil, nil
	}
	select {
	case p.taken <- struct{}{}:
		return &place{of: p}, nil
	default:
	}
	if p.waiting.Add(1) > p.queue {
		p.waiting.Add(-1)
		took := time.Duration(p.last.Load())
		return nil, &RejectedError{p.cache, max((took + time.Second - 1).Truncate(time.Second), time.Second)}
	}
	defer p.waiting.Add(-1)
	select {
	case p.taken <- struct{}{}:
		return &place{of: p}, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// place is one of a load. A nil one is of a load that needs none.
type place struct {
	of   *places
	mu   sync.Mutex
	away int  // how many of the load's goroutines have yielded it
	over bool // the load has ended
}

// leave gives the place up for good, once.
func (p *place) leave() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over && p.away == 0 {
		<-p.of.taken
	}
	p.over = true
}

// yield gives the place up until as many have come back as have yielded.
func (p *place) yield() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away++; p.away == 1 && !p.over {
		<-p.of.taken
	}
}

// back takes the place again, however many are queueing: they have not begun.
func (p *place) back() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away--; p.away == 0 && !p.over {
		p.of.taken <- struct{}{}
	}
}

type placeKey struct{}

func withPlace(ctx context.Context, p *place) context.Context {
	if p == nil {
		return ctx
	}
	return context.WithValue(ctx, placeKey{}, p)
}

// Yield runs wait without the place among Limits.Loads that the load of ctx holds. A load that waits for other
// loads, such as by calling its own service, must not keep them from running. To wait for one of the same
// process, in Fetch or Handler, yields by itself.
func Yield(ctx context.Context, wait func() error) error {
	defer yield(ctx)()
	return wait()
}

// yield gives up the place of ctx's load until what it returns is called. Of several goroutines of a load the last to
// come back takes it again.
func yield(ctx context.Context) (back func()) {
	p, _ := ctx.Value(placeKey{}).(*place)
	if p == nil {
		return func() {}
	}
	p.yield()
	return p.back
}
