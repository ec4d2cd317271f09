package cache

import (
	"context"
	"time"

	"github.com/sony/gobreaker/v2"
)

// inStepFor is how often the account is compared with the store's, whatever messages said. With a shorter
// Tuning.NearTTL it is more often: a value that the far tier is asked for again is judged by it.
const inStepFor = 10 * time.Second

// hurry has the far tier be looked after at once.
func (c *Cache) hurry() {
	select {
	case c.hurried <- struct{}{}:
	default:
	}
}

// lookAfter keeps in step with the far tier until the cache is closed: it tries one that is left out, tells it of
// purges that it could not be told of, and asks it for those that no message told of.
func (c *Cache) lookAfter() {
	tick := time.NewTicker(breakerPause / 2)
	defer tick.Stop()
	var last time.Time
	for {
		select {
		case <-c.stop.Done():
			return
		case <-tick.C:
		case <-c.hurried:
		}
		now := time.Now()
		recent := now.Sub(last) < min(inStepFor, c.opts.Tuning.NearTTL)
		if recent && !c.suspect.Load() && c.far.usable() && (c.far.invalid == nil || c.account.inStep()) {
			continue
		}
		if c.catchUp() == nil {
			last = now
		}
	}
}

// catchUp calls the far tier as one probe, and lets it be used again if all of that succeeds.
func (c *Cache) catchUp() error {
	out := c.far.breaker.State() != gobreaker.StateClosed
	_, err := c.far.breaker.Execute(func() (struct{}, error) {
		ctx, cancel := context.WithTimeout(c.stop, 20*c.opts.Limits.StoreTimeout)
		defer cancel()
		if err := c.far.probe(ctx); err != nil {
			return struct{}{}, err
		}
		if err := c.resend(ctx); err != nil {
			return struct{}{}, err
		}
		// Before the breaker closes: then the near tier already asks.
		if suspect := c.suspect.Swap(false); suspect || out || c.account.takeMissed() {
			c.near.distrust()
			c.judge()
		}
		return struct{}{}, nil
	})
	return err
}
