package cache

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// ErrKey is what PurgeKey returns for a key that no Entry can have.
var ErrKey = errors.New("cache: not a key: those begin with r: or v: and go on")

func parseKey(key string) (k entryKey, err error) {
	kind, rest, ok := strings.Cut(key, ":")
	switch {
	case ok && kind == string(kindValue):
		return entryKey{kind: kindValue, name: rest}, nil
	case ok && kind == string(kindResponse) && strings.Contains(rest, "/"):
		slash := strings.IndexByte(rest, '/')
		return entryKey{kind: kindResponse, host: rest[:slash], name: rest[slash:]}, nil
	}
	return k, fmt.Errorf("%w: %q", ErrKey, key)
}

// PurgeKey forgets what is under key, an Entry's, in the near tier of this process and in the far tier. What
// a load that runs now brings is handed to those that wait for it, and not kept. Other replicas' near tiers
// keep theirs until it expires. Errors are ErrKey, or the far tier's: the near tier has forgotten in any
// case.
func (c *Cache) PurgeKey(ctx context.Context, key string) error {
	k, err := parseKey(key)
	if err != nil {
		return err
	}
	c.metrics.purgedKeys.Inc()
	c.flights.mu.Lock()
	if f := c.flights.calls[k]; f != nil {
		f.purged.Store(true)
	}
	if c.near != nil {
		c.near.otter.Invalidate(k)
	}
	c.flights.mu.Unlock()
	return c.far.remove(ctx, k)
}

// keepNear puts e into the near tier, unless the key was purged since the flight began. It tells whether
// it is there.
func (c *Cache) keepNear(f *call, k entryKey, e *entry) bool {
	c.flights.mu.Lock() // a purge either sees the entry, or the flight sees the purge
	defer c.flights.mu.Unlock()
	if f.purged.Load() {
		return false
	}
	c.near.set(k, e)
	return c.near != nil
}

// keep puts l into both tiers, unless the key was purged since the flight began. It tells whether it did.
func (c *Cache) keep(f *call, k entryKey, l loaded) bool {
	near := c.keepNear(f, k, l.entry)
	if f.purged.Load() {
		return false
	}
	ctx := context.WithoutCancel(f.ctx) // also when the load took all of its time
	far := c.far.set(ctx, k, l.entry, l.payload)
	if f.purged.Load() {
		_ = c.far.remove(ctx, k) // the purge may have come before the set; an error is logged
		return false
	}
	return near || far
}
