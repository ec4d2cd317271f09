package cache_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"vitrine/cache"
	"vitrine/cache/storetest"
	"vitrine/e2e/component"
)

// damaged is a store that keeps something else than it was given.
type damaged struct {
	storetest.Memory
	damage func([]byte) []byte
}

func (s *damaged) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration, message []byte) (bool, error) {
	return s.Memory.Fill(ctx, key, token, s.damage(bytes.Clone(value)), ttl, message)
}

func TestDamagedEntryIsAMiss(t *testing.T) {
	for _, test := range []struct {
		desc   string
		damage func([]byte) []byte
	}{
		{"empty", func([]byte) []byte { return nil }},
		{"cut short", func(b []byte) []byte { return b[:len(b)-1] }},
		{"cut in the header", func(b []byte) []byte { return b[:5] }},
		{"one bit", func(b []byte) []byte { b[len(b)-1] ^= 1; return b }},
		{"a later version", func(b []byte) []byte { b[0]++; return b }},
		{"another kind", func(b []byte) []byte { b[1] = 'x'; return b }},
		{"a longer life", func(b []byte) []byte { b[14] ^= 1; return b }},
	} {
		t.Run(test.desc, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			far := &damaged{damage: test.damage}
			c := newCache(t, far, cache.Options{TTL: time.Minute, Near: -1, Registerer: registry})
			var loads counter
			for want := range int64(2) {
				if v, result, err := fetch(t, c, "key", loads.load); v != want+1 || err != nil || result.Outcome != cache.Miss {
					t.Errorf("%d, %+v, %v; want a miss", v, result, err)
				}
			}
			if n := storeCalls(t, registry, "get", "corrupt"); n != 1 {
				t.Errorf("%d corrupt entries counted, want 1", n)
			}
		})
	}
}

// storeCalls counts the far tier's calls with a result.
func storeCalls(t *testing.T, g prometheus.Gatherer, op, result string) (n uint64) {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "cache_store_duration_seconds" {
			continue
		}
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if labels["op"] == op && labels["result"] == result {
				n += m.GetHistogram().GetSampleCount()
			}
		}
	}
	return n
}

// refused fails every call.
type refused struct{}

var errRefused = errors.New("refused")

func (refused) Get(context.Context, string) ([]byte, error)              { return nil, errRefused }
func (refused) Set(context.Context, string, []byte, time.Duration) error { return errRefused }
func (refused) Delete(context.Context, ...string) error                  { return errRefused }

func TestFailingFarTierCostsNoAnswer(t *testing.T) {
	var log bytes.Buffer
	registry := prometheus.NewRegistry()
	c := newCache(t, refused{}, cache.Options{
		TTL: time.Minute, Registerer: registry, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	var loads counter
	for _, want := range []cache.Outcome{cache.Miss, cache.Hit} {
		if v, result, err := fetch(t, c, "key", loads.load); v != 1 || err != nil || result.Outcome != want {
			t.Errorf("%d, %+v, %v; want %s", v, result, err, want)
		}
	}
	if get, set := storeCalls(t, registry, "get", "error"), storeCalls(t, registry, "set", "error"); get != 1 || set != 0 {
		t.Errorf("%d failed gets and %d failed sets counted, want 1 and none: one failure is all that a load pays for", get, set)
	}
	if n := strings.Count(log.String(), "going on without it"); n != 1 {
		t.Errorf("the outage was logged %d times, want once:\n%s", n, &log)
	}
}

func TestHungRedisCostsItsDeadline(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	registry := prometheus.NewRegistry()
	c := newCache(t, cache.Redis(redisClient(t, l.Addr().String()), ""), cache.Options{
		TTL: time.Minute, Near: -1, Limits: cache.Limits{StoreTimeout: 30 * time.Millisecond}, Registerer: registry,
	})
	var loads counter
	start := time.Now()
	if v, _, err := fetch(t, c, "key", loads.load); v != 1 || err != nil {
		t.Errorf("%d, %v", v, err)
	}
	// go-redis' own defaults would be 5 s a call; the bound is loose for slow machines.
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("the answer took %s", took)
	}
	if n := storeCalls(t, registry, "purges", "error"); n != 1 {
		t.Errorf("%d failed calls counted, want 1", n)
	}
}

func TestRedisThatDiesAndComesBack(t *testing.T) {
	server, registry := component.Redis(t), prometheus.NewRegistry()
	c := newCache(t, cache.Redis(redisClient(t, server.Addr), "test:"), cache.Options{TTL: time.Minute, Near: -1, Registerer: registry})
	ask := func(want cache.Outcome) {
		t.Helper()
		if _, result, err := fetch(t, c, "key", new(counter).load); err != nil || result.Outcome != want {
			t.Errorf("%+v, %v; want %s", result, err, want)
		}
	}
	ask(cache.Miss)
	ask(cache.Hit)
	server.Kill()
	ask(cache.Miss)
	server.Start()
	eventually(t, "it is in use again", func() bool { return breakerState(t, registry, "cache") == 0 })
	ask(cache.Miss)
	ask(cache.Hit)
}

func TestCachesShareARegistry(t *testing.T) {
	registry := prometheus.NewRegistry()
	for _, name := range []string{"one", "two"} {
		newCache(t, new(storetest.Memory), cache.Options{Name: name, TTL: time.Minute, Registerer: registry})
	}
	if _, err := cache.New(nil, cache.Options{Name: "one", Registerer: registry}); err == nil {
		t.Error("two caches of one name share their series")
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
	if n, err := testutil.GatherAndCount(registry, "cache_requests_total"); n != 24 || err != nil {
		t.Errorf("%d series of cache_requests_total stand from the start, %v; want 12 a cache", n, err)
	}
}

func TestCloseFreesTheRegistry(t *testing.T) {
	registry := prometheus.NewRegistry()
	for range 2 {
		c, err := cache.New(nil, cache.Options{Registerer: registry})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// explosive panics when it is decoded: another version of the program wrote it.
type explosive struct{}

func (explosive) MarshalJSON() ([]byte, error) { return []byte(`{}`), nil }
func (*explosive) UnmarshalJSON([]byte) error  { panic("boom") }

func TestPanicInTheFarTierIsAMiss(t *testing.T) {
	c := newCache(t, new(storetest.Memory), cache.Options{TTL: time.Minute, Near: -1})
	for range 2 {
		_, result, err := fetch(t, c, "key", func(context.Context) (explosive, error) { return explosive{}, nil })
		if err != nil || result.Outcome != cache.Miss || !result.Stored {
			t.Errorf("%+v, %v", result, err)
		}
	}
}

type panicking struct{ refused }

func (panicking) Get(context.Context, string) ([]byte, error)              { panic("boom") }
func (panicking) Set(context.Context, string, []byte, time.Duration) error { panic("boom") }

func TestPanicInTheStoreIsAMiss(t *testing.T) {
	c := newCache(t, panicking{}, cache.Options{TTL: time.Minute, Near: -1})
	if v, result, err := fetch(t, c, "key", new(counter).load); v != 1 || err != nil || result.Stored {
		t.Errorf("%d, %+v, %v; want an answer that is not said to be stored", v, result, err)
	}
}

func TestValueThatCannotBeEncodedIsReturned(t *testing.T) {
	c := newCache(t, nil, cache.Options{TTL: time.Minute})
	v, result, err := fetch(t, c, "key", func(context.Context) (float64, error) { return math.Inf(1), nil })
	if !math.IsInf(v, 1) || err != nil || result.Stored {
		t.Errorf("%v, %+v, %v", v, result, err)
	}
}
