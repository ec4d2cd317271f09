package cache_test

import (
	"context"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"vitrine/cache"
	"vitrine/e2e/component"
)

// spanNamed waits for the span to end.
func spanNamed(t *testing.T, spans *tracetest.SpanRecorder, name string) (found sdktrace.ReadOnlySpan) {
	t.Helper()
	eventually(t, "a span "+name, func() bool {
		for _, s := range spans.Ended() {
			if s.Name() == name {
				found = s
			}
		}
		return found != nil
	})
	return found
}

func wantLink(t *testing.T, s sdktrace.ReadOnlySpan, to trace.SpanContext) {
	t.Helper()
	links := s.Links()
	if len(links) != 1 {
		t.Fatalf("%s has %d links, want 1", s.Name(), len(links))
	}
	if got := links[0].SpanContext; got.TraceID() != to.TraceID() || got.SpanID() != to.SpanID() {
		t.Errorf("%s links to %s/%s, want %s/%s", s.Name(), got.TraceID(), got.SpanID(), to.TraceID(), to.SpanID())
	}
}

// TestFleetSpans: who waits for another process' load is led to its span, and a refresh, which nobody waits for,
// is a trace of its own that says what caused it.
func TestFleetSpans(t *testing.T) {
	t.Parallel()
	server := component.Redis(t)
	replica := func() (*cache.Cache, *tracetest.SpanRecorder, trace.Tracer) {
		spans := tracetest.NewSpanRecorder()
		tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
		return newCache(t, cache.Redis(patientClient(t, server.Addr), ""), cache.Options{
			TTL: time.Minute, Stale: cache.Staleness{WhileRevalidate: time.Minute}, TracerProvider: tp,
			Limits: cache.Limits{StoreTimeout: patient},
		}), spans, tp.Tracer("test")
	}
	one, itsSpans, itsTracer := replica()
	two, spans, tracer := replica()

	begun, end, holder := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		ctx, span := itsTracer.Start(t.Context(), "request of one")
		defer span.End()
		_, err := cache.Fetch(ctx, one, "key", func(context.Context) (int64, error) { close(begun); <-end; return 1, nil })
		holder <- err
	}()
	<-begun
	waiter := make(chan error)
	go func() {
		ctx, span := tracer.Start(t.Context(), "request of two")
		defer span.End()
		_, err := cache.Fetch(ctx, two, "key", new(counter).load)
		waiter <- err
	}()
	waiting(t, redisClient(t, server.Addr), 2)
	close(end)
	for _, came := range []chan error{holder, waiter} {
		if err := <-came; err != nil {
			t.Fatal(err)
		}
	}
	load, request := spanNamed(t, itsSpans, "cache.load cache"), spanNamed(t, spans, "request of two")
	wantLink(t, request, load.SpanContext())
	if wait := spanNamed(t, spans, "cache.wait cache"); wait.Parent().SpanID() != request.SpanContext().SpanID() {
		t.Error("the wait is not below the request")
	}
	t.Logf("request %s links to load %s of the other", request.SpanContext().TraceID(), load.SpanContext().TraceID())

	if err := two.PurgeKey(t.Context(), cache.Soft, "v:key"); err != nil {
		t.Fatal(err)
	}
	ctx, span := tracer.Start(t.Context(), "request of a stale value")
	if _, result, err := fetchIn(ctx, t, two, "key", new(counter).load); err != nil || result.Outcome != cache.Stale {
		t.Errorf("%+v, %v; want a stale value", result, err)
	}
	span.End()
	refresh := spanNamed(t, spans, "cache.refresh cache")
	if refresh.Parent().IsValid() || refresh.SpanContext().TraceID() == span.SpanContext().TraceID() {
		t.Error("a refresh is part of the request's trace")
	}
	wantLink(t, refresh, span.SpanContext())
	if load := spanNamed(t, spans, "cache.load cache"); load.Parent().SpanID() != refresh.SpanContext().SpanID() {
		t.Error("the load is not below its refresh")
	}
}

// fetchIn is fetch under a context of the test's own.
func fetchIn[T any](ctx context.Context, t testing.TB, c *cache.Cache, key string, load func(context.Context) (T, error)) (T, cache.Result, error) {
	t.Helper()
	ctx, recorder := cache.WithRecorder(ctx)
	v, err := cache.Fetch(ctx, c, key, load)
	result, _ := recorder.Result()
	return v, result, err
}
