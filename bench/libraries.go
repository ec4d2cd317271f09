package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/Yiling-J/theine-go"
	"github.com/dgraph-io/ristretto/v2"
	rediscache "github.com/go-redis/cache/v9"
	"github.com/golang/groupcache"
	"github.com/hashicorp/golang-lru/v2/expirable"
	"github.com/jellydator/ttlcache/v3"
	"github.com/maypok86/otter/v2"
	gocache "github.com/patrickmn/go-cache"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/rueidis"
	"github.com/viccon/sturdyc"

	"vitrine/cache"
)

const (
	pricesKept = 10_000
	roomFor    = 2 * pricesKept // so that none is evicted, also where a part is full
	// redisVariable is the address of the Redis that contenders use.
	redisVariable = "BENCH_REDIS"
)

// price is a value as services keep them: of a few fields.
type price struct {
	SKU      string
	Cents    int64
	Currency string
}

// getter returns the price under a key.
type getter func(key string) (price, error)

// library is one that keeps values in memory.
type library struct {
	name string
	does string // and what not
	// loads says that it does what Fetch does: it is asked for a value, and told how to load it if need be.
	loads bool
	open  func(context.Context) (getter, error)
}

var errAbsent = errors.New("a price that was kept is absent")

// loadPrice is how those learn prices that load, and the first time the others.
func loadPrice(key string) (price, error) {
	asked.Add(1)
	n, err := strconv.ParseInt(key[len(key)-6:], 10, 64)
	return price{SKU: key, Cents: n, Currency: "EUR"}, err
}

func priceKeys() []string {
	keys := make([]string, pricesKept)
	for i := range keys {
		keys[i] = fmt.Sprintf("price:%06d", i)
	}
	return keys
}

// fill puts all prices in.
func fill(set func(key string, v price)) error {
	for _, key := range priceKeys() {
		v, err := loadPrice(key)
		if err != nil {
			return err
		}
		set(key, v)
	}
	return nil
}

// found is what look-ups return of which misses are nil.
func found(v price, ok bool) (price, error) {
	if !ok {
		return v, errAbsent
	}
	return v, nil
}

// libraries are those that Fetch is compared with, each as its documentation sets it up.
var libraries = []library{
	{"`Fetch`", "loads once; TTL; counts", true, fetching(cache.Options{})},
	{"`Fetch`, no what-if", "loads once; TTL; counts", true, fetching(cache.Options{Tuning: cache.Tuning{NoWhatIf: true}})},
	{"`Fetch`, a near tier of 16 MiB", "loads once; TTL; counts; simulates", true, fetching(cache.Options{Near: 16 << 20})},
	{"otter, bare", "TTL of each entry", false, func(context.Context) (getter, error) {
		c := newOtter()
		return func(key string) (price, error) { return found(c.GetIfPresent(key)) }, fill(func(key string, v price) { c.Set(key, v) })
	}},
	{"otter `Get` with a loader", "loads once; TTL of each entry", true, func(ctx context.Context) (getter, error) {
		c := newOtter()
		load := otter.LoaderFunc[string, price](func(_ context.Context, key string) (price, error) { return loadPrice(key) })
		return func(key string) (price, error) { return c.Get(ctx, key, load) }, nil
	}},
	{"map and `RWMutex`", "neither TTL nor bound", false, inMap},
	{"`sync.Map`", "neither TTL nor bound", false, func(context.Context) (getter, error) {
		var m sync.Map
		return func(key string) (price, error) {
			v, ok := m.Load(key)
			if !ok {
				return price{}, errAbsent
			}
			return v.(price), nil
		}, fill(func(key string, v price) { m.Store(key, v) })
	}},
	{"ristretto", "TTL", false, func(context.Context) (getter, error) {
		c, err := ristretto.NewCache(&ristretto.Config[string, price]{NumCounters: 10 * roomFor, MaxCost: roomFor, BufferItems: 64, IgnoreInternalCost: true})
		if err != nil {
			return nil, err
		}
		return func(key string) (price, error) { return found(c.Get(key)) }, fill(func(key string, v price) {
			c.SetWithTTL(key, v, 1, time.Hour)
			c.Wait() // it may drop what it has no time for
		})
	}},
	{"theine", "TTL", false, func(context.Context) (getter, error) {
		c, err := theine.NewBuilder[string, price](roomFor).Build()
		if err != nil {
			return nil, err
		}
		return func(key string) (price, error) { return found(c.Get(key)) }, fill(func(key string, v price) { c.SetWithTTL(key, v, 1, time.Hour) })
	}},
	{"theine, loading", "loads once; TTL", true, func(ctx context.Context) (getter, error) {
		c, err := theine.NewBuilder[string, price](roomFor).Loading(func(_ context.Context, key string) (theine.Loaded[price], error) {
			v, err := loadPrice(key)
			return theine.Loaded[price]{Value: v, Cost: 1, TTL: time.Hour}, err
		}).Build()
		if err != nil {
			return nil, err
		}
		return func(key string) (price, error) { return c.Get(ctx, key) }, nil
	}},
	{"golang-lru, expirable", "TTL", false, func(context.Context) (getter, error) {
		c := expirable.NewLRU[string, price](roomFor, nil, time.Hour)
		return func(key string) (price, error) { return found(c.Get(key)) }, fill(func(key string, v price) { c.Add(key, v) })
	}},
	{"go-cache", "TTL; no bound", false, func(context.Context) (getter, error) {
		c := gocache.New(time.Hour, 2*time.Hour)
		return func(key string) (price, error) {
			v, ok := c.Get(key)
			if !ok {
				return price{}, errAbsent
			}
			return v.(price), nil
		}, fill(func(key string, v price) { c.Set(key, v, gocache.DefaultExpiration) })
	}},
	{"sturdyc `GetOrFetch`", "loads once; TTL", true, func(ctx context.Context) (getter, error) {
		c := sturdyc.New[price](roomFor, 10, time.Hour, 10)
		return func(key string) (price, error) {
			return c.GetOrFetch(ctx, key, func(context.Context) (price, error) { return loadPrice(key) })
		}, nil
	}},
	{"ttlcache `GetOrSetFunc`", "loads once, and meanwhile nobody reads; TTL; counts", true, func(context.Context) (getter, error) {
		c := ttlcache.New(ttlcache.WithTTL[string, price](time.Hour))
		go c.Start()
		return func(key string) (price, error) {
			item, _ := c.GetOrSetFunc(key, func() price {
				v, err := loadPrice(key)
				if err != nil {
					panic(err) // it knows no errors
				}
				return v
			})
			return item.Value(), nil
		}, nil
	}},
	{"groupcache", "loads once; counts; no TTL; bytes, not decoded", true, func(ctx context.Context) (getter, error) {
		group := groupcache.NewGroup("prices", 64<<20, groupcache.GetterFunc(func(_ context.Context, key string, dest groupcache.Sink) error {
			if _, err := loadPrice(key); err != nil {
				return err
			}
			return dest.SetString(key)
		}))
		return func(key string) (v price, err error) {
			err = group.Get(ctx, key, groupcache.StringSink(&v.SKU))
			return v, err
		}, nil
	}},
	{"go-redis/cache `Once`", "loads once; TTL; decodes each time", true, func(ctx context.Context) (getter, error) {
		c := rediscache.New(&rediscache.Options{LocalCache: rediscache.NewTinyLFU(roomFor, time.Hour)})
		return func(key string) (v price, err error) {
			err = c.Once(&rediscache.Item{Ctx: ctx, Key: key, Value: &v, TTL: time.Hour, Do: func(*rediscache.Item) (any, error) {
				return loadPrice(key)
			}})
			return v, err
		}, nil
	}},
	{"go-redis/cache `Get`", "TTL; decodes each time", false, func(ctx context.Context) (getter, error) {
		c := rediscache.New(&rediscache.Options{LocalCache: rediscache.NewTinyLFU(roomFor, time.Hour)})
		var failed error
		err := fill(func(key string, v price) {
			failed = errors.Join(failed, c.Set(&rediscache.Item{Ctx: ctx, Key: key, Value: v, TTL: time.Hour}))
		})
		return func(key string) (v price, err error) {
			err = c.Get(ctx, key, &v)
			return v, err
		}, errors.Join(err, failed)
	}},
	{"rueidis `DoCache`", "asks Redis once; TTL; decodes each time", false, trackedByRueidis},
}

