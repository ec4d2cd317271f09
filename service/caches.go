package main

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"vitrine/cache"
	"vitrine/telemetry"
)

// caches are one for each endpoint, over one Redis client.
type caches struct {
	slow, tiles, stats *cache.Cache
}

func newCaches(cfg config, client redis.UniversalClient, t *telemetry.Telemetry) (c caches, err error) {
	var far cache.Store
	if client != nil {
		far = cache.Redis(client, "vitrine:")
	}
	// Of the memory most goes where the values are large and many.
	for _, each := range []struct {
		cache **cache.Cache
		name  string
		share int64   // in sixteenths
		apart float64 // share of the TTL over which values expire that were loaded together
	}{{&c.slow, "slow", 1, 0}, {&c.tiles, "tiles", 13, .1}, {&c.stats, "stats", 2, .1}} {
		near := cfg.cacheBytes / 16 * each.share
		if cfg.cache == "redis" {
			near = -1
		}
		*each.cache, err = cache.New(far, cache.Options{
			Name:  each.name,
			TTL:   cfg.cacheTTL,
			Near:  near,
			Stale: cache.Staleness{WhileRevalidate: cfg.cacheStale, IfError: cfg.cacheStaleError, SoftTimeout: cfg.softTimeout},
			HTTP: cache.HTTP{
				// No answer of these depends on the query. A route whose answer does needs another cache, with the
				// parameters that count (nil is all): here the first would be everybody's.
				Query:     []string{},
				Encodings: []string{"zstd", "gzip"},
			},
			Registerer:     t.Registry,
			TracerProvider: t.TracerProvider,
			Logger:         t.Logger,
			Limits:         cache.Limits{Loads: cfg.cacheLoads, LoadTimeout: cfg.loadTimeout},
			Tuning:         cache.Tuning{Jitter: each.apart, EarlyRefresh: 1},
		})
		if err != nil {
			return caches{}, err
		}
	}
	return c, nil
}

func (c caches) all() []*cache.Cache { return []*cache.Cache{c.slow, c.tiles, c.stats} }

func (c caches) close(ctx context.Context) error {
	return errors.Join(c.slow.Close(ctx), c.tiles.Close(ctx), c.stats.Close(ctx))
}
