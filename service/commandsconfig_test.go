package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// shownConfig is what showConfig prints where the process has these variables.
func shownConfig(t *testing.T, pairs ...string) (string, error) {
	t.Helper()
	var environ []string
	for i := 0; i < len(pairs); i += 2 {
		environ = append(environ, pairs[i]+"="+pairs[i+1])
		if strings.HasPrefix(pairs[i], "OTEL_") {
			t.Setenv(pairs[i], pairs[i+1]) // OpenTelemetry reads no other
		}
	}
	var b strings.Builder
	err := showConfig(t.Context(), env(pairs...), environ, &b, io.Discard)
	return b.String(), err
}

func TestConfigCommand(t *testing.T) {
	text, err := shownConfig(t, "PATH", "/bin", "VITRINE_CACHE_TTL", "90s", "VITRINE_ADDR", "", "VITRINE_CACHE", "tiered",
		"VITRINE_REDIS_URL", "redis://user:s3cret@host/2", "VITRINE_CHACHE", "redis", "OTEL_SERVICE_NAME", "shop", "OTEL_EXPORTER_OTLP_ENDPOINT", "",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://user:s3cret@127.0.0.1:1",
		"OTEL_EXPORTER_OTLP_HEADERS", "authorization=s3cret", "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "authorization=s3cret")
	if err != nil {
		t.Error(err)
	}
	if strings.Contains(text, "s3cret") {
		t.Errorf("a secret is shown:\n%s", text)
	}
	want := map[string]string{
		"VITRINE_ADDR":                       `default ":8080"`,
		"VITRINE_CACHE_TTL":                  `environment "90s"`,
		"VITRINE_REDIS_URL":                  `environment "redis://xxxxx@host/2"`,
		"VITRINE_UPSTREAM_URL":               `default ""`,
		"VITRINE_CHACHE":                     `unknown "xxxxx"`,
		"OTEL_SERVICE_NAME":                  `environment "shop"`,
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": `environment "http://xxxxx@127.0.0.1:1"`,
		"OTEL_EXPORTER_OTLP_HEADERS":         `environment "xxxxx"`,
		"OTEL_EXPORTER_OTLP_TRACES_HEADERS":  `environment "xxxxx"`,
	}
	for name, value := range want {
		if got := strings.Join(lineOf(text, name), " "); got != name+" "+value {
			t.Errorf("%q, want %s %s", got, name, value)
		}
	}
	for _, name := range []string{"PATH", "OTEL_EXPORTER_OTLP_ENDPOINT"} {
		if lineOf(text, name) != nil {
			t.Errorf("%s is listed", name)
		}
	}
	for _, v := range variables {
		if lineOf(text, v.name) == nil {
			t.Errorf("%s is not listed", v.name)
		}
	}
}

func TestSecretsAreMasked(t *testing.T) {
	for _, name := range []string{
		"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_METRICS_HEADERS", "OTEL_EXPORTER_OTLP_CLIENT_KEY", "OTEL_EXPORTER_ZIPKIN_PASSWORD",
		"VITRINE_API_TOKEN", "VITRINE_SECRET",
	} {
		if got := masked(name, "s3cret"); got != "xxxxx" {
			t.Errorf("%s is shown as %q", name, got)
		}
	}
	for _, v := range variables {
		if v.initial != "" && masked(v.name, v.initial) != v.initial {
			t.Errorf("the default of %s is taken for a secret", v.name)
		}
	}
}

// TestConfigCommandFindsWhatIsWrong: the error is the one that a start ends with, and the list is there to look at.
func TestConfigCommandFindsWhatIsWrong(t *testing.T) {
	text, err := shownConfig(t, "VITRINE_CACHE", "foo", "VITRINE_LOG_LEVEL", "loud", "OTEL_TRACES_EXPORTER", "pigeon")
	var stderr strings.Builder
	if code := exitCode(err, &stderr); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	lines := slices.Collect(strings.Lines(stderr.String()))
	for i, begin := range []string{`vitrine: VITRINE_CACHE="foo"`, `vitrine: VITRINE_LOG_LEVEL="loud"`, `vitrine: telemetry: traces: OTEL_TRACES_EXPORTER="pigeon"`} {
		if len(lines) != 3 || !strings.HasPrefix(lines[i], begin) {
			t.Errorf("%q, want a line %d that begins with %s", lines, i, begin)
		}
	}
	if got := fmt.Sprint(lineOf(text, "VITRINE_CACHE")); got != `[VITRINE_CACHE environment "foo"]` {
		t.Error(got)
	}
}
