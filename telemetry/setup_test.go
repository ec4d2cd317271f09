package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"vitrine/telemetry"
)

// buffer is a log that may be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// records are the lines of a JSON log that have the message.
func (b *buffer) records(t *testing.T, message string) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(b.String()) {
		record := map[string]any{}
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("not a line of JSON: %s", line)
		}
		if record["msg"] == message {
			all = append(all, record)
		}
	}
	return all
}

// record is the one line that has the message.
func (b *buffer) record(t *testing.T, message string) map[string]any {
	t.Helper()
	all := b.records(t, message)
	if len(all) != 1 {
		t.Fatalf("%d lines say %q, want 1:\n%s", len(all), message, b.String())
	}
	return all[0]
}

// clearEnv hides what the environment of the tests says to OpenTelemetry, and sets env instead.
func clearEnv(t *testing.T, env map[string]string) {
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
func setup(t *testing.T, env map[string]string, o telemetry.Options) (*telemetry.Telemetry, *buffer) {
	t.Helper()
	clearEnv(t, env)
	logs := new(buffer)
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
