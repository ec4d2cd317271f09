package telemetry_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"vitrine/telemetry"
)

// BenchmarkLog is what an access line costs, in text through tint and in JSON, beside log/slog's own JSON
// without trace and span.
func BenchmarkLog(b *testing.B) {
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	ctx := trace.ContextWithSpanContext(context.Background(), sc)
	for _, bench := range []struct {
		desc   string
		logger func() *slog.Logger
	}{
		{"slog's JSON", func() *slog.Logger { return slog.New(slog.NewJSONHandler(io.Discard, nil)) }},
		{"JSON", func() *slog.Logger { return discarding(b, telemetry.FormatJSON).Logger }},
		{"text", func() *slog.Logger { return discarding(b, telemetry.FormatText).Logger }},
	} {
		b.Run(bench.desc, func(b *testing.B) {
			logger := bench.logger()
			b.ReportAllocs()
			for b.Loop() {
				logger.LogAttrs(ctx, slog.LevelInfo, "request",
					slog.String("method", "GET"), slog.String("route", "/tiles/{z}/{x}/{y}"), slog.String("path", "/tiles/3/1/2"),
					slog.Int("status", 200), slog.Int64("bytes", 8192), slog.Float64("duration", .000123),
					slog.String("cache", "tiles"), slog.String("outcome", "hit"), slog.String("tier", "near"), slog.Float64("age", 12))
			}
		})
	}
}

func discarding(b *testing.B, format telemetry.Format) *telemetry.Telemetry {
	b.Helper()
	tel, err := telemetry.Setup(b.Context(), telemetry.Options{Logs: io.Discard, LogFormat: format})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := tel.Shutdown(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return tel
}

// BenchmarkServer is what an answer costs that is not at hand: otelhttp, our histogram, and a line in JSON.
func BenchmarkServer(b *testing.B) {
	for _, sampler := range []string{"always_off", "always_on"} {
		b.Run(sampler, func(b *testing.B) {
			b.Setenv("OTEL_TRACES_SAMPLER", sampler)
			h := discarding(b, telemetry.FormatJSON).Server(route("GET /", hello), nil)
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}
