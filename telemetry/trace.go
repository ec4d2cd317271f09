package telemetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace/noop"
)

// startTraces sets TracerProvider and shutdown. Sampler, limits and batching are the SDK's own reading of
// OTEL_TRACES_SAMPLER, OTEL_SPAN_* and OTEL_BSP_*.
func (t *Telemetry) startTraces(ctx context.Context, o Options) error {
	t.shutdown = func(context.Context) error { return nil }
	// The specification: only "true", in any case, is true.
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		t.TracerProvider = noop.NewTracerProvider()
		return nil
	}
	attrs := []attribute.KeyValue{semconv.ServiceInstanceID(t.Instance)}
	if o.Service != "" {
		attrs = append(attrs, semconv.ServiceName(o.Service))
	}
	if o.Version != "" {
		attrs = append(attrs, semconv.ServiceVersion(o.Version))
	}
	// What the environment says comes last and so wins.
	res, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(attrs...), resource.WithFromEnv())
	if errors.Is(err, resource.ErrPartialResource) {
		t.Logger.Warn("opentelemetry: OTEL_RESOURCE_ATTRIBUTES is not all name=value pairs", "error", err)
	} else if err != nil {
		return err
	}
	options := []sdktrace.TracerProviderOption{
		sdktrace.WithResource(res),
		sdktrace.WithSpanProcessor(t.tracez),
	}
	if exporting() {
		exporter, err := newExporter(ctx)
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
	switch os.Getenv("OTEL_TRACES_EXPORTER") {
	case "none":
		return false
	case "":
		return slices.ContainsFunc(endpoints, func(name string) bool { return os.Getenv(name) != "" })
	}
	return true
}

var endpoints = []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"}

func newExporter(ctx context.Context) (sdktrace.SpanExporter, error) {
	// The exporter itself would go on with its default. The value may hold a password, so it is not shown.
	for _, name := range endpoints {
		u, err := url.Parse(os.Getenv(name))
		if err != nil || *u != (url.URL{}) && u.Host == "" && u.Scheme != "unix" {
			return nil, fmt.Errorf("%s: must be a URL such as http://localhost:4318", name)
		}
	}
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		protocol := cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL"))
		return nil, fmt.Errorf("OTEL_TRACES_EXPORTER=%q (otlp, console or none), OTEL_EXPORTER_OTLP_PROTOCOL=%q: %w",
			os.Getenv("OTEL_TRACES_EXPORTER"), protocol, err)
	}
	return exporter, nil
}

// reportErrors sends the SDK's own errors to the log. OpenTelemetry has no other way than its global
// handler and logger. An endpoint that is down fails with every batch: the same error is written once a
// minute.
func (t *Telemetry) reportErrors() {
	otel.SetLogger(logr.New(otelLog{t.Logger}))
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

// otelLog is a logr.LogSink that leaves out what an error comes with: it may be a header with a secret.
type otelLog struct{ logger *slog.Logger }

func (otelLog) Init(logr.RuntimeInfo)    {}
func (otelLog) Enabled(int) bool         { return false }
func (otelLog) Info(int, string, ...any) {}
func (l otelLog) Error(err error, message string, _ ...any) {
	l.logger.Warn("opentelemetry: "+message, "error", err)
}
func (l otelLog) WithValues(...any) logr.LogSink { return l }
func (l otelLog) WithName(string) logr.LogSink   { return l }

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