func newOtter() *otter.Cache[string, price] {
	return otter.Must(&otter.Options[string, price]{
		MaximumWeight:    64 << 20,
		Weigher:          func(key string, v price) uint32 { return uint32(len(key) + len(v.SKU) + 100) },
		ExpiryCalculator: otter.ExpiryWritingFunc(func(otter.Entry[string, price]) time.Duration { return time.Hour }),
	})
}

func fetching(o cache.Options) func(context.Context) (getter, error) {
	return func(ctx context.Context) (getter, error) {
		o.Name, o.TTL, o.Registerer = "prices", time.Hour, prometheus.NewRegistry()
		c, err := cache.New(nil, o)
		if err != nil {
			return nil, err
		}
		return func(key string) (price, error) {
			return cache.Fetch(ctx, c, key, func(context.Context) (price, error) { return loadPrice(key) })
		}, nil
	}
}

func inMap(context.Context) (getter, error) {
	var mu sync.RWMutex
	m := map[string]price{}
	return func(key string) (price, error) {
		mu.RLock()
		v, ok := m[key]
		mu.RUnlock()
		return found(v, ok)
	}, fill(func(key string, v price) { m[key] = v })
}

// trackedByRueidis has Redis tell when what is kept of it has changed.
func trackedByRueidis(ctx context.Context) (getter, error) {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{os.Getenv(redisVariable)}})
	if err != nil {
		return nil, err
	}
	var failed error
	var sets rueidis.Commands
	err = fill(func(key string, v price) {
		b, err := json.Marshal(v)
		failed = errors.Join(failed, err)
		sets = append(sets, client.B().Set().Key(key).Value(rueidis.BinaryString(b)).Build())
	})
	for _, set := range client.DoMulti(ctx, sets...) {
		failed = errors.Join(failed, set.Error())
	}
	return func(key string) (v price, err error) {
		err = client.DoCache(ctx, client.B().Get().Key(key).Cache(), time.Hour).DecodeJSON(&v)
		return v, err
	}, errors.Join(err, failed)
}

// wanted is a stream of keys: zipf 1.01, the same each time.
func wanted() []string {
	keys, z := priceKeys(), newZipf(seeded(1), 1.01, pricesKept)
	rand.New(rand.NewPCG(2, 0)).Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	stream := make([]string, 1<<18)
	for i := range stream {
		stream[i] = keys[z.next()]
	}
	return stream
}

// work has a caller want the stream's keys one by one. All have been asked for before.
func (l library) work(ctx context.Context) (func(int), error) {
	get, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	for _, key := range priceKeys() {
		if _, err := get(key); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	stream := wanted()
	return func(i int) {
		key := stream[i%len(stream)]
		if v, err := get(key); err != nil || v.SKU != key {
			panic(fmt.Sprintf("%s is %+v, %v", key, v, err))
		}
	}, nil
}
