package cache

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// An account is one hash, so that Redis evicts all of it or nothing: fields era, seq, floor, all and softall,
// and those of tags, behind "t:" and, of soft purges, "s:". Once it has more than 2 × 5000, the older half of
// them goes, and floor is the highest number among those.
var (
	purgesScript = newScript("purges", `
redis.call('HSETNX', KEYS[1], 'era', ARGV[1])
return redis.call('HGETALL', KEYS[1])`)

	voidScript = newScript("void", `
redis.call('HSETNX', KEYS[1], 'era', ARGV[1])
local seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)
for i = 5, #ARGV do redis.call('HSET', KEYS[1], ARGV[i], seq) end
local most = tonumber(ARGV[4])
if redis.call('HLEN', KEYS[1]) > 2 * most then
  local all, seqs = redis.call('HGETALL', KEYS[1]), {}
  for i = 1, #all, 2 do
    if string.sub(all[i], 2, 2) == ':' then seqs[#seqs + 1] = tonumber(all[i + 1]) end
  end
  table.sort(seqs)
  local floor = seqs[math.max(#seqs - most, 1)]
  for i = 1, #all, 2 do
    if string.sub(all[i], 2, 2) == ':' and tonumber(all[i + 1]) <= floor then redis.call('HDEL', KEYS[1], all[i]) end
  end
  redis.call('HSET', KEYS[1], 'floor', floor)
end
local era = redis.call('HGET', KEYS[1], 'era')
redis.call('PUBLISH', ARGV[2], ARGV[3] .. era .. ' ' .. seq)
return {era, seq}`)

	invalidateScript = newScript("invalidate", `
redis.call('DEL', KEYS[1], KEYS[2])
return redis.call('PUBLISH', ARGV[1], ARGV[2])`)

	amendScript = newScript("amend", `
if redis.call('GETRANGE', KEYS[1], 0, #ARGV[3] - 1) == ARGV[3] then redis.call('SETRANGE', KEYS[1], 0, ARGV[4]) end
redis.call('DEL', KEYS[2])
return redis.call('PUBLISH', ARGV[1], ARGV[2])`)
)

// accountTags is how many tags an account keeps at least.
const accountTags = 5000

// Invalidate implements Invalidator.
func (s *RedisStore) Invalidate(ctx context.Context, key string, message []byte) error {
	return s.run(ctx, invalidateScript, s.keys(key), s.channel(), message).Err()
}

// Amend implements Invalidator.
func (s *RedisStore) Amend(ctx context.Context, key string, old, now, message []byte) error {
	if len(old) == 0 || len(old) != len(now) {
		return fmt.Errorf("cache: amend: %d bytes for %d", len(now), len(old))
	}
	return s.run(ctx, amendScript, s.keys(key), s.channel(), message, old, now).Err()
}

// Void implements Invalidator.
func (s *RedisStore) Void(ctx context.Context, scope, era string, p Purge, message []byte) (Mark, error) {
	args := []any{era, s.channel(), message, accountTags}
	for _, field := range p.fields() {
		args = append(args, field)
	}
	reply, err := s.run(ctx, voidScript, []string{s.account(scope)}, args...).Slice()
	if err != nil {
		return Mark{}, err
	}
	if len(reply) == 2 {
		now, isText := reply[0].(string)
		seq, isNumber := reply[1].(int64)
		if isText && isNumber {
			return Mark{now, uint64(seq)}, nil
		}
	}
	return Mark{}, fmt.Errorf("cache: not an answer to void: %d parts", len(reply))
}

// fields are those of an account that note p.
func (p Purge) fields() (names []string) {
	if len(p.Tags) == 0 {
		if p.Soft {
			return []string{"softall"}
		}
		return []string{"all"}
	}
	prefix := "t:"
	if p.Soft {
		prefix = "s:"
	}
	for _, tag := range p.Tags {
		names = append(names, prefix+tag)
	}
	return names
}

// Purges implements Invalidator.
func (s *RedisStore) Purges(ctx context.Context, scope, era string) (Account, error) {
	reply, err := s.run(ctx, purgesScript, []string{s.account(scope)}, era).Result()
	if err != nil {
		return Account{}, err
	}
	fields := map[string]string{}
	switch reply := reply.(type) {
	case []any: // RESP2, and whatever a script returns
		for i := 0; i+1 < len(reply); i += 2 {
			fields[fmt.Sprint(reply[i])] = fmt.Sprint(reply[i+1])
		}
	case map[any]any:
		for name, value := range reply {
			fields[fmt.Sprint(name)] = fmt.Sprint(value)
		}
	}
	a := Account{Tags: map[string]uint64{}, SoftTags: map[string]uint64{}}
	for name, value := range fields {
		if name == "era" {
			a.Era = value
			continue
		}
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			return Account{}, fmt.Errorf("cache: an account of purges whose %q is no number", name)
		}
		a.note(name, n)
	}
	return a, nil
}

func (a *Account) note(field string, n uint64) {
	switch tag, isTag := strings.CutPrefix(field, "t:"); {
	case isTag:
		a.Tags[tag] = n
	case field == "seq":
		a.Seq = n
	case field == "floor":
		a.Floor = n
	case field == "all":
		a.All = n
	case field == "softall":
		a.SoftAll = n
	default:
		if tag, isTag := strings.CutPrefix(field, "s:"); isTag {
			a.SoftTags[tag] = n
		}
	}
}

func (s *RedisStore) account(scope string) string { return s.key(scope) + ":purges" }
