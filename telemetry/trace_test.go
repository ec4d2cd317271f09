package telemetry_test

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"vitrine/telemetry"
	"vitrine/telemetry/telemetrytest"
)

// nowhere is an endpoint that refuses connections: nobody listens on port 1.
const nowhere = "http://127.0.0.1:1"

func emit(t *testing.T, tel *telemetry.Telemetry, names ...string) trace.SpanContext {
	t.Helper()
	var last trace.SpanContext
	for _, name := range names {
		_, span := tel.TracerProvider.Tracer("test").Start(t.Context(), name)
		span.End()
		last = span.SpanContext()
	}
	return last
}

// exported is what the pipeline counted, and -1 where there is none.
func exported(t *testing.T, g prometheus.Gatherer) (ended, ok, failed float64) {
	t.Helper()
	a, there := accountOf(t, g)
	if !there {
		return -1, -1, -1
	}
	return a.ended(), a.exported[""], a.failed()
}

func TestSpansArrive(t *testing.T) {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
		t.Run(name, func(t *testing.T) {
			receiver := telemetrytest.NewCollector(t)
			endpoint := receiver.URL
			if strings.Contains(name, "TRACES") {
				endpoint += "/v1/traces"
			}
			tel, logs := setup(t, map[string]string{name: endpoint}, telemetry.Options{
				Service: "shop", Version: "v1.2.3", Instance: "replica-1",
			})
			sc := emit(t, tel, "one", "two")
			shutdown(t, tel)

			spans, resource := receiver.Spans(), receiver.Resource()
			if len(spans) != 2 || spans[0].GetName() != "one" || hex.EncodeToString(spans[1].GetTraceId()) != sc.TraceID().String() {
				t.Errorf("received %v, want both spans", spans)
			}
			for name, want := range map[string]string{
				"service.name": "shop", "service.version": "v1.2.3", "service.instance.id": "replica-1", "telemetry.sdk.language": "go",
			} {
				if resource[name] != want {
					t.Errorf("%s is %q, want %q", name, resource[name], want)
				}
			}
			if ended, ok, failed := exported(t, tel.Registry); ended != 2 || ok != 2 || failed != 0 {
				t.Errorf("counted %v ended, %v exported, %v failed; want 2, 2, 0", ended, ok, failed)
			}
			if logs.String() != "" {
				t.Errorf("want nothing in the log:\n%s", logs.String())
			}
		})
	}
}

func TestResourceFromEnvironment(t *testing.T) {
	for _, test := range []struct {
		desc          string
		env           map[string]string
		name, version string
		warns         bool
	}{
		{"none", nil, "shop", "v1", false},
		{"name", map[string]string{"OTEL_SERVICE_NAME": "till"}, "till", "v1", false},
		{"attributes", map[string]string{"OTEL_RESOURCE_ATTRIBUTES": "service.name=till,service.version=v2"}, "till", "v2", false},
		{"the name wins over the attributes", map[string]string{
			"OTEL_SERVICE_NAME": "till", "OTEL_RESOURCE_ATTRIBUTES": "service.name=x,service.version=v2",
		}, "till", "v2", false},
		{"attributes in part", map[string]string{"OTEL_RESOURCE_ATTRIBUTES": "service.version=v2,rubbish"}, "shop", "v2", true},
	} {
		t.Run(test.desc, func(t *testing.T) {
			receiver := telemetrytest.NewCollector(t)
			env := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.URL}
			for name, value := range test.env {
				env[name] = value
			}
			tel, logs := setup(t, env, telemetry.Options{Service: "shop", Version: "v1"})
			emit(t, tel, "span")
			shutdown(t, tel)
			if resource := receiver.Resource(); resource["service.name"] != test.name || resource["service.version"] != test.version {
				t.Errorf("resource %v, want %s %s", resource, test.name, test.version)
			}
			if warns := strings.Contains(logs.String(), "OTEL_RESOURCE_ATTRIBUTES"); warns != test.warns {
				t.Errorf("a warning is %t, want %t:\n%s", warns, test.warns, logs.String())
			}
		})
	}
}

// TestNobodyCollects: spans are dropped, counted, and one line says so, without what is secret.
func TestNobodyCollects(t *testing.T) {
	tel, logs := setup(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT":    strings.Replace(nowhere, "://", "://user:s3cret@", 1),
		"OTEL_EXPORTER_OTLP_HEADERS":     "authorization=Bearer%20s3cret",
		"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1",
	}, telemetry.Options{})
	emit(t, tel, "one", "two", "three")
	shutdown(t, tel)
	if ended, ok, failed := exported(t, tel.Registry); ended != 3 || ok != 0 || failed != 3 {
		t.Errorf("counted %v ended, %v exported, %v failed; want 3, 0, 3", ended, ok, failed)
	}
	if line := logs.Record(t, "opentelemetry"); line["level"] != "WARN" || !strings.Contains(fmt.Sprint(line["error"]), "connection refused") {
		t.Errorf("want a warning that says why: %v", line)
	}
	if strings.Contains(logs.String(), "s3cret") {
		t.Errorf("a secret in the log:\n%s", logs.String())
	}
}

