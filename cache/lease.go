package cache

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
)

const (
	// maxPassed is the longest payload, in bytes, that a message carries.
	maxPassed = 16 << 10
	// unheard is how often to look for what another process loads while messages do not arrive.
	unheard = 100 * time.Millisecond
	// overdue is how long after its end a lease is asked for again.
	overdue = 10 * time.Millisecond
)

// appoint returns once this process is to load k, with the lease if f.token is set, or true if another process
// has: then f has its results. span is that of the load to be.
func (c *Cache) appoint(ctx context.Context, span trace.Span, f *call, k entryKey, src source, seen []byte) (done bool) {
	deadline, token, note := time.Now().Add(c.opts.Tuning.LeaseWait), newToken(), spanBytes(span.SpanContext())
	for useless := 0; ; {
		f.trust = c.near.trust()
		c.flights.begin(f, true) // from now on messages are heard
		var got Acquired
		var e *entry
		err := c.far.call(ctx, "acquire", func(ctx context.Context) (err error) {
			got, err = c.far.leaser.Acquire(ctx, k.far(c.opts.Name), seen, token, note, c.opts.Tuning.Lease)
			if err == nil && got.Value != nil {
				e, err = c.far.read(ctx, k, src, got.Value)
			}
			return err
		})
		switch {
		case e != nil:
			c.keepNear(f, k, e)
			if !c.flights.lands(f, e) {
				break // it may be older than what touched the key
			}
			if f.takes(src, e, Far) {
				return true
			}
			seen = e.head(k.kind)
			f.finds(e, Far)
		case got.Value != nil:
			if useless++; useless > 3 {
				return c.loadsHere(f) // a store that does not heed seen
			}
			seen = headOf(got.Value)
		case got.Held:
			f.token = token
			return c.loadsHere(f)
		case err != nil:
			return c.loadsHere(f)
		default:
			f.span, f.remote = spanFrom(got.Note), true
			switch c.attend(f, k, src, got.Left, deadline) {
			case settled:
				if f.err == nil && !src.mayShare(f.loaded, Coalesced) {
					f.loaded = loaded{}
					return c.loadsHere(f)
				}
				if c.flights.lands(f, nil) || f.ctx.Err() != nil {
					return true
				}
				f.loaded, f.err = loaded{}, nil // likewise
			case unshared:
				return c.loadsHere(f)
			}
		}
		if !time.Now().Before(deadline) {
			return c.loadsHere(f)
		}
	}
}

// loadsHere has f load, with its lease if it has one. It is not done.
func (c *Cache) loadsHere(f *call) (done bool) {
	f.remote = false
	c.flights.loads(f)
	return false
}

// heard is what a flight knows after it has waited.
type heard int

const (
	nothing  heard = iota // for certain: it is to ask again
	settled               // what came of the load
	unshared              // that nothing came of the load for anybody else
)

// attend waits for a sign of another process that loads k, at most until its lease runs out.
func (c *Cache) attend(f *call, k entryKey, src source, left time.Duration, deadline time.Time) heard {
	left = min(max(left, 0)+overdue, time.Until(deadline))
	if !c.account.inStep() {
		left = min(left, unheard)
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case m := <-f.wake:
		return f.learns(*m, k, src, c.opts.Tuning.ErrorTTL)
	case <-timer.C:
	case <-f.ctx.Done():
		f.err = context.Cause(f.ctx)
		return settled
	}
	return nothing
}

// learns takes over what another process says of its load, if that is all there is to know. rest is that of what stands in
// for one that failed.
func (f *call) learns(m message, k entryKey, src source, rest time.Duration) heard {
	if m.span.IsValid() {
		f.span = m.span
	}
	switch m.kind {
	case failed:
		f.err = &RemoteError{Text: m.text, timeout: m.timeout}
		f.rest(time.Now(), rest)
		return settled
	case released:
		return unshared
	case passed:
		e, payload, err := open(k.kind, src.schema, m.payload)
		if err != nil || e.decode(src, payload) != nil {
			return unshared
		}
		f.loaded = loaded{entry: e}
		if p := e.asResponse(); p != nil {
			f.loaded.status, f.loaded.failing = p.status, failing(p.status)
		}
		if f.loaded.failing {
			f.rest(time.Now(), rest)
		}
		return settled
	}
	return nothing
}

// hold renews f's lease until letGo is called.
func (c *Cache) hold(f *call, k entryKey) (letGo func()) {
	if f.token == "" {
		return func() {}
	}
	done := make(chan struct{})
	c.loads.Go(func() {
		tick := time.NewTicker(c.opts.Tuning.Lease / 3)
		defer tick.Stop()
		for held := true; held; {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			err := c.far.call(context.Background(), "renew", func(ctx context.Context) (err error) { // in no trace: it says nothing
				held, err = c.far.leaser.Renew(ctx, k.far(c.opts.Name), f.token, c.opts.Tuning.Lease)
				return err
			})
			held = held || err != nil
		}
	})
	return sync.OnceFunc(func() { close(done) })
}
