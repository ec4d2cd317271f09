package main

import (
	"net/url"

	"github.com/redis/go-redis/extra/redisotel/v9"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/trace"
)

// redisDefaults are the client's settings where the URL's query does not name its own. Redis is a cache
// here: an answer that it does not give within milliseconds is cheaper to compute, while go-redis waits for
// 5 s, beyond the context's deadline, and dials five times.
var redisDefaults = map[string]string{
	"context_timeout_enabled": "true",
	"dial_timeout":            "250ms",
	"dialer_retries":          "1",
	"read_timeout":            "100ms",
	"write_timeout":           "100ms",
	"pool_timeout":            "100ms",
	"max_retries":             "-1", // none
}

func checkRedisURL(v string) error {
	client, err := redisClient(v)
	if err != nil {
		return err
	}
	return client.Close()
}

// redisClient makes a client for a standalone server, for a cluster (an addr in the query) or for one
// behind Sentinel (a master_name). It does not connect yet.
func redisClient(raw string) (redis.UniversalClient, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, err
	}
	query := u.Query()
	for name, value := range redisDefaults {
		if !query.Has(name) {
			query.Set(name, value)
		}
	}
	u.RawQuery = query.Encode()
	switch {
	case query.Has("addr"):
		o, err := redis.ParseClusterURL(u.String())
		if err != nil {
			return nil, err
		}
		return redis.NewClusterClient(o), nil
	case query.Has("master_name"):
		o, err := redis.ParseFailoverURL(u.String())
		if err != nil {
			return nil, err
		}
		return redis.NewFailoverClient(o), nil
	default:
		o, err := redis.ParseURL(u.String())
		if err != nil {
			return nil, err
		}
		return redis.NewClient(o), nil
	}
}

// traceRedis adds a client span to every command, without keys and values.
func traceRedis(client redis.UniversalClient, tp trace.TracerProvider) error {
	return redisotel.InstrumentTracing(client,
		redisotel.WithTracerProvider(tp),
		redisotel.WithDBStatement(false),
		redisotel.WithCallerEnabled(false),
		redisotel.WithDialFilter(true),
	)
}
