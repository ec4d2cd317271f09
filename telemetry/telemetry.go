// Package telemetry sets up a service's traces, metrics and logs with one call, flushes them with one
// call, and instruments its HTTP servers and clients so that the three signals agree.
//
// Standard OTEL_* environment variables keep their meaning; see docs/signals.md for what each signal says.
package telemetry

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/zpages"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Options say who the service is and how it logs. The zero value logs at INFO to standard error.
type Options struct {
	// Service is the OpenTelemetry service.name unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES
	// say otherwise. Empty means "unknown_service", as the specification has it.
	Service string
	// Version is the OpenTelemetry service.version. Empty leaves it out.
	Version string
	// Instance is the OpenTelemetry service.instance.id. Empty means the host's name.
	Instance string
	// Logs receives the log, one line a record. Nil means standard error.
	Logs io.Writer
	// LogFormat is how a record is written. The zero value is FormatAuto.
	LogFormat Format
	// LogLevel is the lowest level written at the start; Telemetry.Level changes it later.
	LogLevel slog.Level
	// RoutineLines is how many access lines of routine answers, such as hits, a JSON log has in a second. Of
	// those beyond it has one in 100, which says so as sample_rate. Zero means 100, a negative number all.
	// Text has all in any case, and so have failures (status 400 and above) and slow requests.
	RoutineLines int
	// SlowRequest is the duration from which on a request has its line in any case. Zero means 1 s.
	SlowRequest time.Duration
	// LogQuery writes the query of a URL into the access line. The zero value does not: it may be secret.
	LogQuery bool
	// LogClient is whose address the access line has. The zero value is ClientNone.
	LogClient ClientAddress
	// ServerTiming has every answer of Server say how long it took to begin, and Instance, in the field Server-Timing: for
	// whoever may know both. The zero value does not.
	ServerTiming bool
}

// Telemetry holds what a service needs to be observed. Its fields are passed on to whoever emits
// signals; nothing here is a global.
type Telemetry struct {
	// Logger writes records that carry the trace and span of their context.
	Logger *slog.Logger
	// Level is the lowest level that Logger writes.
	Level *slog.LevelVar
	// Registry collects all metrics of the process.
	Registry *prometheus.Registry
	// TracerProvider makes tracers. It never is nil; with OTEL_SDK_DISABLED=true it does nothing.
	TracerProvider trace.TracerProvider
	// Propagator carries trace context and baggage across processes, as OTEL_PROPAGATORS says.
	Propagator propagation.TextMapPropagator
	// Instance is the service.instance.id in use.
	Instance string

	tracez      *zpages.SpanProcessor
	tracer      trace.Tracer
	startServer []trace.SpanStartOption
	server      *serverMetrics
	client      *clientMetrics
	scrapes     *scrapeMetrics
	handRoutes  table[handKey, *handRoute]
	singles     singles
	timing      *serverTiming
	w3cOnly     bool      // Propagator reads nothing but W3C Trace Context and Baggage
	attributes  sync.Pool // of *[]attribute.KeyValue
	lines       *accessLog
	shutdown    func(context.Context) error
}

// Setup starts the three signals. Its errors name the OTEL_* variable or the exporter that is wrong; an
// endpoint that nobody answers is no error: spans are then dropped, counted and reported in the log.
func Setup(ctx context.Context, o Options) (*Telemetry, error) {
	hostname, err := os.Hostname()
	if err != nil && o.Instance == "" {
		return nil, fmt.Errorf("telemetry: no instance id: %w", err)
	}
	t := &Telemetry{
		Level:    new(slog.LevelVar),
		Registry: newRegistry(),
		Instance: cmp.Or(o.Instance, hostname),
		tracez:   zpages.NewSpanProcessor(),
	}
	if o.ServerTiming {
		t.timing = newServerTiming(t.Instance)
	}
	t.Level.Set(o.LogLevel)
	if o.Logs == nil {
		o.Logs = os.Stderr
	}
	text, _ := o.LogFormat.text(o.Logs)
	t.lines = newAccessLog(o, text)
	unwritten := newLogCounts(t.Registry, t.lines)
	t.Logger = slog.New(newLogHandler(o.Logs, o.LogFormat, t.Level, unwritten))
	t.reportErrors() // before whatever may have one
	t.Propagator = newPropagator()
	t.w3cOnly = w3cOnly(t.Propagator)
	t.server = newServerMetrics(t.Registry)
	t.client = newClientMetrics(t.Registry)
	t.scrapes = newScrapeMetrics(t.Registry)
	if err := t.startTraces(ctx, o); err != nil {
		return nil, fmt.Errorf("telemetry: traces: %w", err)
	}
	t.tracer = t.TracerProvider.Tracer("vitrine/telemetry")
	t.startServer = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}
	return t, nil
}

// Shutdown flushes what is not exported yet and stops the exporters, until ctx ends.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	if err := t.shutdown(ctx); err != nil {
		return fmt.Errorf("telemetry: flush: %w", err)
	}
	return nil
}

// Tracez serves the sampled spans of this process as an OpenTelemetry zPage.
func (t *Telemetry) Tracez() http.Handler { return zpages.NewTracezHandler(t.tracez) }
