package telemetry

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// exporter is what becomes of a batch.
type exporter func(context.Context, []sdktrace.ReadOnlySpan) error

func (f exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	return f(ctx, spans)
}
func (exporter) Shutdown(context.Context) error { return nil }

func accepts(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func refuses(context.Context, []sdktrace.ReadOnlySpan) error { return errors.New("connection refused") }
func takesASecond(context.Context, []sdktrace.ReadOnlySpan) error {
	time.Sleep(time.Second)
	return nil
}
func hangs(ctx context.Context, _ []sdktrace.ReadOnlySpan) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

var defaults = batching{queue: 2048, batch: 512, delay: 5 * time.Second, timeout: 30 * time.Second}

// start is a pipeline in a synctest bubble, and a tracer whose spans it gets.
func start(t *testing.T, e exporter, b batching) (*pipeline, trace.Tracer) {
	t.Helper()
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {})) // else they are logged
	p := newPipeline(e, b, prometheus.NewRegistry())
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(p), sdktrace.WithSampler(sdktrace.AlwaysSample()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		_ = provider.Shutdown(ctx) // may have been before
	})
	return p, provider.Tracer("test")
}

func end(tracer trace.Tracer, n int) {
	for range n {
		_, span := tracer.Start(context.Background(), "span")
		span.End()
	}
}

// account fails the test unless every span that ended has exactly one place.
func (p *pipeline) account(t *testing.T, ended int) (refused, late, exported, failed int) {
	t.Helper()
	value := func(c prometheus.Collector) int { return int(testutil.ToFloat64(c)) }
	refused, late, exported = value(p.metrics.queueFull), value(p.metrics.late), value(p.metrics.exported.WithLabelValues(""))
	for _, kind := range []string{timedOut, rejected, other} {
		failed += value(p.metrics.exported.WithLabelValues(kind))
	}
	if sum := refused + late + int(p.pending.Load()) + exported + failed; sum != ended {
		t.Errorf("%d refused, %d late, %d pending, %d exported and %d failed are %d, want the %d that ended",
			refused, late, p.pending.Load(), exported, failed, sum, ended)
	}
	if failed != int(p.failed.Load()) {
		t.Errorf("%d failed, and %d for the log", failed, p.failed.Load())
	}
	return refused, late, exported, failed
}

// TestQueueIsBounded: whatever the collector does, a span that ends waits for nothing, no more than the
// bound are pending, and none gets lost from the account.
func TestQueueIsBounded(t *testing.T) {
	for _, test := range []struct {
		desc   string
		export exporter
		b      batching
		drops  string // yes, no, or either: an exporter that is done at once races with those who end spans
		fails  bool
	}{
		{"accepts", accepts, defaults, "either", false},
		{"refuses", refuses, defaults, "either", true},
		{"slow", takesASecond, defaults, "yes", false},
		{"hangs", hangs, defaults, "yes", true},
		{"hangs, batches of one", hangs, batching{64, 1, time.Second, time.Second}, "yes", true},
		{"hangs, one batch", hangs, batching{64, 64, time.Second, time.Second}, "yes", true},
		{"hangs, a queue for one", hangs, batching{1, 1, time.Second, time.Second}, "yes", true},
		{"slow, room for all", takesASecond, batching{1 << 16, 512, time.Second, time.Minute}, "no", false},
	} {
		t.Run(test.desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				largest := 0
				p, tracer := start(t, func(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
					largest = max(largest, len(spans))
					return test.export(ctx, spans)
				}, test.b)
				begin := time.Now()
				const enders, each = 8, 1500
				var wait sync.WaitGroup
				for range enders {
					wait.Go(func() {
						for range each {
							end(tracer, 1)
							if n := p.pending.Load(); n > int64(test.b.queue) {
								t.Errorf("%d pending, want at most %d", n, test.b.queue)
								return
							}
						}
					})
				}
				wait.Wait()
				// The clock stands still unless everybody waits.
				if waited := time.Since(begin); waited != 0 {
					t.Errorf("a span waited %s to end", waited)
				}
				synctest.Wait()
				refused, _, _, _ := p.account(t, enders*each)
				if test.drops != "either" && refused > 0 != (test.drops == "yes") {
					t.Errorf("%d refused, want some: %s", refused, test.drops)
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				_, _, _, failed := p.account(t, enders*each)
				if p.pending.Load() != 0 || failed > 0 != test.fails {
					t.Errorf("%d still pending, %d failed, want some: %t", p.pending.Load(), failed, test.fails)
				}
				if largest > test.b.batch {
					t.Errorf("a batch of %d, want at most %d", largest, test.b.batch)
				}
			})
		})
	}
}

