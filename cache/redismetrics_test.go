package cache_test

import (
	"context"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/redis/go-redis/v9"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"vitrine/cache"
)

// measured makes a client tell a registry.
func measured(t testing.TB, client redis.UniversalClient) *prometheus.Registry {
	t.Helper()
	registry := prometheus.NewRegistry()
	if err := cache.InstrumentRedis(client, cache.RedisOptions{Registerer: registry}); err != nil {
		t.Fatal(err)
	}
	return registry
}

const operationDuration = "db_client_operation_duration_seconds"

// histogram is one series of a family.
type histogram struct {
	labels map[string]string
	*dto.Histogram
}

func histograms(t testing.TB, g prometheus.Gatherer, name string) (series []histogram) {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			h := histogram{map[string]string{}, m.GetHistogram()}
			for _, l := range m.GetLabel() {
				h.labels[l.GetName()] = l.GetValue()
			}
			series = append(series, h)
		}
	}
	return series
}

// operations counts the calls of each series, by name and error.
func operations(t testing.TB, g prometheus.Gatherer) map[string]uint64 {
	t.Helper()
	calls := map[string]uint64{}
	for _, h := range histograms(t, g, operationDuration) {
		calls[strings.TrimSpace(h.labels["db_operation_name"]+" "+h.labels["error_type"])] = h.GetSampleCount()
	}
	return calls
}

