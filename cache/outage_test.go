package cache_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vitrine/cache"
	"vitrine/e2e/component"
)

// breakerState is the gauge of whether the far tier is left out.
func breakerState(t testing.TB, g prometheus.Gatherer, name string) float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if family.GetName() == "cache_breaker_state" && l.GetName() == "cache" && l.GetValue() == name {
					return m.GetGauge().GetValue()
				}
			}
		}
	}
	t.Fatalf("no cache_breaker_state of %q", name)
	return 0
}

// scopes are what may be purged, and a cache each, so that the purge of all of one spares the others.
var scopes = []string{"key", "tags", "all"}

func purge(ctx context.Context, c *cache.Cache, mode cache.Mode, scope string) error {
	switch scope {
	case "key":
		return c.PurgeKey(ctx, mode, "v:key")
	case "tags":
		return c.PurgeTags(ctx, mode, "tag")
	}
	return c.PurgeAll(ctx, mode)
}

// outageReplica has a cache for each scope, over a gate of its own.
type outageReplica struct {
	gate     *gate
	store    *watched
	registry *prometheus.Registry
	caches   map[string]*cache.Cache
}

const outageTimeout = 250 * time.Millisecond

func newOutageReplica(t *testing.T, server *component.RedisServer) *outageReplica {
	t.Helper()
	r := &outageReplica{gate: newGate(t, server.Addr), registry: prometheus.NewRegistry(), caches: map[string]*cache.Cache{}}
	r.store = &watched{RedisStore: cache.Redis(redisClient(t, r.gate.addr), "")}
	for _, scope := range scopes {
		r.caches[scope] = newCache(t, r.store, cache.Options{
			Name: scope, TTL: time.Minute, Registerer: r.registry, Limits: cache.Limits{StoreTimeout: outageTimeout},
		})
	}
	return r
}

func (r *outageReplica) usable(t *testing.T) bool {
	return !slices.ContainsFunc(scopes, func(scope string) bool { return breakerState(t, r.registry, scope) != 0 })
}

// version is what loads bring, and changes when what they read does.
type version struct{ n atomic.Int64 }

func (v *version) load(ctx context.Context) (int64, error) {
	cache.AddTags(ctx, "tag")
	return v.n.Load(), nil
}

