package telemetry_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"vitrine/telemetry"
)

// TestServerLabels: metric, span and access line agree on what was asked and answered.
func TestServerLabels(t *testing.T) {
	const tiles = "GET /tiles/{z}/{x}/{y}"
	echo := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "hello")
		}
	}
	for _, test := range []struct {
		desc    string
		pattern string
		handler http.HandlerFunc
		method  string
		target  string
		label   string // of the method
		route   string
		status  int
		bytes   int
		span    string
	}{
		{"the pattern's path", tiles, hello, "GET", "/tiles/1/2/3", "GET", "/tiles/{z}/{x}/{y}", 200, 5, "GET /tiles/{z}/{x}/{y}"},
		{"a pattern without a method", "/tiles/{z}", hello, "PUT", "/tiles/1", "PUT", "/tiles/{z}", 200, 5, "PUT /tiles/{z}"},
		{"a pattern with a host", "GET 127.0.0.1/tiles/{z}", hello, "GET", "/tiles/1", "GET", "/tiles/{z}", 200, 5, "GET /tiles/{z}"},
		{"a rest of the path", "GET /tiles/{rest...}", hello, "GET", "/tiles/1/2", "GET", "/tiles/{rest...}", 200, 5, "GET /tiles/{rest...}"},
		{"HEAD", tiles, hello, "HEAD", "/tiles/1/2/3", "HEAD", "/tiles/{z}/{x}/{y}", 200, 0, "HEAD /tiles/{z}/{x}/{y}"},
		{"no route", tiles, hello, "GET", "/secret/42", "GET", "", 404, 19, "GET"},
		{"wrong method", tiles, hello, "POST", "/tiles/1/2/3", "POST", "", 405, 19, "POST"},
		{"unknown method", tiles, hello, "BREW", "/tiles/1/2/3", "_OTHER", "", 405, 19, "HTTP"},
		{"unknown method that is answered", "/pot", hello, "BREW", "/pot", "_OTHER", "/pot", 200, 5, "HTTP /pot"},
		{"redirect to a clean path", "GET /tiles/{z}", hello, "GET", "/x/../tiles/1", "GET", "/tiles/{z}", 307, 44, "GET /tiles/{z}"},
		{"redirect of CONNECT", "/tiles/{z}/", hello, "CONNECT", "/tiles/42", "CONNECT", "", 307, 0, "CONNECT"},
		{"an error", tiles, echo(503), "GET", "/tiles/1/2/3", "GET", "/tiles/{z}/{x}/{y}", 503, 5, "GET /tiles/{z}/{x}/{y}"},
		{"nothing written", "GET /", func(http.ResponseWriter, *http.Request) {}, "GET", "/", "GET", "/", 200, 0, "GET /"},
		{"no content", "GET /", echo(204), "GET", "/", "GET", "/", 204, 0, "GET /"},
		{"two statuses", "GET /", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(418)
			w.WriteHeader(500)
		}, "GET", "/", "GET", "/", 418, 0, "GET /"},
		{"early hints", "GET /", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusTeapot)
			hello(w, r)
		}, "GET", "/", "GET", "/", 418, 5, "GET /"},
	} {
		t.Run(test.desc, func(t *testing.T) {
			x := request(t, route(test.pattern, test.handler), test.method, test.target, nil)
			if x.err != nil {
				t.Fatal(x.err)
			}
			if x.res.StatusCode != test.status {
				t.Errorf("status %d, want %d", x.res.StatusCode, test.status)
			}
			if n := x.count(t, test.label, test.route, fmt.Sprint(test.status)); n != 1 {
				t.Errorf("the histogram has %d under %s %q %d, want 1", n, test.label, test.route, test.status)
			}

			if x.span.Name() != test.span {
				t.Errorf("span %q, want %q", x.span.Name(), test.span)
			}
			attrs := attributes(x.span)
			if got, ok := attrs["http.route"]; got != test.route || ok != (test.route != "") {
				t.Errorf("http.route %q, want %q", got, test.route)
			}
			if attrs["http.response.status_code"] != fmt.Sprint(test.status) || attrs["http.request.method"] != test.label {
				t.Errorf("attributes %v, want status %d and method %s", attrs, test.status, test.label)
			}

			for name, want := range map[string]any{
				"method": test.method, "route": test.route, "status": float64(test.status), "bytes": float64(test.bytes),
			} {
				if x.line[name] != want {
					t.Errorf("the access line says %s %v, want %v", name, x.line[name], want)
				}
			}
			if duration, ok := x.line["duration"].(float64); !ok || duration < 0 {
				t.Errorf("the access line says duration %v", x.line["duration"])
			}
		})
	}
}

