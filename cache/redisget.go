package cache

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// getsUnderWay is how many calls of Redis read before those that come next share one.
	getsUnderWay = 2
	// getsTogether is how many share one at most: a long answer keeps others waiting.
	getsTogether = 64
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

// get is GET. It returns when ctx ends.
func (g *redisGets) get(ctx context.Context, key string) (string, error) {
	g.mu.Lock()
	if g.underWay < getsUnderWay {
		g.underWay++
		g.mu.Unlock()
		defer g.returned()
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

// returned says that a call has returned: whoever waits may go out in its place.
func (g *redisGets) returned() {
	if next := g.next(); next != nil {
		go func() {
			for ; next != nil; next = g.next() {
				g.send(next)
			}
		}()
	}
}

// next are those that go out in the place of a call that has returned; nil: nobody waits, and the place is free.
func (g *redisGets) next() []*redisGet {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.waiting), getsTogether)
	if n == 0 {
		g.underWay--
		return nil
	}
	next := slices.Clone(g.waiting[:n])
	g.waiting = slices.Delete(g.waiting, 0, n)
	return next
}

// send asks for all of them, and tells each.
func (g *redisGets) send(all []*redisGet) {
	keys := make([]string, len(all))
	for i, r := range all {
		keys[i] = r.key
	}
	ctx, cancel := together(all)
	defer cancel()
	values, err := g.client.MGet(ctx, keys...).Result()
	for i, r := range all {
		r.err = err
		if err == nil {
			value, there := values[i].(string)
			if r.value = value; !there {
				r.err = redis.Nil
			}
		}
		close(r.done)
	}
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
