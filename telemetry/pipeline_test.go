package telemetry_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"vitrine/telemetry"
	"vitrine/telemetry/telemetrytest"
)

// account is where the spans that ended are, by the metrics.
type account struct {
	refused, late, pending, capacity float64
	exported                         map[string]float64 // by error_type
	operations                       map[string]uint64  // likewise
}

func (a account) failed() (n float64) {
	for kind, spans := range a.exported {
		if kind != "" {
			n += spans
		}
	}
	return n
}

func (a account) ended() float64 {
	return a.refused + a.late + a.pending + a.exported[""] + a.failed()
}

// atRest is the account once nothing is pending. It is taken anew then: a gathering is no single moment.
func atRest(t *testing.T, g prometheus.Gatherer) account {
	t.Helper()
	eventually(t, "the end of the exports", func() bool {
		a, _ := accountOf(t, g)
		return a.pending == 0
	})
	a, _ := accountOf(t, g)
	return a
}

// accountOf reads the metrics, if there is a pipeline.
func accountOf(t *testing.T, g prometheus.Gatherer) (a account, there bool) {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	a = account{exported: map[string]float64{}, operations: map[string]uint64{}}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			var kind string
			for _, l := range m.GetLabel() {
				kind = l.GetValue()
			}
			switch family.GetName() {
			case "otel_sdk_processor_span_queue_size":
				a.pending, there = m.GetGauge().GetValue(), true
			case "otel_sdk_processor_span_queue_capacity":
				a.capacity = m.GetGauge().GetValue()
			case "otel_sdk_processor_span_processed_total":
				switch kind {
				case "queue_full":
					a.refused = m.GetCounter().GetValue()
				case "already_shutdown":
					a.late = m.GetCounter().GetValue()
				}
			case "otel_sdk_exporter_span_exported_total":
				a.exported[kind] = m.GetCounter().GetValue()
			case "otel_sdk_exporter_operation_duration_seconds":
				a.operations[kind] = m.GetHistogram().GetSampleCount()
			}
		}
	}
	return a, there
}

// eventually waits for what must come; only a failure takes the whole time.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s never came", what)
		}
	}
}

// TestPipelineMetricsFromTheStart: every series is there before the first span, and at 0.
func TestPipelineMetricsFromTheStart(t *testing.T) {
	tel, _ := setup(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": nowhere, "OTEL_BSP_MAX_QUEUE_SIZE": "77"}, telemetry.Options{})
	a, there := accountOf(t, tel.Registry)
	if !there || a.ended() != 0 || a.capacity != 77 {
		t.Errorf("%+v; want nothing yet, of 77", a)
	}
	for _, kind := range []string{"", "timeout", "rejected", "_OTHER"} {
		if _, ok := a.exported[kind]; !ok {
			t.Errorf("no exported spans of error_type %q", kind)
		}
		if _, ok := a.operations[kind]; !ok {
			t.Errorf("no operations of error_type %q", kind)
		}
	}
	for _, kind := range []string{"", "queue_full", "already_shutdown"} {
		if m := metric(t, tel.Registry, "otel_sdk_processor_span_processed_total", map[string]string{"error_type": kind}); m == nil {
			t.Errorf("no processed spans of error_type %q", kind)
		}
	}
}

// TestShutdownHasNoTime: what a shutdown does not wait for is given up on, counted and logged.
func TestShutdownHasNoTime(t *testing.T) {
	receiver := telemetrytest.NewCollector(t)
	receiver.Answer(http.HandlerFunc(hang))
	tel, logs := setup(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.URL}, telemetry.Options{})
	end(tel, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tel.Shutdown(ctx); err == nil {
		t.Error("want an error")
	}
	if line := logs.Record(t, "spans not exported at shutdown"); fmt.Sprint(line["spans"]) == "0" {
		t.Errorf("the log says %v", line)
	}
	a := atRest(t, tel.Registry)
	if a.failed() != 1000 || a.ended() != 1000 {
		t.Errorf("%+v; want 1000 given up on", a)
	}
}

// BenchmarkSpan is what a span costs him who ends it: one that is not sampled, one for the page of traces
// alone, and one that is also queued, exported or refused.
func BenchmarkSpan(b *testing.B) {
	for _, bench := range []struct {
		desc string
		env  map[string]string
	}{
		{"disabled", map[string]string{"OTEL_SDK_DISABLED": "true"}},
		{"not sampled", map[string]string{"OTEL_TRACES_SAMPLER": "always_off"}},
		{"tracez", nil},
		{"exported", map[string]string{"OTEL_BSP_MAX_QUEUE_SIZE": "1000000"}},
		{"refused", map[string]string{"OTEL_BSP_MAX_QUEUE_SIZE": "1"}},
	} {
		b.Run(bench.desc, func(b *testing.B) {
			clearEnv(b, bench.env)
			if bench.desc == "exported" || bench.desc == "refused" {
				receiver := telemetrytest.NewCollector(b)
				receiver.Answer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
				b.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.URL)
			}
			tel, err := telemetry.Setup(b.Context(), telemetry.Options{Logs: new(telemetrytest.Log)})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = tel.Shutdown(context.Background()) }()
			tracer := tel.TracerProvider.Tracer("test")
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_, span := tracer.Start(context.Background(), "span", trace.WithSpanKind(trace.SpanKindServer))
					span.End()
				}
			})
		})
	}
}