// TestServerTraceContext: who asks and who answers are in one trace, if what was sent names one.
func TestServerTraceContext(t *testing.T) {
	const trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	for _, test := range []struct {
		desc        string
		traceparent string
		continued   bool
		sampled     string
	}{
		{"none", "", false, "01"},
		{"sampled", "00-" + trace + "-" + parent + "-01", true, "01"},
		{"not sampled", "00-" + trace + "-" + parent + "-00", true, "00"},
		{"too short", "00-" + trace[1:] + "-" + parent + "-01", false, "01"},
		{"no trace", "00-00000000000000000000000000000000-" + parent + "-01", false, "01"},
		{"no span", "00-" + trace + "-0000000000000000-01", false, "01"},
		{"version ff", "ff-" + trace + "-" + parent + "-01", false, "01"},
		{"rubbish", "'; DROP TABLE traces", false, "01"},
	} {
		t.Run(test.desc, func(t *testing.T) {
			header := http.Header{}
			if test.traceparent != "" {
				header.Set("Traceparent", test.traceparent)
			}
			tel, logs := setup(t, nil, telemetry.Options{})
			spans := recordSpans(t, tel)
			res, _, err := ask(t, tel.Server(route("GET /", hello), nil), "GET", "/", header)
			if err != nil {
				t.Fatal(err)
			}
			traceID, spanID, flags := traceresponse(t, res)
			if continued := traceID == trace; continued != test.continued {
				t.Errorf("trace %s, continued is %t, want %t", traceID, continued, test.continued)
			}
			if flags != test.sampled {
				t.Errorf("flags %s, want %s", flags, test.sampled)
			}
			if spanID == parent {
				t.Error("the answer names the caller's span")
			}
			line := logs.Record(t, "request")
			if line["trace_id"] != traceID || line["span_id"] != spanID {
				t.Errorf("the access line is of %v %v, the answer of %s %s", line["trace_id"], line["span_id"], traceID, spanID)
			}
			if test.sampled == "00" {
				if n := len(spans.Ended()); n != 0 {
					t.Errorf("%d spans, want none", n)
				}
				return
			}
			sc := spans.Ended()[0].SpanContext()
			if sc.TraceID().String() != traceID || sc.SpanID().String() != spanID {
				t.Errorf("the span is %s %s, the answer names %s %s", sc.TraceID(), sc.SpanID(), traceID, spanID)
			}
		})
	}
}

func TestActiveRequests(t *testing.T) {
	tel, _ := setup(t, nil, telemetry.Options{})
	active := func() float64 {
		return metric(t, tel.Registry, "http_server_active_requests", nil).GetGauge().GetValue()
	}
	var during float64
	_, _, err := ask(t, tel.Server(route("GET /", func(http.ResponseWriter, *http.Request) { during = active() }), nil), "GET", "/", nil)
	if err != nil || during != 1 || active() != 0 {
		t.Errorf("%v active during the request and %v after it, want 1 and 0; %v", during, active(), err)
	}
	_, _, _ = ask(t, tel.Server(route("GET /", func(http.ResponseWriter, *http.Request) { panic("now") }), nil), "GET", "/", nil)
	if active() != 0 {
		t.Errorf("%v active after a panic, want 0", active())
	}
}
