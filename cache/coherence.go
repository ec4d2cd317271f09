package cache

import "time"

// written is m as this cache sends it.
func (c *Cache) written(m message) []byte {
	m.cache, m.from, m.sent = c.opts.Name, c.id, time.Now()
	return m.encode()
}

// hears takes in a message.
func (c *Cache) hears(b []byte) {
	if !isOf(b, c.opts.Name) {
		return
	}
	m, ok := decodeMessage(b)
	if !ok {
		return
	}
	switch {
	case m.kind == voided:
		c.voided(Purge{m.soft, m.tags}, m.mark)
	case m.from == c.id: // done already; but flights of one key may wait for each other, parted by a purge
	case m.kind == purged:
		c.drop(m.key, m.soft)
	case m.kind == filled, m.ends():
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

// stands tells whether purges have left something of e.
func (c *Cache) stands(e *entry) bool {
	v := c.account.verdict(e.mark, e.tags)
	return v == valid || v == softly
}

// judge drops from the near tier what purges have made of it.
func (c *Cache) judge() {
	c.near.judge(func(e *entry) verdict { return c.account.verdict(e.mark, e.tags) }, time.Now())
}
