package main

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"vitrine/e2e/component"
)

// The calls of Redis that a request makes are in its trace, and what the program asks for itself is in none.
func TestRedisCallsAreInTheTrace(t *testing.T) {
	redis := component.Redis(t)
	p := start(t, map[string]string{"VITRINE_CACHE": "tiered", "VITRINE_REDIS_URL": redis.URL(), "VITRINE_SLOW_DELAY": "1ms"})
	// The watch has made the connection, outside any request.
	eventually(t, "word of Redis", func() bool { return len(p.logs.Records(t, "redis answers")) > 0 })
	spans := tracetest.NewSpanRecorder()
	p.telemetry.TracerProvider.(*sdktrace.TracerProvider).RegisterSpanProcessor(spans)
	get(t, p.url+"/slow")
	eventually(t, "the request's span", func() bool {
		return slices.ContainsFunc(spans.Ended(), func(s sdktrace.ReadOnlySpan) bool { return s.Name() == "GET /slow" })
	})
	ping := `db_client_operation_duration_seconds_count{db_namespace="0",db_operation_name="PING",db_system_name="redis",error_type=""}`
	eventually(t, "another ping", func() bool {
		metrics := get(t, p.opsURL+"/metrics").body
		return strings.Contains(metrics, ping) && !strings.Contains(metrics, ping+" 1\n")
	})
	var request trace.SpanContext
	for _, s := range spans.Ended() {
		if s.SpanKind() == trace.SpanKindServer {
			request = s.SpanContext()
		}
	}
	var calls []string
	traces := map[string]bool{}
	for _, s := range spans.Ended() {
		traces[s.SpanContext().TraceID().String()] = true
		// Below a call there may be the handshake of a connection, if the watch has the first one.
		if s.SpanContext().TraceID() == request.TraceID() && (s.Name() == "GET" || strings.HasPrefix(s.Name(), "EVALSHA")) {
			calls = append(calls, s.Name())
		}
	}
	// Is it there? If not, may I load it? Here it is.
	if want := []string{"GET", "EVALSHA acquire", "EVALSHA fill"}; !reflect.DeepEqual(calls, want) || len(traces) != 1 {
		t.Errorf("calls %q in %d traces, want %q in one", calls, len(traces), want)
	}
}
