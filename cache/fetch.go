package cache

import (
	"context"
	"fmt"
	"time"
)

// valueOf holds a Fetch value: a nil interface in it still is a value of type T.
type valueOf[T any] struct{ v T }

// Fetch returns the value under key, running load at most once in this process however many ask. The
// value is shared: treat it as immutable. A nil or empty value is a value. load runs detached from ctx,
// with its values and a deadline of its own; Fetch itself returns when ctx ends. Errors are load's, shared
// by all that waited and never kept; ErrLoadTimeout; a *PanicError; or ctx's. A value that the Codec cannot
// encode is returned and not kept. A load must not Fetch its own key: it would wait for itself.
func Fetch[T any](ctx context.Context, c *Cache, key string, load func(context.Context) (T, error)) (T, error) {
	k := entryKey{kind: kindValue, name: key}
	if e := c.near.get(k, time.Now()); e != nil {
		if v, ok := e.value.(valueOf[T]); ok {
			c.hit(ctx, e)
			return v.v, nil
		}
	}
	l, _, err := c.answer(ctx, k, valueSource(c, load))
	var none T
	if err != nil {
		return none, err
	}
	v, ok := l.value.(valueOf[T])
	if !ok {
		return none, fmt.Errorf("cache: %q holds a %T, not a %T", key, l.value, v)
	}
	return v.v, nil
}

func valueSource[T any](c *Cache, load func(context.Context) (T, error)) source {
	return source{
		decode: func(payload []byte) (any, error) {
			var v valueOf[T]
			err := c.opts.Codec.Unmarshal(payload, &v.v)
			return v, err
		},
		load: func(ctx context.Context) (loaded, error) {
			v, err := load(ctx)
			if err != nil {
				return loaded{}, err
			}
			now := time.Now()
			l := loaded{entry: &entry{value: valueOf[T]{v}, created: now, expires: now.Add(c.opts.TTL)}}
			if c.opts.TTL == 0 {
				return l, nil
			}
			// Its encoded length is also how the near tier weighs it.
			if l.payload, err = c.opts.Codec.Marshal(v); err != nil {
				c.opts.Logger.WarnContext(ctx, "a value is not kept: it cannot be encoded", "cache", c.opts.Name, "error", err)
				return l, nil
			}
			l.size, l.stored = len(l.payload), true
			return l, nil
		},
	}
}
