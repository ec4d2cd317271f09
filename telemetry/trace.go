package telemetry

import (
	"context"
	"errors"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/trace/noop"
)

// startTraces sets TracerProvider and shutdown. Sampler, limits and batching are the SDK's own reading of
// OTEL_TRACES_SAMPLER, OTEL_SPAN_* and OTEL_BSP_*.
func (t *Telemetry) startTraces(ctx context.Context, o Options) error {
	t.shutdown = func(context.Context) error { return nil }
	if disabled, _ := strconv.ParseBool(os.Getenv("OTEL_SDK_DISABLED")); disabled {
		t.TracerProvider = noop.NewTracerProvider()
		return nil
	}
	t.reportErrors()

	attrs := []attribute.KeyValue{semconv.ServiceInstanceID(t.Instance)}
	if o.Service != "" {
		attrs = append(attrs, semconv.ServiceName(o.Service))
	}
	if o.Version != "" {
		attrs = append(attrs, semconv.ServiceVersion(o.Version))
	}
	// What the environment says comes last and so wins.
	res, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(attrs...), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return err
	}
	options := []sdktrace.TracerProviderOption{
		sdktrace.WithResource(res),
		sdktrace.WithSpanProcessor(t.tracez),
	}
	if exporting() {
		exporter, err := autoexport.NewSpanExporter(ctx)
		if err != nil {
			return err
		}
		counts := newSpanCounts(t.Registry)
		options = append(options,
			sdktrace.WithSpanProcessor(countingProcessor{
				sdktrace.NewBatchSpanProcessor(countingExporter{exporter, counts}), counts,
			}))
	}
	provider := sdktrace.NewTracerProvider(options...)
	t.TracerProvider, t.shutdown = provider, provider.Shutdown
	return nil
}

// exporting tells whether spans are to leave the process. OpenTelemetry's default is an OTLP endpoint on
// localhost; a program that is started without any configuration has none, so it takes one to be named.
func exporting() bool {
	for _, name := range []string{
		"OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT",
	} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

// reportErrors sends the SDK's own errors to the log. OpenTelemetry has no other way than its global
// handler. An endpoint that is down fails with every batch: the same error is written once a minute.
func (t *Telemetry) reportErrors() {
	const every = time.Minute
	var mu sync.Mutex
	var last string
	var at time.Time
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if err.Error() == last && time.Since(at) < every {
			return
		}
		last, at = err.Error(), time.Now()
		t.Logger.Warn("opentelemetry", "error", err)
	}))
}

// spanCounts answer "can I believe what I see?": what ended and was not exported was dropped.
type spanCounts struct {
	ended, exported, failed prometheus.Counter
}

func newSpanCounts(r prometheus.Registerer) spanCounts {
	ended := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "otel_sdk_span_ended_total",
		Help: "Sampled spans that ended and were handed to the export queue.",
	})
	exported := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "otel_sdk_exporter_span_exported_total",
		Help: "Spans that the exporter sent (ok) or gave up on (error).",
	}, []string{"result"})
	r.MustRegister(ended, exported)
	return spanCounts{ended, exported.WithLabelValues("ok"), exported.WithLabelValues("error")}
}

type countingProcessor struct {
	sdktrace.SpanProcessor
	counts spanCounts
}

func (p countingProcessor) OnEnd(s sdktrace.ReadOnlySpan) {
	if s.SpanContext().IsSampled() {
		p.counts.ended.Inc()
	}
	p.SpanProcessor.OnEnd(s)
}

type countingExporter struct {
	sdktrace.SpanExporter
	counts spanCounts
}

func (e countingExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	if err != nil {
		e.counts.failed.Add(float64(len(spans)))
	} else {
		e.counts.exported.Add(float64(len(spans)))
	}
	return err
}