// p99 asks for what the near tier has. It may ask the far tier once, when it compares its account for the first time.
func p99(t *testing.T, c *cache.Cache, v *version) time.Duration {
	t.Helper()
	took, others := make([]time.Duration, 2000), 0
	for i := range took {
		ctx, recorder := cache.WithRecorder(watch(t.Context()))
		start := time.Now()
		_, err := cache.Fetch(ctx, c, "key", v.load)
		took[i] = time.Since(start)
		if result, _ := recorder.Result(); err != nil {
			t.Fatal(err)
		} else if result.Outcome != cache.Hit || result.Tier != cache.Near {
			others++
		}
	}
	if others > 1 {
		t.Errorf("%d answers from elsewhere than the near tier", others)
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}

// TestOutage: of two replicas one is cut off from Redis, or both are. A miss pays once, then none does, hits
// pay nothing; nobody gets an error, and purges made meanwhile hold for both.
func TestOutage(t *testing.T) {
	t.Parallel()
	gates := func(mode passage, replicas int) func(*component.RedisServer, []*outageReplica) {
		return func(_ *component.RedisServer, all []*outageReplica) {
			for _, r := range all[:replicas] {
				r.gate.let(mode)
			}
		}
	}
	for _, test := range []struct {
		desc       string
		begin, end func(*component.RedisServer, []*outageReplica)
	}{
		{"Redis hangs", func(s *component.RedisServer, _ []*outageReplica) { s.Freeze() },
			func(s *component.RedisServer, _ []*outageReplica) { s.Thaw() }},
		{"Redis is restarted, empty", func(s *component.RedisServer, _ []*outageReplica) { s.Kill() },
			func(s *component.RedisServer, _ []*outageReplica) { s.Start() }},
		{"Redis takes two seconds", gates(slowly, 2), gates(open, 2)},
		{"connections hang", gates(hung, 1), gates(open, 1)},
		{"connections are refused", gates(shut, 1), gates(open, 1)},
		{"answers take two seconds", gates(slowly, 1), gates(open, 1)},
		{"connections of both hang", gates(hung, 2), gates(open, 2)},
		{"connections of both are refused", gates(shut, 2), gates(open, 2)},
	} {
		t.Run(test.desc, func(t *testing.T) {
			t.Parallel()
			server := component.Redis(t)
			both := []*outageReplica{newOutageReplica(t, server), newOutageReplica(t, server)}
			one, two := both[0], both[1]
			var v version
			v.n.Store(1)
			for _, r := range both {
				for _, scope := range scopes {
					if got, _, err := fetch(t, r.caches[scope], "key", v.load); got != 1 || err != nil {
						t.Fatalf("%d, %v", got, err)
					}
				}
			}
			c := one.caches["key"]
			healthy := p99(t, c, &v)

			test.begin(server, both)
			missed := func(key string) (took time.Duration) {
				t.Helper()
				start := time.Now()
				if _, result, err := fetchIn(watch(t.Context()), t, c, key, new(counter).load); err != nil || result.Outcome != cache.Miss {
					t.Errorf("%s: %+v, %v; want a miss", key, result, err)
				}
				return time.Since(start)
			}
			failed := one.store.failed.Load()
			first := missed("isolated")
			failed = one.store.failed.Load() - failed
			if closed := breakerState(t, one.registry, "key") == 0; failed > 1 || closed && failed != 1 {
				t.Errorf("a miss has made %d calls in vain, want 1", failed)
			}
			n := 0
			until := eventually(t, "the breaker opens", func() bool {
				n++
				missed("many " + strconv.Itoa(n))
				return breakerState(t, one.registry, "key") == 1
			})
			calls := one.store.calls.Load()
			var worst time.Duration
			for i := range 100 {
				worst = max(worst, missed("left out "+strconv.Itoa(i)))
			}
			during := p99(t, c, &v)
			if more := one.store.calls.Load() - calls; more != 0 {
				t.Errorf("%d calls of a store that is left out", more)
			}
			t.Logf("the first miss took %s and made %d call in vain, of at most %s; open %s and %d misses later; then 100 misses took at most %s each",
				first, failed, outageTimeout, until, n, worst)
			t.Logf("p99 of hits in the near tier: %s before, %s meanwhile", healthy, during)

			v.n.Store(2)
			for _, scope := range scopes {
				if err := purge(t.Context(), one.caches[scope], cache.Hard, scope); !errors.Is(err, cache.ErrUnsent) {
					t.Errorf("purge of %s: %v, want ErrUnsent", scope, err)
				}
				if got, _, err := fetch(t, one.caches[scope], "key", v.load); got != 2 || err != nil {
					t.Errorf("after a purge of %s: %d, %v", scope, got, err)
				}
			}

			test.end(server, both)
			recovered := eventually(t, "the far tier is in use again", func() bool { return one.usable(t) && two.usable(t) })
			if recovered > 5*time.Second {
				t.Errorf("the far tier was left out for %s after it was back, want at most 5s", recovered)
			}
			again := eventually(t, "what one stores, the other hits", func() bool {
				n++
				key := strconv.Itoa(n)
				_, _, err := fetch(t, c, key, v.load)
				_, result, err2 := fetch(t, two.caches["key"], key, v.load)
				if err != nil || err2 != nil {
					t.Errorf("%v, %v", err, err2)
				}
				return result.Outcome == cache.Hit && result.Tier == cache.Far
			})
			all := func() bool {
				for _, r := range both {
					for _, scope := range scopes {
						if got, _, err := fetch(t, r.caches[scope], "key", v.load); err != nil {
							t.Error(err)
						} else if got != 2 {
							return false
						}
					}
				}
				return true
			}
			honoured := eventually(t, "no replica has what was purged", all)
			for range 100 {
				if !all() {
					t.Fatal("what was purged is back")
				}
				time.Sleep(5 * time.Millisecond)
			}
			t.Logf("in use %s after the end, far hits %s later, purges honoured by both %s later", recovered, again, honoured)
		})
	}
}
