// Package cache answers slow calls from memory: a near tier in this process before a far tier that all
// replicas share, one load per key in all of them however many ask, and one outcome for every answer.
//
//	slow, err := cache.New(nil, cache.Options{Name: "slow", TTL: time.Minute})
//	mux.Handle("GET /slow", slow.Handler(next))                  // a route
//	v, err := cache.Fetch(ctx, slow, "key", load)                 // a value
//
// With Redis, a value that one replica has loaded is there for all, and what one purges or replaces is gone from the
// memory of all within milliseconds:
//
//	c, err := cache.New(cache.Redis(client, "shop:"), cache.Options{Name: "prices", TTL: time.Minute})
//	err = c.PurgeTags(ctx, cache.Hard, "product:7")               // what loads called AddTags with
//
// A far tier that fails costs a miss its Limits.StoreTimeout at most, then nothing, and an answer never.
// Options.Stale has old values served while new ones are loaded, and in the place of those that fail.
//
// The package speaks to the OpenTelemetry API and to the prometheus.Registerer that it is given; it uses
// no global.
package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Cache keeps values under keys. It is safe for concurrent use. New makes one.
type Cache struct {
	opts    Options
	id      string     // which no other cache has
	near    *near      // nil: left out
	far     *farTier   // nil: left out
	whatIf  *simulator // nil: left out
	flights flights
	account account
	places  *places
	metrics *metrics
	tracer  trace.Tracer

	suspect  atomic.Bool   // messages may have been lost
	hurried  chan struct{} // has the far tier be looked after at once
	unfollow func()

	loads  sync.WaitGroup
	stop   context.Context // ends what still loads when Close gives up waiting
	cancel context.CancelFunc
}

// New returns a cache: a near tier in this process before far, the tier that all replicas share. A nil far
// leaves that out. Where far is an Invalidator, New waits for its messages, at most Limits.StoreTimeout. Errors
// name the option that is wrong, of the cache or of the Redis client.
func New(far Store, opts Options) (*Cache, error) {
	opts = opts.withDefaults()
	if err := opts.validate(far); err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	c := &Cache{
		opts:    opts,
		id:      newToken(),
		places:  newPlaces(opts),
		metrics: newMetrics(opts.Name),
		tracer:  opts.TracerProvider.Tracer("vitrine/cache"),
		hurried: make(chan struct{}, 1),
	}
	checked := time.Duration(0)
	if far != nil {
		tier, err := newFarTier(far, opts, &c.account)
		if err != nil {
			return nil, err
		}
		c.far, checked = tier, opts.Tuning.NearTTL
		tier.hash = func(k entryKey) uint64 { return c.whatIf.hash(k) }
		c.metrics.breaker(tier)
	}
	if opts.Near > 0 {
		c.near = newNear(opts.Near, checked, c.metrics)
	}
	c.metrics.fill(c.near)
	if c.near != nil && !opts.Tuning.NoWhatIf {
		c.whatIf = newSimulator(opts.Near, far != nil, c.metrics.simulable)
		c.metrics.whatIf(c.whatIf)
	}
	if err := c.metrics.register(opts.Registerer); err != nil {
		c.near.close()
		c.whatIf.close()
		return nil, fmt.Errorf("cache: metrics of %q: %w", opts.Name, err)
	}
	c.stop, c.cancel = context.WithCancel(context.Background())
	c.follow()
	return c, nil
}

// follow begins to keep in step with the far tier.
func (c *Cache) follow() {
	if c.far == nil {
		return
	}
	unhear := func() {}
	if c.far.invalid != nil {
		ctx, cancel := context.WithTimeout(c.stop, c.opts.Limits.StoreTimeout)
		defer cancel()
		unhear = c.far.invalid.Listen(ctx, c.listener())
		c.suspect.Store(false) // nothing has been kept yet that a message of before could concern
	}
	var after sync.WaitGroup
	after.Go(c.lookAfter)
	c.unfollow = func() { unhear(); after.Wait() }
}

// Close waits for running loads until ctx ends, cancels those that are left, and frees the near tier. The
// far tier is the caller's to close, and later. No call may begin after Close. Its error says what was lost: loads
// that still ran, and purges that the far tier could not be told of.
func (c *Cache) Close(ctx context.Context) error {
	done := make(chan struct{})
	go func() { c.loads.Wait(); close(done) }()
	var errs []error
	select {
	case <-done:
	case <-ctx.Done():
		errs = append(errs, fmt.Errorf("cache: close %q: loads still running: %w", c.opts.Name, context.Cause(ctx)))
	}
	c.cancel()
	if c.far != nil {
		c.unfollow()
		if n := c.far.unsent.count(); n > 0 {
			errs = append(errs, fmt.Errorf("cache: close %q: purges that the far tier does not know of: %d", c.opts.Name, n))
		}
	}
	c.metrics.unregister(c.opts.Registerer)
	c.near.close()
	c.whatIf.close()
	return errors.Join(errs...)
}
