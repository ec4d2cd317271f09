package cache

import (
	"context"
	"math"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// refresh loads in the place of e, behind an answer, unless somebody does so already.
func (c *Cache) refresh(ctx context.Context, k entryKey, src source, e *entry) {
	if e.rests(time.Now()) {
		return
	}
	src.alone = false // it is for all that come
	f, leader := c.flights.join(ctx, k, src, e)
	if !leader {
		e.refreshed.Store(notRefreshed)
		return
	}
	f.relay.decline()
	cause := trace.LinkFromContext(ctx)
	c.loads.Go(func() {
		var span trace.Span
		f.ctx, span = c.tracer.Start(f.ctx, "cache.refresh "+c.opts.Name, trace.WithNewRoot(), trace.WithLinks(cause),
			trace.WithAttributes(attribute.String("cache.name", c.opts.Name)))
		defer span.End()
		c.fly(f, k, src)
	})
}

// Early refresh goes through two hands: that of the hit that draws it, and that of the one that starts it. They
// may be of two calls.
const (
	notRefreshed int32 = iota
	toBeRefreshed
	beingRefreshed
)

// early tells whether a hit on e should refresh it, by XFetch (Vattani et al., "Optimal Probabilistic Cache
// Stampede Prevention", VLDB 2015): if now − cost · β · ln(random) is past its end.
func (c *Cache) early(e *entry, now time.Time) bool {
	scale := c.opts.Tuning.EarlyRefresh * float64(e.cost)
	left := float64(e.expires.Sub(now))
	const never = 20 // e⁻²⁰ is once in 500 million hits: most pay one comparison
	if left > never*scale || scale == 0 || e.rests(now) {
		return false
	}
	if e.refreshed.Load() == notRefreshed && left <= -scale*math.Log(1-rand.Float64()) {
		e.refreshed.CompareAndSwap(notRefreshed, toBeRefreshed)
	}
	return e.refreshed.Load() == toBeRefreshed
}

// begins tells its caller, one of all, to refresh e early.
func (e *entry) begins() bool { return e.refreshed.CompareAndSwap(toBeRefreshed, beingRefreshed) }
