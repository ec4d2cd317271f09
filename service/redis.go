package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// redisDefaults are the client's settings where the URL's query does not name its own. Redis is a cache
// here: an answer that it does not give within milliseconds is cheaper to compute, while go-redis waits for
// 5 s, beyond the context's deadline, and dials five times.
var redisDefaults = map[string]string{
	"dial_timeout":  "250ms",
	"read_timeout":  "100ms",
	"write_timeout": "100ms",
	"pool_timeout":  "100ms",
	"max_retries":   "-1", // none
}

// noMaintenance leaves out a handshake that only Redis' commercial servers understand: the others answer it
// with an error, which would stand in every new connection's trace.
var noMaintenance = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}

// redisDials is how often a dial is tried. Not all kinds of URL can say it.
const redisDials = 1

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
	case query.Has("master_name"): // addr= are further Sentinels then
		o, err := redis.ParseFailoverURL(u.String())
		if err != nil {
			return nil, err
		}
		o.ContextTimeoutEnabled, o.DialerRetries = true, redisDials // it has no maintenance to leave out
		return redis.NewFailoverClient(o), nil
	case query.Has("addr"):
		o, err := redis.ParseClusterURL(u.String())
		if err != nil {
			return nil, err
		}
		o.ContextTimeoutEnabled, o.DialerRetries, o.MaintNotificationsConfig = true, redisDials, noMaintenance
		// After a failover the dead master's keys miss until the layout is read anew: a minute by default.
		o.ClusterStateReloadInterval = 2 * time.Second
		return redis.NewClusterClient(o), nil
	default:
		o, err := redis.ParseURL(u.String())
		if err != nil {
			return nil, err
		}
		o.ContextTimeoutEnabled, o.DialerRetries, o.MaintNotificationsConfig = true, redisDials, noMaintenance
		return redis.NewClient(o), nil
	}
}

// logRedis sends what go-redis has to say to the log, which names no outage that health does not. It has
// no other way than its global logger.
func logRedis(logger *slog.Logger) { redis.SetLogger(redisLog{logger}) }

type redisLog struct{ logger *slog.Logger }

func (l redisLog) Printf(ctx context.Context, format string, v ...any) {
	l.logger.DebugContext(ctx, "go-redis", "message", fmt.Sprintf(format, v...))
}
