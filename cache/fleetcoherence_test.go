package cache_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vitrine/cache"
	"vitrine/e2e/component"
)

// replica is a cache with metrics and a client of its own.
type replica struct {
	*cache.Cache
	registry *prometheus.Registry
}

func newReplica(t *testing.T, server *component.RedisServer, o cache.Options) replica {
	t.Helper()
	return newReplicaOver(t, cache.Redis(patientClient(t, server.Addr), ""), o)
}

func newReplicaOver(t *testing.T, store cache.Store, o cache.Options) replica {
	t.Helper()
	r := replica{registry: prometheus.NewRegistry()}
	o.Registerer, o.Limits.StoreTimeout = r.registry, patient
	if o.TTL == 0 {
		o.TTL = time.Minute
	}
	r.Cache = newCache(t, store, o)
	return r
}

// lag is what cache_coherence_lag_seconds says: how many messages, and how long they took in all.
func (r replica) lag(t *testing.T) (messages uint64, took time.Duration) {
	t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "cache_coherence_lag_seconds" {
			h := family.GetMetric()[0].GetHistogram()
			return h.GetSampleCount(), time.Duration(h.GetSampleSum() * float64(time.Second))
		}
	}
	t.Fatal("no cache_coherence_lag_seconds")
	return 0, 0
}

// warm has the near tiers hold the version of "key" that there is. One that hears of it while it reads it, or is
// about to compare its account with that of Redis, asks again.
func warm(t *testing.T, v *version, all ...replica) {
	t.Helper()
	eventually(t, "all have the value", func() bool {
		near := true
		for _, r := range all {
			got, result, err := fetch(t, r.Cache, "key", v.load)
			if got != v.n.Load() || err != nil {
				t.Fatalf("%d, %v; want %d", got, err, v.n.Load())
			}
			near = near && result.Tier == cache.Near
		}
		return near
	})
}

// heard waits until all have the version that there is, and tells how long that took.
func heard(t *testing.T, v *version, all ...replica) (lag time.Duration) {
	t.Helper()
	return eventually(t, "all have the new value", func() bool {
		for _, r := range all {
			if got, err := cache.Fetch(t.Context(), r.Cache, "key", v.load); err != nil {
				t.Fatal(err)
			} else if got != v.n.Load() {
				return false
			}
		}
		return true
	})
}

