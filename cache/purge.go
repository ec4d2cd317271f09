package cache

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// ErrKey is what PurgeKey returns for a key that no Entry can have.
var ErrKey = errors.New("cache: not a key: those begin with r: or v: and go on")

// Mode says what a purge does.
type Mode bool

// The modes.
const (
	Hard Mode = false // what is purged is gone
	Soft Mode = true  // it is stale: served within the windows of Options.Stale while it is loaded again
)

func (c *Cache) parseKey(key string) (k entryKey, err error) {
	kind, rest, ok := strings.Cut(key, ":")
	switch {
	case ok && kind == string(kindValue):
		return entryKey{kind: kindValue, name: rest}, nil
	case ok && kind == string(kindResponse) && strings.Contains(rest, "/"):
		slash := strings.IndexByte(rest, '/')
		if u, err := url.Parse("http://host" + rest[slash:]); err == nil {
			return c.keyOf(rest[:slash], u), nil
		}
	}
	return k, fmt.Errorf("%w: %q", ErrKey, key)
}

// PurgeKey purges what is under key, an Entry's: "v:" and the key of a Fetch, or "r:", host, path and query of
// a response. What a load that runs now brings is handed to those that wait for it, and not kept.
//
// When a purge returns, this process has heard of it; others do within milliseconds, if the far tier is an
// Invalidator. Errors are ErrKey and ErrUnsent.
func (c *Cache) PurgeKey(ctx context.Context, mode Mode, key string) error {
	k, err := c.parseKey(key)
	if err != nil {
		return err
	}
	return c.purge(ctx, mode, k)
}

// purge purges what is under k. Where that is a guide, the variants to which it led are found no more.
func (c *Cache) purge(ctx context.Context, mode Mode, k entryKey) error {
	c.metrics.purged["key"].Inc()
	err := c.purgeOne(ctx, mode, k)
	if k.kind == kindResponse && c.opts.HTTP.Ranges {
		k.kind = kindPart
		err = errors.Join(err, c.purgeOne(ctx, mode, k))
	}
	return err
}

func (c *Cache) purgeOne(ctx context.Context, mode Mode, k entryKey) error {
	c.drop(k, mode == Soft)
	if c.far == nil {
		return nil
	}
	defer c.drop(k, mode == Soft) // somebody may have read it in the far tier meanwhile
	return c.send(ctx, sending{key: k, Purge: Purge{Soft: mode == Soft}})
}

// PurgeTags purges what loads gave one of these tags: see AddTags. No tags purge nothing. Errors are ErrUnsent, and
// errors.ErrUnsupported where the far tier is no Invalidator.
func (c *Cache) PurgeTags(ctx context.Context, mode Mode, tags ...string) error {
	if len(tags) == 0 {
		return nil
	}
	return c.void(ctx, "tags", Purge{mode == Soft, tags})
}

// PurgeAll purges all that the cache has. Errors are as of PurgeTags.
func (c *Cache) PurgeAll(ctx context.Context, mode Mode) error {
	return c.void(ctx, "all", Purge{Soft: mode == Soft})
}

func (c *Cache) void(ctx context.Context, scope string, p Purge) error {
	if c.far != nil && c.far.invalid == nil {
		return fmt.Errorf("cache: purge by tags or of all: the far tier is no Invalidator: %w", errors.ErrUnsupported)
	}
	c.metrics.purged[scope].Inc()
	if c.far == nil {
		c.flights.mu.Lock()
		c.account.own(p)
		c.detach(p)
		c.flights.mu.Unlock()
		c.judge()
		return nil
	}
	return c.send(ctx, sending{Purge: p, all: true})
}

// drop forgets what is under k in this process, and what is under way.
func (c *Cache) drop(k entryKey, soft bool) {
	c.flights.mu.Lock()
	defer c.flights.mu.Unlock()
	for at, f := range c.flights.variantsOf(k) {
		c.flights.touch(at, f, 0)
		f.hear(message{}) // another process' load that it waits for has lost its lease
		if !soft {
			f.loses()
		}
	}
	if soft {
		c.near.soften(k, time.Now())
	} else {
		c.near.forget(k)
	}
}

// voided takes in a purge of tags or of all, and returns whether it is news.
func (c *Cache) voided(p Purge, m Mark) (is news) {
	c.flights.mu.Lock()
	is = c.account.note(p, m)
	if is != old {
		c.detach(p)
	}
	c.flights.mu.Unlock()
	switch is {
	case next:
		c.judge()
	case beyond:
		c.hurry()
	}
	return is
}

// voidHere takes in a purge of tags or of all that has no number yet. What is under way is not kept, nor joined.
func (c *Cache) voidHere(p Purge) {
	c.flights.mu.Lock()
	for _, f := range c.flights.all() {
		f.touched, f.newest = true, 0
		if !p.Soft {
			f.loses()
		}
	}
	c.detach(Purge{})
	c.flights.mu.Unlock()
	c.near.judge(func(e *entry) verdict {
		switch {
		case len(p.Tags) > 0 && !slices.ContainsFunc(p.Tags, func(tag string) bool { return slices.Contains(e.tags, tag) }):
			return valid
		case p.Soft:
			return softly
		}
		return void
	}, time.Now())
}

// detach has callers to come not join flights that began before a purge of all. What tags a flight's value
// will have, nobody knows: see answer. To be called under flights.mu.
func (c *Cache) detach(p Purge) {
	if len(p.Tags) > 0 {
		return
	}
	for k, f := range c.flights.calls {
		if !f.waiting {
			c.flights.part(k, f)
		}
	}
}
