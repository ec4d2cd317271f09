package telemetry_test

import (
	"io"
	"mime"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"vitrine/telemetry"
)

const duration = "http_server_request_duration_seconds"

// measured is telemetry that has seen one request, and the request's trace.
func measured(t *testing.T, env map[string]string) (tel *telemetry.Telemetry, traceID string) {
	t.Helper()
	tel, _ = setup(t, env, telemetry.Options{})
	res, _, err := ask(t, tel.Server(route("GET /tiles/{z}", hello), nil), "GET", "/tiles/1", nil)
	if err != nil {
		t.Fatal(err)
	}
	traceID, _, _ = traceresponse(t, res)
	return tel, traceID
}

// exemplars are those of the classic buckets.
func exemplars(h *dto.Histogram) (all []*dto.Exemplar) {
	for _, b := range h.GetBucket() {
		if b.Exemplar != nil {
			all = append(all, b.Exemplar)
		}
	}
	return all
}

func TestExemplarOnlyOfSampled(t *testing.T) {
	for _, test := range []struct {
		sampler string
		want    int
	}{{"", 1}, {"always_on", 1}, {"always_off", 0}, {"parentbased_always_off", 0}} {
		t.Run("sampler "+test.sampler, func(t *testing.T) {
			tel, traceID := measured(t, map[string]string{"OTEL_TRACES_SAMPLER": test.sampler})
			h := metric(t, tel.Registry, duration, nil).GetHistogram()
			if h.GetSampleCount() != 1 {
				t.Errorf("%d requests, want 1", h.GetSampleCount())
			}
			got := exemplars(h)
			if len(got) != test.want || len(h.GetExemplars()) != test.want {
				t.Fatalf("%d classic and %d native exemplars, want %d", len(got), len(h.GetExemplars()), test.want)
			}
			for _, e := range append(got, h.GetExemplars()...) {
				labels := map[string]string{}
				for _, l := range e.GetLabel() {
					labels[l.GetName()] = l.GetValue()
				}
				if labels["trace_id"] != traceID || len(labels["span_id"]) != 16 || len(labels) != 2 {
					t.Errorf("labels %v, want trace %s and its span", labels, traceID)
				}
			}
		})
	}
}

// TestBuckets: Prometheus can have whichever kind it asks for.
func TestBuckets(t *testing.T) {
	tel, _ := measured(t, nil)
	h := metric(t, tel.Registry, duration, nil).GetHistogram()
	if n := len(h.GetBucket()); n < 10 || h.GetBucket()[0].GetUpperBound() != .00005 {
		t.Errorf("%d classic buckets from %v, want those from 50 µs on", n, h.GetBucket()[0].GetUpperBound())
	}
	if h.Schema == nil || len(h.GetPositiveSpan()) == 0 || h.GetSampleSum() <= 0 || h.GetSampleSum() > 600 {
		t.Errorf("no native buckets, or not of seconds: %v", h)
	}
}