// TestCollectorComesBack: nobody has to do anything for spans to be exported again.
func TestCollectorComesBack(t *testing.T) {
	for _, test := range []struct {
		desc string
		down exporter
	}{{"hangs", hangs}, {"refuses", refuses}, {"slow", takesASecond}} {
		t.Run(test.desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var up atomic.Bool
				p, tracer := start(t, func(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
					if up.Load() {
						return nil
					}
					return test.down(ctx, spans)
				}, defaults)
				ended := 0
				for range 120 { // two minutes
					end(tracer, 1000)
					ended += 1000
					time.Sleep(time.Second)
				}
				synctest.Wait()
				p.account(t, ended)
				up.Store(true)
				time.Sleep(time.Hour)
				synctest.Wait()
				refused, _, before, failed := p.account(t, ended)
				if p.pending.Load() != 0 {
					t.Errorf("%d pending, an hour after the collector came back", p.pending.Load())
				}
				end(tracer, 1000)
				time.Sleep(defaults.delay)
				synctest.Wait()
				refusedNow, _, exported, failedNow := p.account(t, ended+1000)
				if exported != before+1000 || refusedNow != refused || failedNow != failed {
					t.Errorf("of 1000 spans %d were exported, %d refused, %d failed", exported-before, refusedNow-refused, failedNow-failed)
				}
			})
		})
	}
}

// TestFlushTakesNoPlaceOfASpan: however many give up on flushing.
func TestFlushTakesNoPlaceOfASpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := make(chan struct{})
		p, tracer := start(t, func(context.Context, []sdktrace.ReadOnlySpan) error { <-up; return nil },
			batching{queue: 4, batch: 1, delay: time.Second})
		end(tracer, 1)
		synctest.Wait()
		for range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := p.ForceFlush(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("flushed while the collector hangs: %v", err)
			}
			cancel()
		}
		end(tracer, 3)
		if refused, _, _, _ := p.account(t, 4); refused != 0 {
			t.Errorf("%d of 4 spans refused by a queue for 4", refused)
		}
		close(up)
		if err := p.ForceFlush(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if _, _, exported, _ := p.account(t, 4); exported != 4 {
			t.Errorf("%d of 4 spans exported", exported)
		}
	})
}

// TestNotSampled: a span that is only recorded is nobody's loss.
func TestNotSampled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipeline(exporter(refuses), defaults, prometheus.NewRegistry())
		provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(p), sdktrace.WithSampler(recordOnly{}))
		end(provider.Tracer("test"), 10)
		if err := provider.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		p.account(t, 0)
	})
}

type recordOnly struct{ sdktrace.Sampler }

func (recordOnly) ShouldSample(sdktrace.SamplingParameters) sdktrace.SamplingResult {
	return sdktrace.SamplingResult{Decision: sdktrace.RecordOnly}
}
func (recordOnly) Description() string { return "record only" }

// TestBatchTimes: OTEL_BSP_SCHEDULE_DELAY and OTEL_BSP_EXPORT_TIMEOUT as they act.
func TestBatchTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, tracer := start(t, hangs, batching{queue: 10, batch: 10, delay: 3 * time.Second, timeout: 2 * time.Second})
		end(tracer, 1)
		for _, step := range []struct {
			after             time.Duration
			submitted, failed int
		}{{3*time.Second - 1, 0, 0}, {1, 1, 0}, {2*time.Second - 1, 1, 0}, {1, 1, 1}} {
			time.Sleep(step.after)
			synctest.Wait()
			_, _, _, failed := p.account(t, 1)
			if submitted := int(testutil.ToFloat64(p.metrics.submitted)); submitted != step.submitted || failed != step.failed {
				t.Errorf("%d submitted, %d failed; want %d, %d", submitted, failed, step.submitted, step.failed)
			}
		}
		if n := testutil.ToFloat64(p.metrics.exported.WithLabelValues(timedOut)); n != 1 {
			t.Errorf("%v counted as timed out, want 1", n)
		}
	})
}
