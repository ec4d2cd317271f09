package cache

import (
	"context"
	"time"

	"github.com/sony/gobreaker/v2"
)

// inStepFor is how often the account is compared with the store's, whatever messages said. With a shorter
// Tuning.NearTTL it is more often: a value that the far tier is asked for again is judged by it.
const inStepFor = 10 * time.Second

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
	inFar := false
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
		if f.err == nil && !l.failing {
			c.outlived(f, k) // there is an answer, and it is not what is kept
			if far && c.far.leaser == nil && f.found {
				_ = c.far.remove(ctx, k) // an error is logged
			}
		}
		return false
	}
	return c.keepNear(f, k, l.entry) || inFar
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
	if !l.stored && f.err == nil && !l.failing {
		ttl = -1 // there is an answer, and it is not what is kept
	}
	text := c.written(m)
	err = c.far.call(ctx, "fill", func(ctx context.Context) (err error) {
		held, err = c.far.leaser.Fill(ctx, k.far(c.opts.Name), f.token, value, ttl, text)
		return err
	})
	return held, err
}

// written is m as this cache sends it.
func (c *Cache) written(m message) []byte {
	m.cache, m.from, m.sent = c.opts.Name, c.id, time.Now()
	return m.encode()
}

// hears takes in a message.
func (c *Cache) hears(b []byte) {
	m, ok := decodeMessage(b)
	if !ok || m.cache != c.opts.Name {
		return
	}
	switch {
	case m.kind == voided:
		c.voided(Purge{m.soft, m.tags}, m.mark)
	case m.from == c.id: // done already; but flights of one key may wait for each other, parted by a purge
	case m.kind == purged:
		c.drop(m.key, m.soft)
	case m.kind == filled, m.kind == passed && !m.failing, m.kind == released:
		c.replaced(m)
	}
	c.flights.tell(m)
	if m.from != c.id && (m.kind == voided || m.kind == purged || m.kind == filled) {
		c.far.metrics.lagged(time.Since(m.sent))
	}
}

// replaced drops a value that another process has replaced, or found to be no longer what there is.
func (c *Cache) replaced(m message) {
	c.flights.mu.Lock()
	defer c.flights.mu.Unlock()
	for f := range c.flights.of(m.key) {
		if m.kind == filled || !f.waiting { // who waits learns from the message itself
			c.flights.touch(m.key, f, m.id)
		}
	}
	// What another version of the program keeps is of no use to this one, and the other way round.
	if e := c.near.held(m.key, time.Now()); e != nil && e.id != m.id && e.schema == m.schema {
		c.near.forget(m.key)
	}
}

// outlived drops what f was to replace, if its key has not been touched since.
func (c *Cache) outlived(f *call, k entryKey) {
	c.flights.mu.Lock()
	defer c.flights.mu.Unlock()
	if !f.outdates(nil) {
		c.near.forget(k)
	}
}

// listener hears what other processes say.
func (c *Cache) listener() Listener {
	reconnected := func(yes bool) {
		c.account.connect(yes)
		c.flights.tellAll(message{})
		c.hurry()
	}
	return Listener{
		Connected:    func() { c.suspect.Store(true); reconnected(true) },
		Disconnected: func() { reconnected(false) },
		Message:      c.hears,
	}
}

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

// stands tells whether purges have left something of e.
func (c *Cache) stands(e *entry) bool {
	v := c.account.verdict(e.mark, e.tags)
	return v == valid || v == softly
}

// judge drops from the near tier what purges have made of it.
func (c *Cache) judge() {
	c.near.judge(func(e *entry) verdict { return c.account.verdict(e.mark, e.tags) }, time.Now())
}
