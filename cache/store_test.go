package cache_test

import (
	"strings"
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

// TestClientThatIgnoresDeadlines is refused: a hung Redis would cost its users seconds.
func TestClientThatIgnoresDeadlines(t *testing.T) {
	for _, test := range []struct {
		desc   string
		client redis.UniversalClient
		ok     bool
	}{
		{"one", redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"}), false},
		{"a cluster's", redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}}), false},
		{"Sentinel's", redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "main", SentinelAddrs: []string{"127.0.0.1:1"}}), false},
		{"one that heeds them", redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", ContextTimeoutEnabled: true}), true},
		{"a cluster's that heeds them", redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}, ContextTimeoutEnabled: true}), true},
	} {
		t.Run(test.desc, func(t *testing.T) {
			defer test.client.Close()
			c, err := cache.New(cache.Redis(test.client, "test:"), cache.Options{})
			if (err == nil) != test.ok || err != nil && !strings.Contains(err.Error(), "ContextTimeoutEnabled") {
				t.Errorf("%v; want it taken: %t", err, test.ok)
			}
			if err == nil {
				if err := c.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
