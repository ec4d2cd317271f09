package cache

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisHub is the one subscription that all listeners of a store share.
type redisHub struct {
	mu        sync.Mutex
	listeners map[int]Listener
	next      int
	connected bool
	up        chan struct{} // closed with the first connection
	cancel    context.CancelFunc
	done      chan struct{}
}

const (
	hubPing    = time.Second            // without a message for so long, Redis is asked whether it is there
	hubBackoff = 250 * time.Millisecond // between two attempts to connect
)

// Listen implements Invalidator. All listeners of a store share one connection, outside the client's pool.
func (s *RedisStore) Listen(ctx context.Context, l Listener) (stop func()) {
	h := &s.hub
	h.mu.Lock()
	if len(h.listeners) == 0 {
		h.listeners, h.up, h.done = make(map[int]Listener), make(chan struct{}), make(chan struct{})
		var run context.Context
		run, h.cancel = context.WithCancel(context.Background())
		go h.run(run, h.done, s.client, s.channel())
	}
	id, up, done := h.next, h.up, h.done
	h.next++
	h.listeners[id] = l
	if h.connected {
		l.Connected()
	}
	h.mu.Unlock()
	select {
	case <-up:
	case <-ctx.Done():
	}
	return func() {
		h.mu.Lock()
		delete(h.listeners, id)
		last := len(h.listeners) == 0
		if last {
			h.cancel()
			h.connected = false
		}
		h.mu.Unlock()
		if last {
			<-done
		}
	}
}

// run keeps a subscription until ctx ends. go-redis' own channel would reconnect and tell nobody, and
// whatever was sent meanwhile would be missed without anybody knowing.
func (h *redisHub) run(ctx context.Context, done chan struct{}, client redis.UniversalClient, channel string) {
	defer close(done)
	for ctx.Err() == nil {
		h.subscribe(ctx, client, channel)
		h.tell(ctx, func(l Listener) { l.Disconnected() }, false)
		select {
		case <-ctx.Done():
		case <-time.After(hubBackoff):
		}
	}
}

// subscribe returns when the connection fails or ctx ends.
func (h *redisHub) subscribe(ctx context.Context, client redis.UniversalClient, channel string) {
	sub := client.Subscribe(ctx)
	defer sub.Close()
	defer context.AfterFunc(ctx, func() { _ = sub.Close() })() // a read does not end with its context
	if sub.Subscribe(ctx, channel) != nil {
		return
	}
	asked := false
	for {
		m, err := sub.ReceiveTimeout(ctx, hubPing)
		var failure net.Error
		switch {
		case err == nil:
			asked = false
		case ctx.Err() == nil && errors.As(err, &failure) && failure.Timeout() && !asked:
			if sub.Ping(ctx) != nil {
				return
			}
			asked = true
			continue
		default:
			return
		}
		switch m := m.(type) {
		case *redis.Subscription:
			loadScripts(ctx, client)
			h.tell(ctx, func(l Listener) { l.Connected() }, true)
		case *redis.Message:
			h.tell(ctx, func(l Listener) { l.Message([]byte(m.Payload)) }, true)
		}
	}
}

func (h *redisHub) tell(ctx context.Context, say func(Listener), connected bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil {
		return // what follows is another run's
	}
	if !connected && !h.connected {
		return
	}
	h.connected = connected
	for _, l := range h.listeners {
		say(l)
	}
	if connected {
		select {
		case <-h.up:
		default:
			close(h.up) // now that they know
		}
	}
}