func TestMetricsLint(t *testing.T) {
	tel, _ := measured(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": nowhere})
	problems, err := testutil.GatherAndLint(tel.Registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, name := range []string{
		duration, "http_server_active_requests", "log_records_dropped_total",
		"otel_sdk_processor_span_queue_size", "otel_sdk_processor_span_queue_capacity", "otel_sdk_processor_span_processed_total",
		"otel_sdk_exporter_span_exported_total", "otel_sdk_exporter_operation_duration_seconds",
		"promhttp_metric_handler_response_size_bytes", "promhttp_metric_handler_request_duration_seconds",
		"go_goroutines", "process_start_time_seconds", "go_build_info",
	} {
		if n, err := testutil.GatherAndCount(tel.Registry, name); err != nil || n == 0 {
			t.Errorf("no %s: %v", name, err)
		}
	}
}

// TestExposition: the three ways in which Prometheus may ask. Its scrape fails on a wrong Content-Type.
func TestExposition(t *testing.T) {
	tel, traceID := measured(t, nil)
	scrape := func(accept string) (mediaType string, body string, res *http.Response) {
		t.Helper()
		res, body, err := ask(t, tel.Metrics(), "GET", "/metrics", http.Header{"Accept": {accept}})
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%v, %v", res, err)
		}
		mediaType, _, err = mime.ParseMediaType(res.Header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		return mediaType, body, res
	}

	t.Run("text", func(t *testing.T) {
		mediaType, body, res := scrape("text/plain;version=0.0.4")
		families := decode(t, body, expfmt.ResponseFormat(res.Header))
		if mediaType != "text/plain" || families[duration].GetMetric()[0].GetHistogram().GetSampleCount() != 1 {
			t.Errorf("%s, %v", mediaType, families[duration])
		}
	})
	t.Run("OpenMetrics", func(t *testing.T) {
		mediaType, body, _ := scrape("application/openmetrics-text;version=1.0.0")
		if mediaType != "application/openmetrics-text" || !strings.HasSuffix(body, "# EOF\n") {
			t.Errorf("%s, ends in %q", mediaType, body[max(0, len(body)-20):])
		}
		if strings.Contains(body, "_created") {
			t.Error("there are _created samples")
		}
		// metric{labels} value # {exemplar's labels} value timestamp
		exemplar := regexp.MustCompile(`(?m)^` + duration + `_bucket\{.*le="[^"]+"\} 1 # \{([^}]*)\} [0-9.e-]+ [0-9.e+]+$`)
		found := exemplar.FindAllStringSubmatch(body, -1)
		if len(found) != 1 || !strings.Contains(found[0][1], `trace_id="`+traceID+`"`) {
			t.Errorf("exemplars %q, want one of trace %s", found, traceID)
		}
		line := regexp.MustCompile(`^(# (HELP|TYPE|UNIT) \S+ .+|# EOF|[a-z_]+(\{.*\})? \S+( # \{.*\} \S+ \S+)?)$`)
		for l := range strings.Lines(body) {
			if !line.MatchString(strings.TrimSuffix(l, "\n")) {
				t.Errorf("not OpenMetrics: %s", l)
			}
		}
	})
	t.Run("protobuf", func(t *testing.T) {
		mediaType, body, res := scrape("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited")
		h := decode(t, body, expfmt.ResponseFormat(res.Header))[duration].GetMetric()[0].GetHistogram()
		if mediaType != "application/vnd.google.protobuf" || len(h.GetPositiveSpan()) == 0 || len(h.GetExemplars()) != 1 {
			t.Errorf("%s, %v; want native buckets with an exemplar", mediaType, h)
		}
	})
}

// TestScrapesAreMeasured: how long an exposition takes and how large it is, as it is sent.
func TestScrapesAreMeasured(t *testing.T) {
	tel, _ := setup(t, nil, telemetry.Options{})
	const size, took = "promhttp_metric_handler_response_size_bytes", "promhttp_metric_handler_request_duration_seconds"
	histogram := func(name string) *dto.Histogram { return metric(t, tel.Registry, name, nil).GetHistogram() }
	if histogram(size).GetSampleCount() != 0 || histogram(took).GetSampleCount() != 0 {
		t.Error("want both from the start, at 0")
	}
	h, sent := tel.Metrics(), 0
	tel.Metrics() // may be made more than once
	for i, encoding := range []string{"", "gzip"} {
		_, body, err := ask(t, h, "GET", "/metrics", http.Header{"Accept-Encoding": {encoding}})
		if err != nil {
			t.Fatal(err)
		}
		sent += len(body)
		if n := histogram(size).GetSampleCount(); n != uint64(i+1) || histogram(size).GetSampleSum() != float64(sent) {
			t.Errorf("%d expositions of %v bytes, want %d of %d", n, histogram(size).GetSampleSum(), i+1, sent)
		}
		if n := histogram(took).GetSampleCount(); n != uint64(i+1) || histogram(took).GetSampleSum() <= 0 {
			t.Errorf("%d expositions measured, want %d", n, i+1)
		}
	}
}

// decode reads an exposition.
func decode(t *testing.T, body string, format expfmt.Format) map[string]*dto.MetricFamily {
	t.Helper()
	families := map[string]*dto.MetricFamily{}
	decoder := expfmt.NewDecoder(strings.NewReader(body), format)
	for {
		family := new(dto.MetricFamily)
		if err := decoder.Decode(family); err == io.EOF {
			return families
		} else if err != nil {
			t.Fatal(err)
		}
		families[family.GetName()] = family
	}
}
