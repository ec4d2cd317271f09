package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	rediscache "github.com/go-redis/cache/v9"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/redis/rueidis"

	"vitrine/cache"
)

const (
	articlesKept = 1000
	byHand       = 64 // gets of a pipeline
	plainGet     = "plain go-redis `Get`, bytes"
	fetchedBytes = "`Fetch`, far hit, bytes"
)

// article is a value of 1 KiB as JSON.
type article struct{ Title, Body string }

// newArticle is of words in no order, so that it cannot be compressed to nothing.
func newArticle(key string) article {
	words := strings.Fields(`a and are as at bench but by cut door floor for from grain hand has in is it made not oak of on one or out
		panel saw table than that the these they this to two was well were which white who wide wind window with wood work year you`)
	var text strings.Builder
	for r := seeded(uint64(len(key))); text.Len() < 1<<10; {
		text.WriteString(words[r.IntN(len(words))] + " ")
	}
	a := article{Title: key}
	b, _ := json.Marshal(a) // strings alone
	a.Body = text.String()[:1<<10-len(b)]
	return a
}

func articleKeys() []string {
	keys := make([]string, articlesKept)
	for i := range keys {
		keys[i] = fmt.Sprintf("article:%04d", i)
	}
	return keys
}

// reader reads articles that are in Redis.
type reader struct {
	name string
	open func(context.Context) (func(key string) (article, error), error)
}

var readers = []reader{
	{fetchedBytes, func(ctx context.Context) (func(string) (article, error), error) {
		c, err := farCache("bytes:")
		return func(key string) (article, error) {
			return undecoded(key)(cache.Fetch(ctx, c, key, func(context.Context) ([]byte, error) {
				asked.Add(1)
				return json.Marshal(newArticle(key))
			}))
		}, err
	}},
	{"`Fetch`, far hit, decoded", func(ctx context.Context) (func(string) (article, error), error) {
		c, err := farCache("values:")
		return func(key string) (article, error) {
			return cache.Fetch(ctx, c, key, func(context.Context) (article, error) {
				asked.Add(1)
				return newArticle(key), nil
			})
		}, err
	}},
	{plainGet, func(ctx context.Context) (func(string) (article, error), error) {
		client, err := withArticles(ctx, programsRedis(nil))
		return func(key string) (article, error) {
			return undecoded(key)(client.Get(ctx, key).Bytes())
		}, err
	}},
	{"go-redis `Get`, decoded", func(ctx context.Context) (func(string) (article, error), error) {
		client, err := withArticles(ctx, programsRedis(nil))
		return func(key string) (article, error) { return decoded(client.Get(ctx, key).Bytes()) }, err
	}},
	{"go-redis `AutoPipeline`", func(ctx context.Context) (func(string) (article, error), error) {
		client, err := withArticles(ctx, programsRedis(nil))
		if err != nil {
			return nil, err
		}
		pipeline, err := client.AutoPipeline()
		return func(key string) (article, error) { return decoded(pipeline.Get(ctx, key).Bytes()) }, err
	}},
	{"go-redis `AutoPipeline`, 100 µs", func(ctx context.Context) (func(string) (article, error), error) {
		client, err := withArticles(ctx, programsRedis(nil))
		if err != nil {
			return nil, err
		}
		o := redis.DefaultBlockingAutoPipelineOptions()
		o.MaxFlushDelay = 100 * time.Microsecond
		pipeline, err := client.AutoPipelineWithOptions(o)
		return func(key string) (article, error) { return decoded(pipeline.Get(ctx, key).Bytes()) }, err
	}},
	{"go-redis, pipelines of 64 by hand", func(ctx context.Context) (func(string) (article, error), error) {
		client, err := withArticles(ctx, programsRedis(nil))
		var mu sync.Mutex
		var keys []string
		return func(key string) (article, error) {
			mu.Lock()
			keys = append(keys, key)
			mine := keys
			if len(keys) == byHand {
				keys = nil
			}
			mu.Unlock()
			if len(mine) < byHand {
				return article{Title: key}, nil // somebody else's pipeline has it
			}
			return pipelined(ctx, client, mine)
		}, err
	}},
	{"go-redis/cache `Get`, no local", func(ctx context.Context) (func(string) (article, error), error) {
		c := rediscache.New(&rediscache.Options{Redis: programsRedis(nil)})
		var errs []error
		for _, key := range articleKeys() {
			errs = append(errs, c.Set(&rediscache.Item{Ctx: ctx, Key: "msgpack:" + key, Value: newArticle(key), TTL: time.Hour}))
		}
		return func(key string) (a article, err error) {
			err = c.Get(ctx, "msgpack:"+key, &a)
			return a, err
		}, errors.Join(errs...)
	}},
	{"rueidis `Do`", func(ctx context.Context) (func(string) (article, error), error) {
		client, err := rueidisWithArticles(ctx)
		return func(key string) (article, error) {
			return decoded(client.Do(ctx, client.B().Get().Key(key).Build()).AsBytes())
		}, err
	}},
	{"rueidis `Do`, 20 µs", func(ctx context.Context) (func(string) (article, error), error) {
		client, err := rueidisWithArticles(ctx, func(o *rueidis.ClientOption) { o.MaxFlushDelay = 20 * time.Microsecond })
		return func(key string) (article, error) {
			return decoded(client.Do(ctx, client.B().Get().Key(key).Build()).AsBytes())
		}, err
	}},
	{"rueidis `DoCache`, copies", func(ctx context.Context) (func(string) (article, error), error) {
		client, err := rueidisWithArticles(ctx)
		return func(key string) (article, error) {
			return decoded(client.DoCache(ctx, client.B().Get().Key(key).Cache(), time.Hour).AsBytes())
		}, err
	}},
	{"go-redis client-side caching, copies", func(ctx context.Context) (func(string) (article, error), error) {
		client, err := withArticles(ctx, programsRedis(func(o *redis.Options) {
			o.Protocol, o.ClientSideCacheConfig = 3, &redis.ClientSideCacheConfig{MaxEntries: 2 * articlesKept}
		}))
		return func(key string) (article, error) { return decoded(client.Get(ctx, key).Bytes()) }, err
	}},
}

