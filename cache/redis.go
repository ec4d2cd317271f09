package cache

import (
	"context"
	"errors"
	"strings"
	"time"
	"unsafe"

	"github.com/redis/go-redis/v9"
)

// RedisStore is a Store in Redis, standalone, behind Sentinel or in a cluster; also a Leaser and an
// Invalidator.
type RedisStore struct {
	client redis.UniversalClient
	prefix string
	hub    redisHub
	gets   *redisGets // nil: each is its own call
}

// Redis returns a store whose keys begin with prefix, which holds no "{}". The client stays the caller's to configure and to
// close; it must have ContextTimeoutEnabled, or a hung Redis outlasts every deadline: New refuses one without. What go-redis
// has to say goes to standard error unless redis.SetLogger leads it elsewhere. A value's key is
// prefix{key}: the braces keep what belongs to it in its slot of a cluster. The client must read from masters: a replica
// may not have heard of a purge. A cluster should not keep the cache on disk, or a node that restarts has again what
// was purged by key; of a single server that is noticed.
func Redis(client redis.UniversalClient, prefix string) *RedisStore {
	s := &RedisStore{client: client, prefix: prefix}
	if one, ok := client.(*redis.Client); ok {
		s.gets = &redisGets{client: one}
	}
	return s
}

// checkClient is an error where the client is known to ignore deadlines.
func (s *RedisStore) checkClient() error {
	heeds := true
	switch c := s.client.(type) {
	case *redis.Client:
		heeds = c.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		heeds = c.Options().ContextTimeoutEnabled
	}
	if !heeds {
		return errors.New("the Redis client must have ContextTimeoutEnabled: without, a hung Redis outlasts every deadline")
	}
	return nil
}

// Name is the store's label in metrics.
func (*RedisStore) Name() string { return "redis" }

// braces are escaped in keys, because Redis reads them.
var braces = strings.NewReplacer(`\`, `\\`, "{", `\(`, "}", `\)`)

func (s *RedisStore) key(key string) string {
	if key == "" {
		return s.prefix + `{\}` // which no other key becomes: empty braces would mean nothing to Redis
	}
	return s.prefix + "{" + braces.Replace(key) + "}"
}

// channel is the one of Publish and Subscribe for all messages.
func (s *RedisStore) channel() string { return s.prefix + "events" }

// Get implements Store. Calls that come while others are under way may share one.
func (s *RedisStore) Get(ctx context.Context, key string) ([]byte, error) {
	var value string
	var err error
	if s.gets != nil {
		value, err = s.gets.get(ctx, s.key(key))
	} else {
		value, err = s.client.Get(ctx, s.key(key)).Result()
	}
	if errors.Is(err, redis.Nil) {
		return nil, ErrNotFound
	}
	return unsafe.Slice(unsafe.StringData(value), len(value)), err // as go-redis does: nobody writes to it
}

// Set implements Store. Redis counts a TTL in milliseconds; less than one becomes one.
func (s *RedisStore) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return s.client.Set(ctx, s.key(key), value, max(ttl, time.Millisecond)).Err()
}

// Delete implements Store. In a cluster the keys may lie in different slots, so each is its own command,
// sent together.
func (s *RedisStore) Delete(ctx context.Context, keys ...string) error {
	if len(keys) == 0 {
		return nil
	}
	_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, key := range keys {
			p.Unlink(ctx, s.key(key))
		}
		return nil
	})
	return err
}