// TestBadHeadersAreNotLogged: what is no header may be a secret all the same.
func TestBadHeadersAreNotLogged(t *testing.T) {
	_, logs := setup(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": nowhere, "OTEL_EXPORTER_OTLP_HEADERS": "Bearer s3cret",
	}, telemetry.Options{})
	if line := logs.Record(t, "opentelemetry: parse headers"); line["level"] != "WARN" {
		t.Errorf("want a warning: %v", line)
	}
	if strings.Contains(logs.String(), "s3cret") {
		t.Errorf("a secret in the log:\n%s", logs.String())
	}
}

func TestSetupErrors(t *testing.T) {
	for _, test := range []struct {
		desc string
		env  map[string]string
		want []string
	}{
		{"exporter", map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, []string{`OTEL_TRACES_EXPORTER="zipkin"`, "otlp, console or none"}},
		{"protocol", map[string]string{"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "carrier-pigeon"},
			[]string{`OTEL_EXPORTER_OTLP_PROTOCOL="carrier-pigeon"`, "grpc"}},
		{"endpoint without a scheme", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4318"},
			[]string{"OTEL_EXPORTER_OTLP_ENDPOINT: must be a URL"}},
		{"endpoint that does not parse", map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://user:s3cret%zz@host"},
			[]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: must be a URL"}},
	} {
		t.Run(test.desc, func(t *testing.T) {
			clearEnv(t, test.env)
			_, err := telemetry.Setup(t.Context(), telemetry.Options{Logs: new(telemetrytest.Log)})
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("want %q in %q", want, err)
				}
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("a secret in %q", err)
			}
		})
	}
}

// TestPipeline: which variables make spans, and which send them.
func TestPipeline(t *testing.T) {
	for _, test := range []struct {
		desc    string
		env     map[string]string
		made    bool // the answer names a span
		sampled bool
		arrive  int
		ended   float64 // -1: nothing is counted, because nothing is sent
	}{
		{"default", nil, true, true, 1, 1},
		{"disabled", map[string]string{"OTEL_SDK_DISABLED": "true"}, false, false, 0, -1},
		{"disabled, loudly", map[string]string{"OTEL_SDK_DISABLED": "TRUE"}, false, false, 0, -1},
		{"not disabled: only true is true", map[string]string{"OTEL_SDK_DISABLED": "1"}, true, true, 1, 1},
		{"exporter none", map[string]string{"OTEL_TRACES_EXPORTER": "none"}, true, true, 0, -1},
		{"exporter otlp", map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}, true, true, 1, 1},
		{"sampler always_off", map[string]string{"OTEL_TRACES_SAMPLER": "always_off"}, true, false, 0, 0},
		{"sampler ratio 0", map[string]string{"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}, true, false, 0, 0},
		{"sampler ratio 1", map[string]string{"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1"}, true, true, 1, 1},
	} {
		t.Run(test.desc, func(t *testing.T) {
			receiver := telemetrytest.NewCollector(t)
			env := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.URL}
			for name, value := range test.env {
				env[name] = value
			}
			tel, _ := setup(t, env, telemetry.Options{})
			sc := emit(t, tel, "span")
			shutdown(t, tel)
			if sc.IsValid() != test.made || sc.IsSampled() != test.sampled {
				t.Errorf("span %v sampled %t, want %t %t", sc.IsValid(), sc.IsSampled(), test.made, test.sampled)
			}
			if spans := receiver.Spans(); len(spans) != test.arrive {
				t.Errorf("%d spans arrived, want %d", len(spans), test.arrive)
			}
			if ended, _, _ := exported(t, tel.Registry); ended != test.ended {
				t.Errorf("counted %v ended, want %v", ended, test.ended)
			}
		})
	}
}

// TestDisabledStillServes: metrics, log and page work without a tracer.
func TestDisabledStillServes(t *testing.T) {
	tel, logs := setup(t, map[string]string{"OTEL_SDK_DISABLED": "true"}, telemetry.Options{})
	res, body, err := ask(t, tel.Server(route("GET /", hello), nil), "GET", "/", nil)
	if err != nil || body != "hello" || res.Header["Traceresponse"] != nil {
		t.Errorf("%v, %q, %v; want an answer that names no trace", res, body, err)
	}
	if line := logs.Record(t, "request"); line["trace_id"] != nil || line["status"] != 200. {
		t.Errorf("access line %v", line)
	}
	if n := metric(t, tel.Registry, duration, nil).GetHistogram().GetSampleCount(); n != 1 {
		t.Errorf("%d requests counted, want 1", n)
	}
}

// TestTracez: without any collector the page shows what there was.
func TestTracez(t *testing.T) {
	tel, _ := setup(t, nil, telemetry.Options{})
	_, span := tel.TracerProvider.Tracer("test").Start(t.Context(), "a-span-of-mine")
	span.SetStatus(codes.Error, "so that it is among the samples of errors")
	span.End()
	for path, want := range map[string]string{
		"/debug/tracez": "a-span-of-mine",
		"/debug/tracez?zspanname=a-span-of-mine&ztype=2": span.SpanContext().TraceID().String(),
	} {
		res, body, err := ask(t, tel.Tracez(), "GET", path, nil)
		if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %v, %v; want %s in\n%s", path, res, err, want, body)
		}
	}
}
