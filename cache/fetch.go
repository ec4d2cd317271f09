package cache

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// valueOf holds a Fetch value: a nil interface in it still is a value of type T.
type valueOf[T any] struct{ v T }

// Fetch returns the value under key, running load at most once however many ask: in this process, and in all
// of them where the far tier is a Leaser. The value is shared: treat it as immutable. A nil or empty value is a
// value. load runs detached from ctx, with its values and a deadline of its own; Fetch itself returns when ctx
// ends, or, where the far tier does not heed that, at most Limits.StoreTimeout later. What load may say of its value: SetTTL, AddTags.
//
// Errors are load's, shared by all that waited, and kept only for Tuning.ErrorTTL (of another process' load, or of
// one kept in the far tier, a *RemoteError); ErrLoadTimeout; a *PanicError; a *RejectedError; or ctx's. A value
// that the Codec cannot encode is returned and not kept. The text of load's error is told to other processes. A load
// must not Fetch its own key: it would wait for itself; and having waited for another, it waits for a place
// again, if Limits.Loads are taken, also beyond ctx.
func Fetch[T any](ctx context.Context, c *Cache, key string, load func(context.Context) (T, error)) (T, error) {
	k := entryKey{kind: kindValue, name: key}
	if e := c.ready(ctx, k, func() source { return valueSource(c, load) }); e != nil {
		return valueFrom[T](key, e.value)
	}
	l, _, err := c.answer(ctx, k, valueSource(c, load), nil)
	if err != nil {
		var none T
		return none, err
	}
	return valueFrom[T](key, l.value)
}

func valueFrom[T any](key string, value any) (none T, err error) {
	switch v := value.(type) {
	case valueOf[T]:
		return v.v, nil
	case failure:
		return none, v.err
	}
	return none, fmt.Errorf("cache: %q holds a %T, not a %T", key, value, valueOf[T]{})
}

func valueSource[T any](c *Cache, load func(context.Context) (T, error)) source {
	codec := codecOf[T](c.opts.Codec)
	return source{
		schema:      schemaOf[T](codec),
		keepsErrors: true,
		decode: func(payload []byte) (any, error) {
			var v valueOf[T]
			err := codec.Unmarshal(payload, &v.v)
			return v, err
		},
		load: func(ctx context.Context, _ *call) (loaded, error) {
			within, said := withWishes(ctx)
			v, err := load(within)
			if err != nil {
				return loaded{}, err
			}
			ttl, tags, _ := said.granted(c.opts.TTL)
			l := loaded{entry: &entry{value: valueOf[T]{v}, tags: tags, lifetime: c.lives(time.Now(), ttl, c.opts.Stale, 0)}}
			if ttl == 0 && c.far == nil {
				return l, nil
			}
			// Its encoded length is also how the near tier weighs it.
			if l.payload, err = codec.Marshal(v); err != nil {
				c.opts.Logger.WarnContext(ctx, "a value is not kept: it cannot be encoded", "cache", c.opts.Name, "error", err)
				return l, nil
			}
			l.size, l.stored = len(l.payload)+sizeOf(tags), ttl > 0
			return l, nil
		},
	}
}

// lives is how long a value lives that was made at some time, and can be proven good for a while after its TTL.
func (c *Cache) lives(created time.Time, ttl time.Duration, s Staleness, kept time.Duration) lifetime {
	if c.opts.Tuning.Jitter > 0 {
		ttl -= time.Duration(rand.Float64() * c.opts.Tuning.Jitter * float64(ttl))
	}
	const ever = 100 * 365 * 24 * time.Hour // an envelope's times end in 2262
	end := created.Add(min(ttl, ever))
	return lifetime{
		created: created, expires: end,
		stale: end.Add(min(s.WhileRevalidate, ever/2)), last: end.Add(min(s.IfError, ever/2)), kept: end.Add(min(kept, ever/2)),
	}
}
