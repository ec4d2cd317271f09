package cache

import (
	"context"
	"time"
)

// keepNear puts e into the near tier, unless its key was purged or replaced since the flight began to look for
// it, or its tags were. It tells whether it is there.
func (c *Cache) keepNear(f *call, k entryKey, e *entry) bool {
	c.flights.mu.Lock() // what is heard either finds the entry, or the flight finds what was heard
	defer c.flights.mu.Unlock()
	if c.near == nil || f.outdates(e) {
		return false
	}
	switch v := c.account.verdict(e.mark, e.tags); {
	case v == valid, v == softly && e.at(time.Now()) != fresh:
		c.near.set(k, e, f.trust)
		return true
	}
	return false
}

// keep puts l into the tiers, unless it was purged since the flight began, and sends m to other processes. It
// tells whether l is in one of them. far tells whether the far tier is of use.
func (c *Cache) keep(ctx context.Context, f *call, k entryKey, src source, l loaded, m message, far bool) bool {
	if l.guide != nil {
		return c.keepGuided(ctx, f, k, src, l, m, far)
	}
	inFar := false
	if far && f.alone && l.stored && c.far.leaser != nil && !c.touched(f) {
		c.takeLease(ctx, f, k)
		defer func() {
			if f.token != "" && c.touched(f) {
				_ = c.far.remove(ctx, k) // the purge may have come before the lease; an error is logged
			}
		}()
	}
	switch {
	case f.token != "":
		held, err := c.fill(ctx, f, k, src, l, m)
		if err == nil && !held {
			return false // purged, or taken for dead: another may have a newer one
		}
		inFar = err == nil && l.stored
	case far && c.far.leaser == nil && l.stored && !c.touched(f):
		inFar = c.far.set(ctx, k, src, l.entry, l.payload)
		if inFar && c.touched(f) {
			_ = c.far.remove(ctx, k) // the purge may have come before the set; an error is logged
			return false
		}
	}
	if !l.stored {
		if m.ends() {
			c.outlived(f, k)
			if far && c.far.leaser == nil && f.found {
				_ = c.far.remove(ctx, k) // an error is logged
			}
		}
		return false
	}
	return !l.inNear && c.keepNear(f, k, l.entry) || inFar
}

// takeLease has f, whose load was for one request and waited for nobody, have the lease of k if nobody has, and nobody has
// put something there since it looked.
func (c *Cache) takeLease(ctx context.Context, f *call, k entryKey) {
	token := newToken()
	_ = c.far.call(ctx, "acquire", func(ctx context.Context) error { // without it, it is kept in the near tier
		got, err := c.far.leaser.Acquire(ctx, k.far(c.opts.Name), f.seen, token, nil, c.opts.Tuning.Lease)
		if err == nil && got.Held {
			f.token = token
		}
		return err
	})
}

// keepGuided is keep for a load that brought a guide: to be kept under the flight's key in the place of the response, or
// beside it under another.
func (c *Cache) keepGuided(ctx context.Context, f *call, k entryKey, src source, l loaded, m message, far bool) bool {
	g := loaded{entry: l.guide, payload: l.guide.asGuide().marshal(), stored: true, answered: answered{inNear: l.inNear}}
	l.guide = nil
	if l.guideAt != k {
		// It has names of fields and no answer: whatever was purged meanwhile, it brings nothing back.
		c.near.set(l.guideAt, g.entry, f.trust)
		if far {
			c.far.set(ctx, l.guideAt, src, g.entry, g.payload)
		}
		return c.keep(ctx, f, k, src, l, m, far)
	}
	// The response comes first: nobody finds it but by the guide, which is kept only if nothing was purged.
	inFar := l.stored && far && (f.token != "" || c.far.leaser == nil) && c.far.set(ctx, l.under, src, l.entry, l.payload)
	return c.keep(ctx, f, k, src, g, m, far) && l.stored && (c.keepBeside(l.under, l.entry, f.trust) || inFar)
}

// keepBeside puts e into the near tier under a key to which a guide leads, unless its tags were purged: what else is
// purged is purged with the guide.
func (c *Cache) keepBeside(k entryKey, e *entry, trust int64) bool {
	c.flights.mu.Lock()
	defer c.flights.mu.Unlock()
	if c.near == nil || c.account.verdict(e.mark, e.tags) != valid {
		return false
	}
	c.near.set(k, e, trust)
	return true
}

func (c *Cache) touched(f *call) bool {
	c.flights.mu.Lock()
	defer c.flights.mu.Unlock()
	return f.touched
}

// fill gives f's lease back, with l if it is to be kept. held is false if f had lost it.
func (c *Cache) fill(ctx context.Context, f *call, k entryKey, src source, l loaded, m message) (held bool, err error) {
	var value []byte
	var ttl time.Duration
	switch {
	case l.stored:
		value, ttl = seal(k.kind, src.schema, l.entry, l.payload), max(time.Until(l.end()), 0)
	case m.kind == passed:
		m.payload = seal(k.kind, src.schema, l.entry, l.payload)
	}
	if m.ends() {
		ttl = -1
	}
	text := c.written(m)
	err = c.far.call(ctx, "fill", func(ctx context.Context) (err error) {
		held, err = c.far.leaser.Fill(ctx, k.far(c.opts.Name), f.token, value, ttl, text)
		return err
	})
	return held, err
}

// outlived drops what f was to replace, if its key has not been touched since.
func (c *Cache) outlived(f *call, k entryKey) {
	c.flights.mu.Lock()
	defer c.flights.mu.Unlock()
	if !f.outdates(nil) {
		c.near.forget(k)
	}
}
