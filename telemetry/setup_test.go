package telemetry_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"vitrine/telemetry"
	"vitrine/telemetry/telemetrytest"
)

// clearEnv hides what the environment of the tests says to OpenTelemetry, and sets env instead.
func clearEnv(t testing.TB, env map[string]string) {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, "")
		}
	}
	for name, value := range env {
		t.Setenv(name, value)
	}
}

// setup is telemetry with a JSON log, under the environment env, until the test ends.
func setup(t *testing.T, env map[string]string, o telemetry.Options) (*telemetry.Telemetry, *telemetrytest.Log) {
	t.Helper()
	clearEnv(t, env)
	logs := new(telemetrytest.Log)
	o.Logs = logs
	tel, err := telemetry.Setup(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, tel) })
	return tel, logs
}

// shutdown flushes, and may be called again.
func shutdown(t *testing.T, tel *telemetry.Telemetry) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
	defer cancel()
	if err := tel.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

// recordSpans keeps the spans that end.
func recordSpans(t *testing.T, tel *telemetry.Telemetry) *tracetest.SpanRecorder {
	t.Helper()
	spans := tracetest.NewSpanRecorder()
	tel.TracerProvider.(*sdktrace.TracerProvider).RegisterSpanProcessor(spans)
	return spans
}

// attributes of a span, by name.
func attributes(s sdktrace.ReadOnlySpan) map[string]string {
	m := map[string]string{}
	for _, a := range s.Attributes() {
		m[string(a.Key)] = a.Value.String()
	}
	return m
}

// metric is the sample of a family that has all the labels, or nil.
func metric(t *testing.T, g prometheus.Gatherer, name string, labels map[string]string) *dto.Metric {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
	samples:
		for _, m := range family.GetMetric() {
			has := map[string]string{}
			for _, l := range m.GetLabel() {
				has[l.GetName()] = l.GetValue()
			}
			for name, value := range labels {
				if v, ok := has[name]; !ok || v != value {
					continue samples
				}
			}
			return m
		}
	}
	return nil
}
