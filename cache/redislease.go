package cache

import (
	"context"
	"fmt"
	"time"
)

// Scripts know two keys, which lie in one slot: a value and its lease, which is the holder's token with the
// note behind it.
var (
	acquireScript = newScript("acquire", `
local value, seen = redis.call('GET', KEYS[1]), ARGV[4]
if value and value ~= '' and (seen == '' or string.sub(value, 1, #seen) ~= seen) then return {1, value} end
local lease = redis.call('GET', KEYS[2])
if lease and string.sub(lease, 1, #ARGV[1]) ~= ARGV[1] then return {2, lease, redis.call('PTTL', KEYS[2])} end
redis.call('SET', KEYS[2], ARGV[1] .. ARGV[2], 'PX', ARGV[3])
return {0}`)

	renewScript = newScript("renew", `
local lease = redis.call('GET', KEYS[2])
if not lease or string.sub(lease, 1, #ARGV[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[2], ARGV[2])`)

	fillScript = newScript("fill", `
local lease = redis.call('GET', KEYS[2])
if not lease or string.sub(lease, 1, #ARGV[1]) ~= ARGV[1] then return 0 end
local ttl = tonumber(ARGV[3])
if ttl > 0 then redis.call('SET', KEYS[1], ARGV[2], 'PX', ttl) end
if ttl < 0 then redis.call('DEL', KEYS[1]) end
redis.call('DEL', KEYS[2])
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 1`)
)

// tokenLength is that of the cache's own tokens: what stands behind them in a lease is the note.
const tokenLength = 22

// Acquire implements Leaser. Tokens are of 22 characters.
func (s *RedisStore) Acquire(ctx context.Context, key string, seen []byte, token string, note []byte, ttl time.Duration) (Acquired, error) {
	reply, err := s.run(ctx, acquireScript, s.keys(key), token, note, milliseconds(ttl), seen).Slice()
	if err != nil {
		return Acquired{}, err
	}
	switch kind, rest := reply[0], reply[1:]; {
	case kind == int64(0):
		return Acquired{Held: true}, nil
	case kind == int64(1) && len(rest) == 1:
		if value, ok := rest[0].(string); ok {
			return Acquired{Value: []byte(value)}, nil
		}
	case kind == int64(2) && len(rest) == 2:
		lease, isText := rest[0].(string)
		left, isNumber := rest[1].(int64)
		if isText && isNumber {
			return Acquired{Note: []byte(lease[min(tokenLength, len(lease)):]), Left: time.Duration(left) * time.Millisecond}, nil
		}
	}
	return Acquired{}, fmt.Errorf("cache: not an answer to acquire: %d parts", len(reply))
}

// Renew implements Leaser.
func (s *RedisStore) Renew(ctx context.Context, key, token string, ttl time.Duration) (bool, error) {
	return s.run(ctx, renewScript, s.keys(key), token, milliseconds(ttl)).Bool()
}

// Fill implements Leaser.
func (s *RedisStore) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration, message []byte) (bool, error) {
	ms := int64(0)
	switch {
	case ttl > 0:
		ms = milliseconds(ttl)
	case ttl < 0:
		ms = -1
	}
	return s.run(ctx, fillScript, s.keys(key), token, value, ms, s.channel(), message).Bool()
}

// keys are a value's and its lease's.
func (s *RedisStore) keys(key string) []string {
	value := s.key(key)
	return []string{value, value + ":lease"}
}

// milliseconds are Redis' unit of time; less than one becomes one.
func milliseconds(d time.Duration) int64 { return max(d.Milliseconds(), 1) }
