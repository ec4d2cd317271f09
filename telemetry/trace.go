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
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace/noop"
)

// startTraces sets TracerProvider and shutdown. Sampler and limits are the SDK's own reading of
// OTEL_TRACES_SAMPLER and OTEL_SPAN_*.
func (t *Telemetry) startTraces(ctx context.Context, o Options) error {
	t.shutdown = func(context.Context) error { return nil }
	// The specification: only "true", in any case, is true, and what is neither is warned of.
	switch disabled := os.Getenv("OTEL_SDK_DISABLED"); strings.ToLower(disabled) {
	case "true":
		t.TracerProvider = noop.NewTracerProvider()
		return nil
	case "", "false":
	default:
		t.Logger.Warn("opentelemetry: variable ignored", "variable", "OTEL_SDK_DISABLED", "value", disabled, "allowed", "true, false")
	}
	t.checkLimits()
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
	t.Registry.MustRegister(targetInfo(res))
	options := []sdktrace.TracerProviderOption{
		sdktrace.WithResource(res),
		sdktrace.WithSpanProcessor(t.tracez),
	}
	if !exporting() {
		provider := sdktrace.NewTracerProvider(options...)
		t.TracerProvider, t.shutdown = provider, provider.Shutdown
		return nil
	}
	exporter, err := newExporter(ctx)
	if err != nil {
		return err
	}
	p := newPipeline(exporter, t.batching(), t.Registry)
	provider := sdktrace.NewTracerProvider(append(options, sdktrace.WithSpanProcessor(p))...)
	t.TracerProvider = provider
	t.shutdown = func(ctx context.Context) error {
		before := p.failed.Load()
		// The provider passes its processors over where ctx has ended.
		err := cmp.Or(p.Shutdown(ctx), provider.Shutdown(ctx))
		// Nobody scrapes any more: the log has the last word.
		if lost := p.pending.Load() + p.failed.Load() - before; lost > 0 {
			t.Logger.Warn("spans not exported at shutdown", "spans", lost)
		}
		return err
	}
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
