package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ErrUnsent is what a purge returns that the far tier, and with it other processes, could not be told of. They
// will be when it is back.
var ErrUnsent = errors.New("cache: purged in this process alone until the far tier is back")

// sending is a purge as the far tier is to be told of it: of key, or of tags or all.
type sending struct {
	Purge
	key entryKey
	all bool // not of a key
}

// unsent are the purges that the far tier could not be told of. While there are any it is left out: it may have
// what they purged.
type unsent struct {
	some atomic.Bool
	mu   sync.Mutex
	list []sending
}

// mostUnsent is how many are kept. One of all stands for more.
const mostUnsent = 1000

func (u *unsent) none() bool { return !u.some.Load() }

func (u *unsent) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.list)
}

func (u *unsent) add(s sending, unites bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	// A key is there once, hard if any was.
	i := slices.IndexFunc(u.list, func(is sending) bool { return !s.all && !is.all && is.key == s.key })
	if i >= 0 {
		u.list[i].Soft = u.list[i].Soft && s.Soft
	} else {
		u.list = append(u.list, s)
	}
	if unites && len(u.list) > mostUnsent {
		u.list = []sending{{all: true}}
	}
	u.some.Store(true)
}

// take returns those there are, which count as unsent until there are none to take.
func (u *unsent) take() []sending {
	u.mu.Lock()
	defer u.mu.Unlock()
	list := u.list
	u.list = nil
	if len(list) == 0 {
		u.some.Store(false)
	}
	return list
}

func (u *unsent) putBack(list []sending) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.list = append(list, u.list...)
}

// send tells the far tier of a purge, now or later.
func (c *Cache) send(ctx context.Context, s sending) error {
	err := errLeftOut
	if c.far.usable() {
		err = c.far.try(context.WithoutCancel(ctx), "purge", func(ctx context.Context) error { return c.tell(ctx, s) })
	}
	if err == nil {
		return nil
	}
	c.far.unsent.add(s, c.far.invalid != nil)
	if s.all {
		c.voidHere(s.Purge)
	}
	return fmt.Errorf("%w: %q: %w", ErrUnsent, c.opts.Name, err)
}

// tell tells the far tier of a purge.
func (c *Cache) tell(ctx context.Context, s sending) error {
	inv := c.far.invalid
	if s.all {
		mark, err := inv.Void(ctx, c.opts.Name, c.account.mark(), newToken(), s.Purge, c.written(message{kind: voided, soft: s.Soft, tags: s.Tags}))
		if err != nil {
			return err
		}
		switch c.voided(s.Purge, mark) {
		case beyond:
			c.voidHere(s.Purge)
		case old:
			c.judge() // its message was faster, and who takes that in may not be done
		}
		return nil
	}
	key, text := s.key.far(c.opts.Name), c.written(message{kind: purged, key: s.key, soft: s.Soft})
	if s.Soft {
		if done, err := c.amend(ctx, key, text); done || err != nil {
			return err
		}
	}
	if inv != nil {
		return inv.Invalidate(ctx, key, text)
	}
	return c.far.store.Delete(ctx, key)
}

// amend has what the far tier has under key be stale. It returns false if that is of no use then.
func (c *Cache) amend(ctx context.Context, key string, text []byte) (done bool, err error) {
	var amended []byte
	for {
		b, err := c.far.store.Get(ctx, key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return false, err
		}
		e, _, err := unseal(b)
		if err != nil {
			return false, nil
		}
		soft := e.softened(time.Now())
		switch {
		case time.Until(soft.end()) <= 0:
			return false, nil
		case amended != nil && bytes.HasPrefix(b, amended):
			return true, nil
		}
		now := resealed(b, soft)
		if c.far.invalid == nil {
			return true, c.far.store.Set(ctx, key, now, time.Until(e.end())) // what was set since is lost
		}
		if err := c.far.invalid.Amend(ctx, key, b[:envelopeHeader], now[:envelopeHeader], text); err != nil || amended != nil {
			return true, err
		}
		// Until then a load from before the purge had its lease, and may have put another value there.
		amended = now[:envelopeHeader]
	}
}

// resend tells the far tier of what it could not be told of.
func (c *Cache) resend(ctx context.Context) error {
	u := &c.far.unsent
	for list := u.take(); len(list) > 0; list = u.take() {
		for i, s := range list {
			if err := c.far.direct(ctx, "purge", func(ctx context.Context) error { return c.tell(ctx, s) }); err != nil {
				u.putBack(list[i:])
				return err
			}
		}
	}
	return nil
}
