package cache

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// redisScript is a script that Redis runs, under a name for its spans.
type redisScript struct {
	name string
	lua  *redis.Script
}

func newScript(name, text string) redisScript { return redisScript{name, redis.NewScript(text)} }

type scriptKey struct{}

// scriptOf is the name of the script that cmd runs, or "". The handshake of a connection has the same context.
func scriptOf(ctx context.Context, cmd redis.Cmder) string {
	if cmd.Name() != "evalsha" && cmd.Name() != "eval" {
		return ""
	}
	name, _ := ctx.Value(scriptKey{}).(string)
	return name
}

func (s *RedisStore) run(ctx context.Context, script redisScript, keys []string, args ...any) *redis.Cmd {
	return script.lua.Run(context.WithValue(ctx, scriptKey{}, script.name), s.client, keys, args...)
}

// loadScripts has Redis know the scripts before they are called: each would fail once, and be sent then.
func loadScripts(ctx context.Context, client redis.UniversalClient) {
	ctx, cancel := context.WithTimeout(ctx, hubPing)
	defer cancel()
	for _, script := range []redisScript{
		acquireScript, renewScript, fillScript, purgesScript, voidScript, invalidateScript, amendScript,
	} {
		if script.lua.Load(ctx, client).Err() != nil {
			return // it is sent when it is needed
		}
	}
}