// stay fails the test if one of them still has another version than there is, or has it again.
func stay(t *testing.T, v *version, all ...replica) {
	t.Helper()
	for range 20 {
		for i, r := range all {
			if got, result, err := fetch(t, r.Cache, "key", v.load); got != v.n.Load() || err != nil {
				t.Fatalf("replica %d: %d, %+v, %v; want %d", i, got, result, err, v.n.Load())
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestFleetCoherence: what one replica purges or replaces, the near tiers of the others do not serve.
func TestFleetCoherence(t *testing.T) {
	t.Parallel()
	server := component.Redis(t)
	for _, test := range []struct {
		desc, scope string
		mode        cache.Mode
		stale       time.Duration
	}{
		{"a key", "key", cache.Hard, 0},
		{"tags", "tags", cache.Hard, 0},
		{"all", "all", cache.Hard, 0},
		{"a key, softly", "key", cache.Soft, time.Minute},
		{"tags, softly", "tags", cache.Soft, time.Minute},
		{"all, softly", "all", cache.Soft, time.Minute},
		{"a key, softly, and nothing may be stale", "key", cache.Soft, 0},
		{"a new value", "", cache.Hard, 0},
	} {
		t.Run(test.desc, func(t *testing.T) {
			var v version
			v.n.Store(1)
			prefix, all := t.Name(), make([]replica, 3)
			for i := range all {
				o := cache.Options{Stale: cache.Staleness{WhileRevalidate: test.stale}}
				if test.scope == "" && i == 0 {
					o.Tuning.EarlyRefresh = 1e12 // it refreshes with every hit
				}
				all[i] = newReplicaOver(t, cache.Redis(patientClient(t, server.Addr), prefix), o)
			}
			one, others := all[0], all[1:]
			warm(t, &v, all...)
			before, tookBefore := others[0].lag(t)

			v.n.Store(2)
			if test.scope == "" {
				eventually(t, "hits have refreshed the value", func() bool {
					got, result, err := fetch(t, one.Cache, "key", v.load)
					if err != nil || result.Outcome != cache.Hit {
						t.Fatalf("%d, %+v, %v; want hits", got, result, err)
					}
					return got == 2
				})
			} else if err := purge(t.Context(), one.Cache, test.mode, test.scope); err != nil {
				t.Fatal(err)
			}
			old := func(r replica) bool {
				got, result, err := fetch(t, r.Cache, "key", v.load)
				if err != nil {
					t.Fatal(err)
				}
				return got == 1 && (test.stale == 0 || result.Outcome == cache.Hit)
			}
			if old(one) {
				t.Error("the replica that purges has the old value when the purge is done")
			}
			lag := eventually(t, "the others drop the old value", func() bool { return !slices.ContainsFunc(others, old) })
			heard(t, &v, all...)
			stay(t, &v, others...)
			n, took := others[0].lag(t)
			if n -= before; n == 0 {
				t.Fatal("cache_coherence_lag_seconds has counted nothing")
			}
			t.Logf("dropped %s later, looked for every 5ms; cache_coherence_lag_seconds: %d messages, %s on average",
				lag, n, (took-tookBefore)/time.Duration(n))
		})
	}
}

// TestFleetMissesMessages: what happened while no messages arrived is known once they do again.
func TestFleetMissesMessages(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		desc string
		do   func(t *testing.T, server *component.RedisServer, one replica)
	}{
		{"a key that nobody tells of", func(t *testing.T, server *component.RedisServer, _ replica) {
			client := redisClient(t, server.Addr)
			if n, err := client.Del(t.Context(), "{cache:v:key}").Result(); n != 1 || err != nil {
				t.Fatalf("%d keys, %v", n, err)
			}
			cut(t, server)
		}},
		{"tags that nobody tells of", func(t *testing.T, server *component.RedisServer, _ replica) {
			client := redisClient(t, server.Addr)
			seq, err := client.HIncrBy(t.Context(), "{cache}:purges", "seq", 1).Result()
			if err != nil {
				t.Fatal(err)
			}
			if err := client.HSet(t.Context(), "{cache}:purges", "t:tag", seq).Err(); err != nil {
				t.Fatal(err)
			}
			cut(t, server)
		}},
		{"a key", func(t *testing.T, server *component.RedisServer, one replica) { cutAnd(t, server, one, "key") }},
		{"tags", func(t *testing.T, server *component.RedisServer, one replica) { cutAnd(t, server, one, "tags") }},
		{"all", func(t *testing.T, server *component.RedisServer, one replica) { cutAnd(t, server, one, "all") }},
		{"Redis is restarted, empty", func(t *testing.T, server *component.RedisServer, _ replica) {
			server.Kill()
			server.Start()
		}},
		{"Redis is restarted, empty, after a purge", func(t *testing.T, server *component.RedisServer, one replica) {
			cutAnd(t, server, one, "tags")
			server.Kill()
			server.Start()
		}},
		{"Redis loses everything", func(t *testing.T, server *component.RedisServer, _ replica) {
			if err := redisClient(t, server.Addr).FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			cut(t, server)
		}},
	} {
		t.Run(test.desc, func(t *testing.T) {
			t.Parallel()
			server := component.Redis(t)
			var v version
			v.n.Store(1)
			one, two, three := newReplica(t, server, cache.Options{}), newReplica(t, server, cache.Options{}), newReplica(t, server, cache.Options{})
			warm(t, &v, one, two, three)
			v.n.Store(2)
			test.do(t, server, one)
			lag := heard(t, &v, one, two, three)
			t.Logf("known to all %s later", lag)
			stay(t, &v, one, two, three)
		})
	}
}

// cut ends all subscriptions. They are back soon.
func cut(t *testing.T, server *component.RedisServer) {
	t.Helper()
	if n, err := redisClient(t, server.Addr).ClientKillByFilter(t.Context(), "TYPE", "pubsub").Result(); n != 3 || err != nil {
		t.Fatalf("%d subscriptions, %v; want 3", n, err)
	}
}

// cutAnd has one purge while no messages arrive.
func cutAnd(t *testing.T, server *component.RedisServer, one replica, scope string) {
	t.Helper()
	cut(t, server)
	if err := purge(t.Context(), one.Cache, cache.Hard, scope); err != nil {
		t.Fatal(err)
	}
}

// deaf is a store whose messages are lost, and nobody knows.
type deaf struct{ *cache.RedisStore }

func (s deaf) Listen(ctx context.Context, l cache.Listener) (stop func()) {
	l.Message = func([]byte) {}
	return s.RedisStore.Listen(ctx, l)
}

// TestFleetDeaf: NearTTL bounds what a lost message costs.
func TestFleetDeaf(t *testing.T) {
	t.Parallel()
	const nearTTL = time.Second
	server := component.Redis(t)
	for _, scope := range scopes {
		t.Run(scope, func(t *testing.T) {
			t.Parallel()
			prefix := t.Name()
			one := newReplicaOver(t, cache.Redis(patientClient(t, server.Addr), prefix), cache.Options{})
			two := newReplicaOver(t, deaf{cache.Redis(patientClient(t, server.Addr), prefix)}, cache.Options{Tuning: cache.Tuning{NearTTL: nearTTL}})
			var v version
			v.n.Store(1)
			warm(t, &v, one, two)
			v.n.Store(2)
			if err := purge(t.Context(), one.Cache, cache.Hard, scope); err != nil {
				t.Fatal(err)
			}
			took := heard(t, &v, two)
			t.Logf("known to the other after %s, with a NearTTL of %s", took, nearTTL)
			if took > 5*nearTTL {
				t.Errorf("the old value was served for %s", took)
			}
			stay(t, &v, one, two)
		})
	}
}
