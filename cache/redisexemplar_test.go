package cache_test

import (
	"reflect"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"vitrine/cache"
)

// Only a sampled call leaves an exemplar: another's trace is nowhere to be found.
func TestRedisExemplars(t *testing.T) {
	for _, test := range []struct {
		desc    string
		sampler sdktrace.Sampler
		want    bool
	}{
		{"sampled", sdktrace.AlwaysSample(), true},
		{"not sampled", sdktrace.NeverSample(), false},
		{"recorded only", recordOnly{}, false},
	} {
		t.Run(test.desc, func(t *testing.T) {
			client := redisClient(t, miniredis.RunT(t).Addr())
			registry, spans := prometheus.NewRegistry(), tracetest.NewSpanRecorder()
			tp := sdktrace.NewTracerProvider(sdktrace.WithSampler(test.sampler), sdktrace.WithSpanProcessor(spans))
			if err := cache.InstrumentRedis(client, cache.RedisOptions{TracerProvider: tp, Registerer: registry}); err != nil {
				t.Fatal(err)
			}
			ctx, _ := tp.Tracer("test").Start(t.Context(), "parent")
			if err := client.Set(ctx, "key", "value", 0).Err(); err != nil {
				t.Fatal(err)
			}
			want := map[string]string{}
			for _, s := range spans.Ended() {
				if s.Name() == "SET" && test.want {
					want = map[string]string{"trace_id": s.SpanContext().TraceID().String(), "span_id": s.SpanContext().SpanID().String()}
				}
			}
			if len(want) == 0 && test.want {
				t.Fatal("no span")
			}
			got := map[string]string{}
			for _, h := range histograms(t, registry, operationDuration) {
				if h.labels["db_operation_name"] != "SET" || h.labels["error_type"] != "" {
					continue
				}
				if h.GetSampleCount() != 1 {
					t.Errorf("%d calls", h.GetSampleCount())
				}
				for _, b := range h.GetBucket() {
					for _, l := range b.GetExemplar().GetLabel() {
						got[l.GetName()] = l.GetValue()
					}
				}
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("exemplar %v, want %v", got, want)
			}
		})
	}
}

// recordOnly makes spans that are recording and not sampled, as a processor of the process' own may want.
type recordOnly struct{}

func (recordOnly) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	return sdktrace.SamplingResult{Decision: sdktrace.RecordOnly, Tracestate: trace.SpanContextFromContext(p.ParentContext).TraceState()}
}
func (recordOnly) Description() string { return "recordOnly" }