// patience is for a machine that others use too: what the program has for Redis, 50 ms and 100 ms, such a machine may be away.
const patience = 2 * time.Second

// programsRedis is a client with the options that the program sets, but for its patience.
func programsRedis(also func(*redis.Options)) *redis.Client {
	o := &redis.Options{
		Addr: os.Getenv(redisVariable), ContextTimeoutEnabled: true, DialTimeout: patience, ReadTimeout: patience,
		WriteTimeout: patience, PoolTimeout: patience, MaxRetries: -1, DialerRetries: 1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if also != nil {
		also(o)
	}
	return redis.NewClient(o)
}

// farCache has no near tier.
func farCache(prefix string) (*cache.Cache, error) {
	client, registry := programsRedis(nil), prometheus.NewRegistry()
	if err := cache.InstrumentRedis(client, cache.RedisOptions{Registerer: registry}); err != nil {
		return nil, err
	}
	return cache.New(cache.Redis(client, prefix), cache.Options{
		Name: "articles", TTL: time.Hour, Near: -1, Registerer: registry, Limits: cache.Limits{StoreTimeout: patience},
	})
}

// undecoded is for who leaves bytes as they are.
func undecoded(key string) func([]byte, error) (article, error) {
	return func(b []byte, err error) (article, error) {
		if err == nil && len(b) != 1<<10 {
			err = fmt.Errorf("%d bytes", len(b))
		}
		return article{Title: key}, err
	}
}

func withArticles(ctx context.Context, client *redis.Client) (*redis.Client, error) {
	_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, key := range articleKeys() {
			b, err := json.Marshal(newArticle(key))
			if err != nil {
				return err
			}
			p.Set(ctx, key, b, time.Hour)
		}
		return nil
	})
	return client, err
}

func rueidisWithArticles(ctx context.Context, also ...func(*rueidis.ClientOption)) (rueidis.Client, error) {
	plain := programsRedis(nil)
	if _, err := withArticles(ctx, plain); err != nil {
		return nil, err
	}
	o := rueidis.ClientOption{InitAddress: []string{os.Getenv(redisVariable)}}
	for _, set := range also {
		set(&o)
	}
	client, err := rueidis.NewClient(o)
	return client, errors.Join(err, plain.Close())
}

func decoded(b []byte, err error) (a article, _ error) {
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal(b, &a)
}

// pipelined returns the last one's article.
func pipelined(ctx context.Context, client *redis.Client, keys []string) (a article, err error) {
	gets := make([]*redis.StringCmd, len(keys))
	_, err = client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, key := range keys {
			gets[i] = p.Get(ctx, key)
		}
		return nil
	})
	for _, get := range gets {
		if err != nil {
			return a, err
		}
		a, err = decoded(get.Bytes())
	}
	return a, err
}

// work has a caller read articles in no order.
func (r reader) work(ctx context.Context) (func(int), error) {
	read, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	keys := articleKeys()
	for _, key := range keys {
		if _, err := read(key); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	stream := make([]string, 1<<16)
	for i, r := 0, seeded(1); i < len(stream); i++ {
		stream[i] = keys[r.IntN(len(keys))]
	}
	return func(i int) {
		key := stream[i%len(stream)]
		switch a, err := read(key); {
		case err != nil:
			failed.Add(1)
		case a.Title != key:
			panic(fmt.Sprintf("%s is %+v", key, a))
		}
	}, nil
}

// failed counts reads that failed.
var failed atomic.Int64

// missed are reads that had no value of Redis: they failed, or went on to the origin.
func missed() map[string]float64 {
	return map[string]float64{"missed": float64(failed.Load() + max(asked.Load()-articlesKept, 0))}
}
