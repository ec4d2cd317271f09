package cache_test

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"vitrine/cache"
	"vitrine/e2e/component"
)

// spending counts what clients of Redis send and receive: what does not depend on the machine.
type spending struct {
	commands, sent, received, loads atomic.Int64
}

// budget is what was spent.
type budget struct{ loads, commands, sent, received int64 }

func (s *spending) sofar() budget {
	return budget{s.loads.Load(), s.commands.Load(), s.sent.Load(), s.received.Load()}
}

func (b budget) since(a budget) budget {
	return budget{b.loads - a.loads, b.commands - a.commands, b.sent - a.sent, b.received - a.received}
}

// or is the least of both.
func (b budget) or(a budget) budget {
	return budget{min(b.loads, a.loads), min(b.commands, a.commands), min(b.sent, a.sent), min(b.received, a.received)}
}

// dial connects, and counts bytes.
func (s *spending) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	return &spendingConn{Conn: conn, of: s}, err
}

// spendingConn is a connection whose bytes count, unless it is for messages: those arrive at some time, and once for each
// process.
type spendingConn struct {
	net.Conn
	of         *spending
	subscribed atomic.Bool
}

func (c *spendingConn) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("subscribe")) {
		c.subscribed.Store(true)
	}
	n, err := c.Conn.Write(b)
	if !c.subscribed.Load() {
		c.of.sent.Add(int64(n))
	}
	return n, err
}

func (c *spendingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if !c.subscribed.Load() {
		c.of.received.Add(int64(n))
	}
	return n, err
}

// DialHook changes nothing.
func (s *spending) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook counts commands.
func (s *spending) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		s.commands.Add(1)
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook counts each.
func (s *spending) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		s.commands.Add(int64(len(cmds)))
		return next(ctx, cmds)
	}
}

// fleetOf are the caches of so many processes, whose spending is counted.
func fleetOf(t *testing.T, n int, o cache.Options) ([]*cache.Cache, *spending) {
	t.Helper()
	server, s := component.Redis(t), new(spending)
	o.TTL, o.Limits.StoreTimeout = time.Hour, time.Minute // it is not about time
	var all []*cache.Cache
	for range n {
		client := redis.NewClient(&redis.Options{Addr: server.Addr, ContextTimeoutEnabled: true, Dialer: s.dial})
		t.Cleanup(func() { _ = client.Close() })
		client.AddHook(s)
		c := newCache(t, cache.Redis(client, ""), o)
		all = append(all, c)
		if _, err := cache.Fetch(t.Context(), c, "first", func(context.Context) (string, error) { return "", nil }); err != nil {
			t.Fatal(err)
		}
	}
	return all, s
}

// TestBudget holds answers to what they may take of what does not depend on the machine. Where it takes more, something has
// become slower everywhere.
func TestBudget(t *testing.T) {
	const size = 1000 // of a value, bytes
	value := strings.Repeat("x", size)
	all, s := fleetOf(t, 3, cache.Options{})
	load := func(context.Context) (string, error) { s.loads.Add(1); return value, nil }
	ask := func(c *cache.Cache, key string) {
		if v, err := cache.Fetch(t.Context(), c, key, load); v != value || err != nil {
			t.Errorf("%d bytes, %v", len(v), err)
		}
	}
	hands := make([]http.Handler, len(all))
	for i, c := range all {
		hands[i] = c.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			s.loads.Add(1)
			w.Header().Set("Content-Type", "text/plain")
			_, _ = w.Write([]byte(value))
		}))
	}
	get := func(process int, path string) {
		if w := do(hands[process], "GET", "http://host"+path); w.Code != http.StatusOK || w.Body.Len() != size {
			t.Errorf("%d, %d bytes", w.Code, w.Body.Len())
		}
	}
	for _, test := range []struct {
		desc                            string
		loads, commands, sent, received int64
		work                            func(key string)
	}{
		// Is it there? May I load it? Here it is.
		{"Fetch: a load", 1, 3, size + 900, 100, func(key string) { ask(all[0], key) }},
		{"Fetch: a far hit", 0, 1, 60, size + 200, func(key string) { ask(all[1], key) }},
		{"Fetch: a near hit", 0, 0, 0, 0, func(key string) { ask(all[1], key) }},
		{"Handler: a load", 1, 3, size + 1100, 100, func(key string) { get(0, "/"+key) }},
		{"Handler: a far hit", 0, 1, 60, size + 300, func(key string) { get(1, "/"+key) }},
		{"Handler: a near hit", 0, 0, 0, 0, func(key string) { get(1, "/"+key) }},
		// One process loads. Each of the others finds nothing, may not load, and reads what the message says is there.
		{"1000 callers of a cold key", 1, 3 + 2*3, size + 1500, 2*size + 500, func(key string) {
			var callers sync.WaitGroup
			for i := range 1000 {
				callers.Go(func() { ask(all[i%3], "cold "+key) })
			}
			callers.Wait()
		}},
	} {
		// The least of some: handshakes, and what is done once in seconds, may come between.
		least := budget{1 << 40, 1 << 40, 1 << 40, 1 << 40}
		for i := range 5 {
			before := s.sofar()
			test.work(strconv.Itoa(i))
			took := s.sofar().since(before)
			if took.loads != test.loads {
				t.Errorf("%s: %d loads, want %d", test.desc, took.loads, test.loads)
			}
			least = least.or(took)
		}
		t.Logf("%s: %d commands, %d bytes to Redis, %d from it", test.desc, least.commands, least.sent, least.received)
		if least.commands > test.commands || least.sent > test.sent || least.received > test.received {
			t.Errorf("%s may be %d, %d, %d", test.desc, test.commands, test.sent, test.received)
		}
	}
}