func TestRedisMetrics(t *testing.T) {
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), DB: 2, PoolSize: 7, Protocol: 2, DisableIdentity: true})
	defer client.Close()
	registry := measured(t, client)

	start := map[string]uint64{}
	for _, operation := range []string{"GET", "MGET", "EVALSHA", "SET", "UNLINK", "PIPELINE UNLINK"} {
		start[operation], start[operation+" timeout"], start[operation+" connection_error"] = 0, 0, 0
	}
	if got := operations(t, registry); !reflect.DeepEqual(got, start) {
		t.Errorf("from the start %v, want %v", got, start)
	}

	ctx := t.Context()
	client.Set(ctx, "key", "value", 0)
	client.Get(ctx, "key")
	client.Get(ctx, "another key")
	client.LPush(ctx, "key", "value")
	client.Ping(ctx)
	for range 2 {
		server.SetError("MADEUP of a key")
		client.Get(ctx, "key")
		server.SetError("LOADING")
		client.Get(ctx, "key")
		server.SetError("")
	}
	if err := (cache.Redis(client, "").Delete(ctx, "a", "b")); err != nil {
		t.Error(err)
	}
	want := start
	for operation, calls := range map[string]uint64{
		"SET": 1, "GET": 2, "LPUSH WRONGTYPE": 1, "PING": 1, "GET _OTHER": 2, "GET LOADING": 2, "PIPELINE UNLINK": 1,
		"HELLO": 2, "SELECT": 2, // of a connection for commands, and one for pipelines
	} {
		want[operation] = calls
	}
	if got := operations(t, registry); !reflect.DeepEqual(got, want) {
		t.Errorf("calls\n%v, want\n%v", got, want)
	}
	for _, h := range histograms(t, registry, operationDuration) {
		if h.labels["db_system_name"] != "redis" || h.labels["db_namespace"] != "2" || len(h.labels) != 4 {
			t.Errorf("labels %v", h.labels)
		}
		if sum := h.GetSampleSum(); sum < 0 || sum > 60 || h.Schema == nil || len(h.GetBucket()) != 11 {
			t.Errorf("%v: %v; want seconds, in native and classic buckets", h.labels, h.Histogram)
		}
	}
	if h := histograms(t, registry, "db_client_connection_create_time_seconds"); len(h) != 1 || h[0].GetSampleCount() != 2 {
		t.Errorf("%v connections made, want 2", h)
	}

	conn := client.Conn()
	defer conn.Close()
	if err := conn.Ping(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP db_client_connection_count Open connections by state (idle, used).
# TYPE db_client_connection_count gauge
db_client_connection_count{db_client_connection_pool_name="main",db_client_connection_state="idle"} 0
db_client_connection_count{db_client_connection_pool_name="main",db_client_connection_state="used"} 1
db_client_connection_count{db_client_connection_pool_name="pipeline",db_client_connection_state="idle"} 1
db_client_connection_count{db_client_connection_pool_name="pipeline",db_client_connection_state="used"} 0
# HELP db_client_connection_max Connections that may be in use at a time.
# TYPE db_client_connection_max gauge
db_client_connection_max{db_client_connection_pool_name="main"} 7
db_client_connection_max{db_client_connection_pool_name="pipeline"} 10
# HELP db_client_connection_pending_requests Requests that wait for a connection.
# TYPE db_client_connection_pending_requests gauge
db_client_connection_pending_requests{db_client_connection_pool_name="main"} 0
db_client_connection_pending_requests{db_client_connection_pool_name="pipeline"} 0
# HELP db_client_connection_timeouts_total Requests that waited for a connection in vain.
# TYPE db_client_connection_timeouts_total counter
db_client_connection_timeouts_total{db_client_connection_pool_name="main"} 0
db_client_connection_timeouts_total{db_client_connection_pool_name="pipeline"} 0
`), "db_client_connection_count", "db_client_connection_max", "db_client_connection_pending_requests", "db_client_connection_timeouts_total")
	if err != nil {
		t.Error(err)
	}
	problems, err := testutil.GatherAndLint(registry)
	// OpenTelemetry's name, which Prometheus would keep for histograms.
	problems = slices.DeleteFunc(problems, func(p promlint.Problem) bool { return p.Metric == "db_client_connection_count" })
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

// sample is the value of the one series whose line begins so.
func sample(t testing.TB, g prometheus.Gatherer, name, pool string) (v float64) {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == name && m.GetLabel()[0].GetValue() == pool {
				v += m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return v
}

// exhausted is a client one request of which found no connection.
func exhausted(t *testing.T, addr string, registry *prometheus.Registry) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: addr, PoolSize: 1, PoolTimeout: time.Millisecond, MaxRetries: -1})
	if err := cache.InstrumentRedis(client, cache.RedisOptions{Registerer: registry}); err != nil {
		t.Fatal(err)
	}
	conn := client.Conn()
	defer conn.Close()
	if err := conn.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if err := client.Get(t.Context(), "key").Err(); err != redis.ErrPoolTimeout {
		t.Fatalf("%v, want %v", err, redis.ErrPoolTimeout)
	}
	return client
}

// All clients of a registry are counted together, and a counter does not fall when one of them is gone: a
// cluster's client lets go of nodes as they leave.
func TestRedisMetricsOfManyClients(t *testing.T) {
	addr := miniredis.RunT(t).Addr()
	registry := prometheus.NewRegistry()
	stays := exhausted(t, addr, registry)
	defer stays.Close()
	leaves := exhausted(t, addr, registry)
	if n := sample(t, registry, "db_client_connection_timeouts_total", "main"); n != 2 {
		t.Errorf("%v timeouts, want 2", n)
	}
	if err := leaves.Close(); err != nil { // from here on nobody has it
		t.Error(err)
	}
	for deadline := time.Now().Add(20 * time.Second); sample(t, registry, "db_client_connection_max", "main") > 1; runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatal("the metrics keep a client that nobody else has")
		}
	}
	if n := sample(t, registry, "db_client_connection_timeouts_total", "main"); n != 2 {
		t.Errorf("%v timeouts after one client has gone, want 2", n)
	}
	if n := operations(t, registry)["GET pool_timeout"]; n != 2 {
		t.Errorf("%v calls that found no connection, want 2", n)
	}
	runtime.KeepAlive(stays)
}

// A scrape must not wait for a cluster that is not there.
func TestRedisMetricsLookForNoCluster(t *testing.T) {
	client := redis.NewClusterClient(&redis.ClusterOptions{
		ClusterSlots: func(context.Context) ([]redis.ClusterSlot, error) {
			t.Error("a scrape looks for the cluster")
			return nil, nil
		},
	})
	defer client.Close()
	registry := measured(t, client)
	if n := sample(t, registry, "db_client_connection_max", "main"); n != 0 {
		t.Errorf("%v connections of no node", n)
	}
}

func TestRedisMetricsOfAClusterAddUp(t *testing.T) {
	client := redis.NewClusterClient(&redis.ClusterOptions{
		PoolSize: 3,
		ClusterSlots: func(context.Context) ([]redis.ClusterSlot, error) {
			return []redis.ClusterSlot{
				{Start: 0, End: 8191, Nodes: []redis.ClusterNode{{Addr: byName(t, "127.0.0.1:1")}}},
				{Start: 8192, End: 16383, Nodes: []redis.ClusterNode{{Addr: byName(t, miniredis.RunT(t).Addr())}}},
			}, nil
		},
	})
	defer client.Close()
	registry := measured(t, client)
	if err := client.Set(t.Context(), "{a}", "value", 0).Err(); err != nil {
		t.Error(err)
	}
	if n := sample(t, registry, "db_client_connection_max", "main"); n != 6 {
		t.Errorf("%v connections, want those of two nodes", n)
	}
	if n := sample(t, registry, "db_client_connection_count", "main"); n != 1 {
		t.Errorf("%v connections open, want one", n)
	}
	if n := operations(t, registry)["SET"]; n != 1 {
		t.Errorf("%d calls", n)
	}
}

func TestInstrumentRedisLeavesNothingBehind(t *testing.T) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "db_client_connection_max", Help: "Another's."}))
	client := redisClient(t, miniredis.RunT(t).Addr())
	spans := tracetest.NewSpanRecorder()
	tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	err := cache.InstrumentRedis(client, cache.RedisOptions{TracerProvider: tp, Registerer: registry})
	if err == nil || !strings.HasPrefix(err.Error(), "cache: metrics of Redis: ") {
		t.Errorf("%v, want an error of the metrics", err)
	}
	ctx, _ := tp.Tracer("test").Start(t.Context(), "parent")
	if err := client.Ping(ctx).Err(); err != nil {
		t.Error(err)
	}
	if n := len(spans.Ended()); n != 0 {
		t.Errorf("%d spans of a client that is not instrumented", n)
	}
	families, err := registry.Gather()
	if err != nil || len(families) != 1 {
		t.Errorf("%d families, %v; want the other's alone", len(families), err)
	}
}
