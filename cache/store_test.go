package cache_test

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"vitrine/cache"
	"vitrine/cache/storetest"
	"vitrine/e2e/component"
)

func TestMemoryStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) cache.Store { return new(storetest.Memory) }, time.Sleep)
}

func TestRedisStore(t *testing.T) {
	server := component.Redis(t)
	storetest.Run(t, func(t *testing.T) cache.Store {
		return cache.Redis(redisClient(t, server.Addr), t.Name()+":")
	}, time.Sleep)
}

func TestMiniredisStore(t *testing.T) {
	server := miniredis.RunT(t)
	storetest.Run(t, func(t *testing.T) cache.Store {
		return cache.Redis(redisClient(t, server.Addr()), t.Name()+":")
	}, server.FastForward)
}

func redisClient(t testing.TB, addr string) redis.UniversalClient {
	client := redis.NewClient(&redis.Options{
		Addr: addr, ContextTimeoutEnabled: true, MaxRetries: -1, DialTimeout: 250 * time.Millisecond, DialerRetries: 1,
	})
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}
