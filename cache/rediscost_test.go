package cache_test

import (
	"context"
	"fmt"
	"reflect"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"vitrine/cache"
)

// answers is a hook within the client's others that answers in Redis' place.
type answers struct{}

func (answers) DialHook(next redis.DialHook) redis.DialHook { return next }
func (answers) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "get" {
			return redis.Nil
		}
		return nil
	}
}
func (answers) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(context.Context, []redis.Cmder) error { return nil }
}

// instrumentations are ways to have a client, for what each costs.
func instrumentations(t testing.TB) map[string]*redis.Client {
	tp := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.NeverSample())))
	clients := map[string]*redis.Client{}
	for name, o := range map[string]cache.RedisOptions{
		"bare": {}, "traced": {TracerProvider: tp}, "traced and measured": {TracerProvider: tp, Registerer: prometheus.NewRegistry()},
	} {
		client := redis.NewClient(&redis.Options{})
		t.Cleanup(func() { _ = client.Close() })
		if name != "bare" {
			if err := cache.InstrumentRedis(client, o); err != nil {
				t.Fatal(err)
			}
		}
		client.AddHook(answers{})
		clients[name] = client
	}
	return clients
}

func TestUnsampledRedisAllocates(t *testing.T) {
	ctx := unsampled(t)
	allocations := func(client *redis.Client) map[string]float64 {
		calls := map[string]func(){
			"command": func() { client.Ping(ctx) },
			"miss":    func() { client.Get(ctx, "key") },
			"pipeline": func() {
				p := client.Pipeline()
				p.Unlink(ctx, "key")
				p.Unlink(ctx, "key")
				_, _ = p.Exec(ctx)
			},
		}
		allocated := map[string]float64{}
		for name, call := range calls {
			allocated[name] = testing.AllocsPerRun(1000, call)
		}
		return allocated
	}
	clients := instrumentations(t)
	bare := allocations(clients["bare"])
	if bare["command"]*bare["miss"]*bare["pipeline"] == 0 {
		t.Fatalf("%v: nothing is measured", bare)
	}
	for name, client := range clients {
		if got := allocations(client); !reflect.DeepEqual(got, bare) {
			t.Errorf("%s: %v allocations, and bare %v", name, got, bare)
		}
	}
}

// What instrumentation adds to a command that costs nothing else.
func BenchmarkRedisInstrumentation(b *testing.B) {
	sampled := sdktrace.NewTracerProvider()
	ctx, _ := sampled.Tracer("test").Start(b.Context(), "parent")
	for name, client := range instrumentations(b) {
		for parent, ctx := range map[string]context.Context{"unsampled": unsampled(b), "sampled": ctx} {
			b.Run(fmt.Sprintf("%s/%s", name, parent), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					client.Get(ctx, "key")
				}
			})
		}
	}
}
