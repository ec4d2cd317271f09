package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// getsUnderWay is how many calls of Redis read before those that come next share one.
	getsUnderWay = 2
	// getsTogether is how many share one at most, and getsBytes how long its answer may become, in bytes, going by the last
	// one: a long answer keeps others waiting.
	getsTogether, getsBytes = 64, 256 << 10
)

// redisGets has callers that read at once share calls of Redis. The first few go out at once, each its own GET, and lose no
// time. Those that come while so many are under way wait for one to return, and go out together then, as one MGET: for
// each of them that costs a fraction of a call, here and in Redis. So it is load that puts them together, and no timer.
// In a cluster keys lie apart, and each is its own call.
type redisGets struct {
	client *redis.Client

	mu       sync.Mutex
	underWay int
	waiting  []*redisGet
}

// redisGet is one that waits. Its results may be read once done is closed.
type redisGet struct {
	ctx   context.Context
	key   string
	done  chan struct{}
	value string
	err   error // redis.Nil: there is no value
}

// errAnothersCall is of all but one of those whose call has failed: it was one call.
var errAnothersCall = errors.New("cache: the call was shared")

// get is GET. Who waits to share a call waits until ctx ends.
func (g *redisGets) get(ctx context.Context, key string) (value string, err error) {
	g.mu.Lock()
	if g.underWay < getsUnderWay {
		g.underWay++
		g.mu.Unlock()
		defer func() { g.returned(len(value)) }()
		return g.client.Get(ctx, key).Result()
	}
	r := &redisGet{ctx: ctx, key: key, done: make(chan struct{})}
	g.waiting = append(g.waiting, r)
	g.mu.Unlock()
	select {
	case <-r.done:
		return r.value, r.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// returned says that a call has returned, with values of so many bytes: whoever waits may go out in its place.
func (g *redisGets) returned(weight int) {
	if next := g.next(weight); next != nil {
		go func() {
			for ; next != nil; next = g.next(weight) {
				weight = g.send(next)
			}
		}()
	}
}

// next are those that go out in the place of a call that has returned; nil: nobody waits, and the place is free.
func (g *redisGets) next(weight int) []*redisGet {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = slices.DeleteFunc(g.waiting, func(r *redisGet) bool { return r.ctx.Err() != nil }) // they have left
	n := min(len(g.waiting), getsTogether, max(getsBytes/max(weight, 1), 1))
	if n == 0 {
		g.underWay--
		return nil
	}
	next := slices.Clone(g.waiting[:n])
	g.waiting = slices.Delete(g.waiting, 0, n)
	return next
}

// send asks for all of them, and tells each. It returns how many bytes a value has, about.
func (g *redisGets) send(all []*redisGet) (weight int) {
	values, err := g.ask(all)
	for i, r := range all {
		switch {
		case err == nil:
			switch value := values[i].(type) {
			case string:
				r.value = value
				weight += len(value)
			case error: // of this key alone
				r.err = value
			default:
				r.err = redis.Nil
			}
		case i == 0:
			r.err = err
		default:
			r.err = fmt.Errorf("%w: %w", errAnothersCall, err)
		}
		close(r.done)
	}
	return weight / len(all)
}

// ask is MGET. A panic, of a hook, is an error.
func (g *redisGets) ask(all []*redisGet) (values []any, err error) {
	defer catch(&err)
	keys := make([]string, len(all))
	for i, r := range all {
		keys[i] = r.key
	}
	ctx, cancel := together(all)
	defer cancel()
	values, err = g.client.MGet(ctx, keys...).Result()
	if err == nil && len(values) != len(keys) {
		err = fmt.Errorf("cache: %d values for %d keys", len(values), len(keys))
	}
	return values, err
}

// together is the context of a call for all of them: none may end it for the others, so it lasts as long as the most
// patient waits.
func together(all []*redisGet) (context.Context, context.CancelFunc) {
	var last time.Time
	callers := make(sharing, len(all))
	for i, r := range all {
		callers[i] = r.ctx
		end, ends := r.ctx.Deadline()
		if i > 0 && last.IsZero() || !ends {
			last = time.Time{} // somebody waits for as long as it takes
		} else if end.After(last) {
			last = end
		}
	}
	ctx := context.WithValue(context.WithoutCancel(all[0].ctx), sharingKey{}, callers)
	if last.IsZero() {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, last)
}

type sharingKey struct{}

// sharing are the contexts of those who share a call.
type sharing []context.Context
