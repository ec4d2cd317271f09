package cache

import (
	"context"
	"fmt"
	"strconv"
)

// An account is one hash, so that Redis evicts all of it or nothing: fields era, run, seq, floor, all and softall,
// and those of tags, behind "t:" and, of soft purges, "s:". Once it has more than 2 × accountTags, the older half
// of them goes, and floor is the highest number among those.
//
// beginAccount begins another where there is none, where this one has less than is known of it, and where it is
// another run's: a server that was restarted from a snapshot, or a replica in the place of its master, may have
// missed purges.
const beginAccount = `
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
local era, seq = redis.call('HGET', KEYS[1], 'era'), tonumber(redis.call('HGET', KEYS[1], 'seq') or 0)
if era and (redis.call('HGET', KEYS[1], 'run') ~= run or era == ARGV[2] and seq < tonumber(ARGV[3])) then
  redis.call('DEL', KEYS[1])
  era = false
end
if not era then
  era, seq = ARGV[1], 0
  redis.call('HSET', KEYS[1], 'era', era, 'run', run)
end
`

var (
	purgesScript = newScript("purges", beginAccount+`
if era == ARGV[2] and seq == tonumber(ARGV[3]) then return {'era', era, 'seq', tostring(seq)} end
return redis.call('HGETALL', KEYS[1])`)

	voidScript = newScript("void", beginAccount+`
seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)
for i = 7, #ARGV do redis.call('HSET', KEYS[1], ARGV[i], seq) end
local most = tonumber(ARGV[6])
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
redis.call('PUBLISH', ARGV[4], ARGV[5] .. era .. ' ' .. seq)
return {era, seq}`)

	invalidateScript = newScript("invalidate", `
redis.call('DEL', KEYS[1], KEYS[2])
return redis.call('PUBLISH', ARGV[1], ARGV[2])`)

	amendScript = newScript("amend", `
if redis.call('GETRANGE', KEYS[1], 0, #ARGV[3] - 1) == ARGV[3] then redis.call('SETRANGE', KEYS[1], 0, ARGV[4]) end
redis.call('DEL', KEYS[2])
return redis.call('PUBLISH', ARGV[1], ARGV[2])`)
)

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
func (s *RedisStore) Void(ctx context.Context, scope string, known Mark, era string, p Purge, message []byte) (Mark, error) {
	args := []any{era, known.Era, known.Seq, s.channel(), message, accountTags}
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

// Purges implements Invalidator.
func (s *RedisStore) Purges(ctx context.Context, scope string, known Mark, era string) (Account, error) {
	reply, err := s.run(ctx, purgesScript, []string{s.account(scope)}, era, known.Era, known.Seq).Result()
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
		switch name {
		case "era":
			a.Era = value
			continue
		case "run":
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

func (s *RedisStore) account(scope string) string { return s.key(scope) + ":purges" }
