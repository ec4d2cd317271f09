package cache_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"vitrine/cache"
	"vitrine/cache/storetest"
	"vitrine/e2e/component"
)

// startCluster starts three masters that share the slots, and returns once each of them takes commands.
func startCluster(t *testing.T) (addrs []string) {
	t.Helper()
	const masters = 3
	nodes, buses := make([]redis.UniversalClient, masters), make([]string, masters)
	for i := range nodes {
		var addr string
		addr, buses[i] = clusterNode(t)
		addrs, nodes[i] = append(addrs, addr), redisClient(t, addr)
		if err := nodes[i].ClusterAddSlotsRange(t.Context(), i*16384/masters, (i+1)*16384/masters-1).Err(); err != nil {
			t.Fatal(err)
		}
		if err := nodes[i].Do(t.Context(), "cluster", "set-config-epoch", i+1).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for i, addr := range addrs[1:] {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		if err := nodes[0].Do(t.Context(), "cluster", "meet", host, port, buses[i+1]).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for i, node := range nodes {
		eventually(t, fmt.Sprintf("node %d finds that all is well", i), func() bool {
			info, err := node.ClusterInfo(t.Context()).Result()
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		})
	}
	return addrs
}

func clusterClient(t *testing.T, addrs []string) redis.UniversalClient {
	t.Helper()
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// TestRedisClusterStore: what a Store, a Leaser and an Invalidator promise holds where keys lie on three nodes.
func TestRedisClusterStore(t *testing.T) {
	t.Parallel()
	addrs := startCluster(t)
	storetest.Run(t, func(t *testing.T) cache.Store { return cache.Redis(clusterClient(t, addrs), t.Name()+":") }, time.Sleep)

	var all []replica
	for range 2 {
		all = append(all, newReplicaOver(t, cache.Redis(clusterClient(t, addrs), "test:"), cache.Options{}))
	}
	one, two := all[0], all[1]
	// Redis reads braces: these keys lie on all nodes, and would lie in other slots than their leases.
	for i := range 20 {
		for _, key := range []string{"key %d", "{%d}", "%d{}", "}%d{", "{}%d{a}b", `\{%d`} {
			key = fmt.Sprintf(key, i)
			var loads counter
			for _, step := range []struct {
				by   replica
				want cache.Outcome
				tier cache.Tier
			}{{one, cache.Miss, cache.None}, {one, cache.Hit, cache.Near}, {two, cache.Hit, cache.Far}} {
				if v, result, err := fetch(t, step.by.Cache, key, loads.load); v != 1 || err != nil || result.Outcome != step.want || result.Tier != step.tier {
					t.Fatalf("%q: %d, %+v, %v; want %+v", key, v, result, err, step)
				}
			}
			if err := two.PurgeKey(t.Context(), cache.Hard, "v:"+key); err != nil {
				t.Fatalf("%q: %v", key, err)
			}
			eventually(t, "a purge by key is heard of on another node", func() bool {
				v, err := cache.Fetch(t.Context(), one.Cache, key, loads.load)
				if err != nil {
					t.Fatalf("%q: %v", key, err)
				}
				return v == 2
			})
		}
	}
	var v version
	for _, mode := range []cache.Mode{cache.Hard, cache.Soft} {
		for _, scope := range scopes {
			v.n.Add(1)
			heard(t, &v, all...)
			warm(t, &v, all...)
			v.n.Add(1)
			if err := purge(t.Context(), one.Cache, mode, scope); err != nil {
				t.Fatalf("purge of %s: %v", scope, err)
			}
			lag := heard(t, &v, all...)
			stay(t, &v, all...)
			t.Logf("purge of %s, soft %t: heard of after %s", scope, mode == cache.Soft, lag)
			if err := purge(t.Context(), two.Cache, cache.Hard, "all"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestRedisClusterLease: one of two replicas loads, and the other is told at once.
func TestRedisClusterLease(t *testing.T) {
	t.Parallel()
	addrs := startCluster(t)
	one, two := newReplicaOver(t, cache.Redis(clusterClient(t, addrs), ""), cache.Options{}), newReplicaOver(t, cache.Redis(clusterClient(t, addrs), ""), cache.Options{})
	const takes = 300 * time.Millisecond
	var loads counter
	for i := range 6 { // on different nodes
		key := fmt.Sprint(i)
		before := loads.n.Load()
		slow := func(ctx context.Context) (int64, error) { time.Sleep(takes); return loads.load(ctx) }
		came := make(chan cache.Result, 2)
		start := time.Now()
		for _, r := range []replica{one, two} {
			go func() {
				v, result, err := fetchIn(t.Context(), t, r.Cache, key, slow)
				if v != before+1 || err != nil {
					t.Errorf("%d, %v; want %d", v, err, before+1)
				}
				came <- result
			}()
		}
		outcomes := map[cache.Outcome]int{}
		for range 2 {
			outcomes[(<-came).Outcome]++
		}
		if loads.n.Load() != before+1 || outcomes[cache.Miss] != 1 || outcomes[cache.Coalesced] != 1 {
			t.Errorf("%d loads, outcomes %v; want one load for both", loads.n.Load()-before, outcomes)
		}
		t.Logf("key %s: both had the value after %s of a load that takes %s", key, time.Since(start), takes)
	}
}

// TestRedisBehindSentinel: the cache goes on with the server that Sentinel names next, and its replicas hear each
// other there.
func TestRedisBehindSentinel(t *testing.T) {
	t.Parallel()
	first, second := component.Redis(t), component.Redis(t)
	config := filepath.Join(t.TempDir(), "sentinel.conf")
	if err := os.WriteFile(config, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel := component.Redis(t, config, "--sentinel").Addr
	do := func(args ...any) {
		t.Helper()
		if err := redisClient(t, sentinel).Do(t.Context(), args...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	monitor := func(s *component.RedisServer) {
		host, port, err := net.SplitHostPort(s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		do("sentinel", "monitor", "main", host, port, "1")
	}
	monitor(first)
	var all []replica
	for range 2 {
		client := redis.NewFailoverClient(&redis.FailoverOptions{
			MasterName: "main", SentinelAddrs: []string{sentinel}, ContextTimeoutEnabled: true, MaxRetries: -1, DialerRetries: 1,
			DialTimeout: 250 * time.Millisecond,
		})
		t.Cleanup(func() { _ = client.Close() })
		all = append(all, newReplicaOver(t, cache.Redis(client, ""), cache.Options{}))
	}
	var v version
	v.n.Store(1)
	warm(t, &v, all...)

	v.n.Store(2)
	do("sentinel", "remove", "main")
	monitor(second)
	first.Kill()
	n := 0
	took := eventually(t, "what one stores, the other hits, and both have the new value", func() bool {
		n++
		key := fmt.Sprint("after ", n)
		_, _, err := fetch(t, all[0].Cache, key, v.load)
		_, result, err2 := fetch(t, all[1].Cache, key, v.load)
		if err != nil || err2 != nil {
			t.Errorf("%v, %v", err, err2)
		}
		if result.Tier != cache.Far {
			return false
		}
		for _, r := range all {
			if got, err := cache.Fetch(t.Context(), r.Cache, "key", v.load); got != 2 || err != nil {
				return false
			}
		}
		return true
	})
	stay(t, &v, all...)
	v.n.Store(3)
	lag := eventually(t, "a purge is heard of", func() bool {
		if err := purge(t.Context(), all[0].Cache, cache.Hard, "tags"); err != nil {
			return false // the subscription is younger than the connections
		}
		got, err := cache.Fetch(t.Context(), all[1].Cache, "key", v.load)
		return got == 3 && err == nil
	})
	stay(t, &v, all...)
	t.Logf("far hits and the new value %s after the first server died; a purge was heard of after %s", took, lag)
}
