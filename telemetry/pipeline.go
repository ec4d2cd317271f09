package telemetry

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// pipeline is the way of sampled spans out of the process: the SDK's batch processor and an exporter, with an
// account of every span. What ended was refused by a full queue, is pending, or was exported or given up on.
//
// The SDK's processor drops in silence when its queue is full. Here it never is: pending counts what it holds
// and what the exporter has in hand, and a span over the bound is refused before it gets there.
type pipeline struct {
	next     sdktrace.SpanProcessor
	metrics  *pipelineMetrics
	capacity int64
	pending  atomic.Int64
	failed   atomic.Int64 // as in metrics, for the log

	// A span that ends during Shutdown is either before it, and drained, or after it, and refused.
	mu     sync.RWMutex
	closed bool

	flushing chan struct{}
	exports  context.Context
	giveUp   context.CancelFunc
}

func newPipeline(e sdktrace.SpanExporter, b batching, r prometheus.Registerer) *pipeline {
	p := &pipeline{capacity: int64(b.queue), flushing: make(chan struct{}, 1)}
	p.exports, p.giveUp = context.WithCancel(context.Background())
	p.metrics = newPipelineMetrics(r, p)
	p.next = sdktrace.NewBatchSpanProcessor(pipelineExporter{e, p},
		sdktrace.WithMaxQueueSize(b.queue+1), // a flush takes a place
		sdktrace.WithMaxExportBatchSize(b.batch),
		sdktrace.WithBatchTimeout(b.delay),
		sdktrace.WithExportTimeout(b.timeout),
	)
	return p
}

func (*pipeline) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd never waits.
func (p *pipeline) OnEnd(s sdktrace.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	switch {
	case p.closed:
		p.metrics.late.Inc()
	case !p.reserve():
		p.metrics.queueFull.Inc()
	default:
		p.next.OnEnd(s)
	}
}

// reserve takes a place, if there is one. Pending is never above the bound, not for a moment.
func (p *pipeline) reserve() bool {
	for {
		n := p.pending.Load()
		if n >= p.capacity {
			return false
		}
		if p.pending.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// ForceFlush exports what is pending, or leaves that to the background when ctx ends. One flush runs at a
// time: each puts a mark into the queue, and there is room for one.
func (p *pipeline) ForceFlush(ctx context.Context) error {
	select {
	case p.flushing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	flushed := make(chan error, 1)
	go func() {
		flushed <- p.next.ForceFlush(context.WithoutCancel(ctx))
		<-p.flushing
	}()
	select {
	case err := <-flushed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Shutdown exports what is pending. What is left when ctx ends is given up on.
func (p *pipeline) Shutdown(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	err := p.next.Shutdown(ctx)
	if err != nil {
		p.giveUp()
	}
	return err
}

// pipelineExporter tells the pipeline what became of the spans.
type pipelineExporter struct {
	sdktrace.SpanExporter
	p *pipeline
}

func (e pipelineExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.p.exports, cancel)()

	m := e.p.metrics
	m.submitted.Add(float64(len(spans)))
	start := time.Now()
	err := e.SpanExporter.ExportSpans(ctx, spans)
	kind, failed := failure(ctx, err, len(spans))
	m.duration.WithLabelValues(kind).Observe(time.Since(start).Seconds())
	m.exported.WithLabelValues("").Add(float64(len(spans) - failed))
	m.exported.WithLabelValues(kind).Add(float64(failed))
	e.p.failed.Add(int64(failed))
	e.p.pending.Add(int64(-len(spans)))
	return err
}

// Values of error_type: those of the conventions, and what is left over.
const (
	timedOut = "timeout"
	rejected = "rejected"
	other    = "_OTHER"
)

// partialSuccess is how both OTLP exporters end the error of a collector that took only some of the spans.
// The type is internal to each.
var partialSuccess = regexp.MustCompile(`OTLP partial success: .*\((\d+) spans rejected\)$`)

// failure tells of an export of n spans how it failed, and for how many.
func failure(ctx context.Context, err error, n int) (kind string, failed int) {
	if err == nil {
		return "", 0
	}
	if m := partialSuccess.FindStringSubmatch(err.Error()); m != nil {
		failed, _ := strconv.Atoi(m[1]) // digits: at worst the largest int
		if failed == 0 {
			return "", 0 // a warning
		}
		return rejected, min(failed, n)
	}
	// A gRPC status is no context.DeadlineExceeded, but says its code.
	if errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) ||
		strings.Contains(err.Error(), "code = DeadlineExceeded") {
		return timedOut, n
	}
	return other, n
}

// pipelineMetrics are the conventions' otel.sdk.* metrics of the one processor and exporter that there are.
type pipelineMetrics struct {
	submitted, queueFull, late prometheus.Counter
	exported                   *prometheus.CounterVec
	duration                   *prometheus.HistogramVec
}

func newPipelineMetrics(r prometheus.Registerer, p *pipeline) *pipelineMetrics {
	processed := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "otel_sdk_processor_span_processed_total",
		Help: "Sampled spans that were handed to the exporter, or dropped (error_type).",
	}, []string{"error_type"})
	m := &pipelineMetrics{
		submitted: processed.WithLabelValues(""),
		queueFull: processed.WithLabelValues("queue_full"),
		late:      processed.WithLabelValues("already_shutdown"),
		exported: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "otel_sdk_exporter_span_exported_total",
			Help: "Spans that the collector took, or that were given up on (error_type).",
		}, []string{"error_type"}),
		duration: prometheus.NewHistogramVec(durations("otel_sdk_exporter_operation_duration_seconds",
			"Duration of exporting a batch of spans, retries included."), []string{"error_type"}),
	}
	for _, kind := range []string{"", timedOut, rejected, other} {
		m.exported.WithLabelValues(kind)
		m.duration.WithLabelValues(kind)
	}
	capacity := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "otel_sdk_processor_span_queue_capacity",
		Help: "Spans that may be waiting or in an export at a time.",
	})
	capacity.Set(float64(p.capacity))
	size := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "otel_sdk_processor_span_queue_size",
		Help: "Spans that are waiting or in an export.",
	}, func() float64 { return float64(p.pending.Load()) })
	r.MustRegister(processed, m.exported, m.duration, capacity, size)
	return m
}
