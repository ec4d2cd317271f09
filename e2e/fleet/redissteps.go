package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"vitrine/cache"
	"vitrine/e2e/fleet/forecast"
	"vitrine/e2e/redisserver"
)

// redisSteps measures what Redis takes for each of the steps that the cache makes of it, which it is told by the cache's
// own store. message is what replicas tell each other.
func redisSteps(ctx context.Context, server *redisserver.Server, message []byte, c *forecast.Constants) error {
	const n, kib = 20_000, 1 << 10
	if err := server.Client.FlushAll(ctx).Err(); err != nil {
		return err
	}
	client := redis.NewClient(&redis.Options{Addr: server.Addr, ContextTimeoutEnabled: true})
	defer client.Close()
	store := cache.Redis(client, "steps:")
	key := func(kind string, i int) string { return fmt.Sprintf("stats:v:%s/%07d", kind, i) }
	token := func(holder, i int) string { return fmt.Sprintf("%d%021d", holder, i) }
	set := func(kind string, size int) func(int) error {
		return func(i int) error { return store.Set(ctx, key(kind, i), make([]byte, size), time.Hour) }
	}
	get := func(kind string) func(int) error {
		return func(i int) error { _, err := store.Get(ctx, key(kind, i%1000)); return err }
	}
	acquire := func(kind string, holder int) func(int) error {
		return func(i int) error {
			_, err := store.Acquire(ctx, key(kind, i), nil, token(holder, i), make([]byte, 25), time.Hour)
			return err
		}
	}
	purge := func(i int) error { return store.Invalidate(ctx, key("purged", i), message) }
	known, err := store.Void(ctx, "stats", cache.Mark{}, token(0, 0), cache.Purge{Tags: []string{"zoom:1"}}, message)
	if err != nil {
		return err
	}
	var big float64
	for _, each := range []struct {
		do         func(int) error
		n          int
		cpu, bytes *float64 // nil: of no interest
	}{
		{set("small", kib), 1000, nil, nil}, {set("big", 16*kib), 1000, nil, nil},
		{get("small"), n, &c.Get, &c.GetBytes}, {get("big"), n, &big, nil},
		{func(i int) error {
			if _, err := store.Get(ctx, key("none", i)); !errors.Is(err, cache.ErrNotFound) {
				return fmt.Errorf("a key that is not there: %w", err)
			}
			return nil
		}, n, &c.Miss, nil},
		{acquire("loaded", 1), n, &c.Acquire, nil},
		{acquire("loaded", 2), n, &c.Refused, nil},
		{func(i int) error {
			held, err := store.Fill(ctx, key("loaded", i), token(1, i), make([]byte, kib), time.Hour, message)
			if err == nil && !held {
				err = errors.New("a lease was lost")
			}
			return err
		}, n, &c.Fill, &c.FillBytes},
		{acquire("loaded", 3), n, &c.AcquireValue, nil},
		{purge, n, &c.Invalidate, nil},
		{func(i int) error {
			_, err := store.Void(ctx, "stats", known, token(0, 0), cache.Purge{Tags: []string{fmt.Sprint("zoom:", i%30)}}, message)
			return err
		}, n, &c.Void, nil},
		{func(int) error {
			_, err := store.Purges(ctx, "stats", cache.Mark{Era: known.Era, Seq: known.Seq + n}, token(0, 0))
			return err
		}, n, &c.Account, nil},
		{func(int) error { return client.Ping(ctx).Err() }, n, &c.Ping, nil},
	} {
		s, err := measureStep(ctx, server, each.n, atOnce, each.do)
		if err != nil {
			return err
		}
		if each.cpu != nil {
			*each.cpu = s.cpu
		}
		if each.bytes != nil {
			*each.bytes = s.bytes - kib
		}
	}
	c.GetPerKiB = (big - c.Get) / 15

	const subscribers = 100
	alone, err := measureStep(ctx, server, n/4, 1, purge)
	if err != nil {
		return err
	}
	memory, err := server.Info(ctx)
	if err != nil {
		return err
	}
	leave, err := subscribe(ctx, server, "steps:events", subscribers)
	if err != nil {
		return err
	}
	defer leave()
	after, err := server.Info(ctx)
	if err != nil {
		return err
	}
	c.Connection = (after.Number("used_memory") - memory.Number("used_memory")) / subscribers
	told, err := measureStep(ctx, server, n/4, 1, purge)
	if err != nil {
		return err
	}
	busy, err := measureStep(ctx, server, n/4, atOnce, purge)
	if err != nil {
		return err
	}
	c.Delivery = (told.cpu - alone.cpu) / subscribers
	c.DeliveryBusy = (busy.cpu - c.Invalidate) / subscribers
	c.DeliveryBytes = (told.bytes - alone.bytes) / subscribers
	return nil
}

// taken is what one step takes of Redis.
type taken struct {
	cpu   float64 // µs
	bytes float64 // that it receives and sends
}

// measureStep does a step n times, so many at once.
func measureStep(ctx context.Context, server *redisserver.Server, n, atOnce int, do func(i int) error) (s taken, err error) {
	before, err := server.Info(ctx)
	if err != nil {
		return s, err
	}
	var next atomic.Int64
	var workers errgroup.Group
	for range atOnce {
		workers.Go(func() error {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := workers.Wait(); err != nil {
		return s, err
	}
	after, err := server.Info(ctx)
	if err != nil {
		return s, err
	}
	grown := func(name string) float64 { return after.Number(name) - before.Number(name) }
	bytes := (grown("total_net_input_bytes") + grown("total_net_output_bytes")) / float64(n)
	return taken{(after.CPU() - before.CPU()) / float64(n), bytes}, nil
}

// subscribe has so many connections listen to a channel until leave is called.
func subscribe(ctx context.Context, server *redisserver.Server, channel string, n int) (leave func(), err error) {
	var all []net.Conn
	var readers sync.WaitGroup
	leave = func() {
		for _, conn := range all {
			_ = conn.Close()
		}
		readers.Wait()
	}
	for range n {
		conn, err := net.Dial("tcp", server.Addr)
		if err != nil {
			leave()
			return nil, err
		}
		all = append(all, conn)
		if _, err := fmt.Fprintf(conn, "SUBSCRIBE %s\r\n", channel); err != nil {
			leave()
			return nil, err
		}
		readers.Go(func() {
			b := make([]byte, 64<<10)
			for {
				if _, err := conn.Read(b); err != nil {
					return
				}
			}
		})
	}
	for ctx.Err() == nil {
		there, err := server.Client.PubSubNumSub(ctx, channel).Result()
		if err != nil {
			leave()
			return nil, err
		}
		if there[channel] == int64(n) {
			return leave, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	leave()
	return nil, ctx.Err()
}
