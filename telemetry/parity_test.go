package telemetry_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	dto "github.com/prometheus/client_model/go"

	"vitrine/telemetry"
)

// Where Vitrine differs from otelhttp: each reason stands in docs/signals.md.
const (
	aborted  = "an answer that broke off, or never came, is an error, and its status is what was sent: 0 is none"
	panicked = "a panic is a 500, an error, and an event"
	failure  = "a 5xx has an event: its access line is an ERROR"
	headSize = "a hit says nothing of the size of a body that HEAD leaves out"
	routed   = "`http.route` is on the span, where the conventions want it: otelhttp has it in the name and the metric only"
	original = "a method in small letters is no method of HTTP's (RFC 9110, section 9.1): it is `_OTHER` among the labels"
)

// parityCase is a request to be told of by otelhttp and by ours.
type parityCase struct {
	desc    string
	pattern string
	handler http.HandlerFunc
	request *http.Request
	// differences are what may differ, with the reason.
	differences map[string]string
}

// again is the request, with its body.
func (c parityCase) again(t *testing.T) *http.Request {
	r := c.request.Clone(t.Context())
	if r.ContentLength > 0 {
		r.Body = io.NopCloser(strings.NewReader("body"))
	}
	return r
}

func parityRequest(method, target string, change ...func(*http.Request)) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	r.Header.Set("User-Agent", "parity/1.0")
	for _, c := range change {
		c(r)
	}
	return r
}

func header(name string, values ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header[name] = values }
}

func parityCases() []parityCase {
	const tiles = "GET /tiles/{z}/{x}"
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(code)
			if code != 204 && code != 304 {
				_, _ = io.WriteString(w, "hello")
			}
		}
	}
	boom := func(w http.ResponseWriter, _ *http.Request) { panic(errors.New("boom")) }
	const sampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	remote := func(addr string) func(*http.Request) { return func(r *http.Request) { r.RemoteAddr = addr } }
	host := func(h string) func(*http.Request) { return func(r *http.Request) { r.Host = h } }
	proto := func(p string, major, minor int) func(*http.Request) {
		return func(r *http.Request) { r.Proto, r.ProtoMajor, r.ProtoMinor = p, major, minor }
	}
	body := func(r *http.Request) { r.ContentLength = 4 }
	fail := map[string]string{"events": failure}
	return []parityCase{
		{"GET", tiles, status(200), parityRequest("GET", "/tiles/1/2"), nil},
		{"HEAD", tiles, status(200), parityRequest("HEAD", "/tiles/1/2"), map[string]string{"attribute http.response.body.size": headSize}},
		{"POST with a body", "POST /in", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }, parityRequest("POST", "/in", body), nil},
		{"PUT", "/in", status(201), parityRequest("PUT", "/in"), nil},
		{"an unknown method", "/pot", status(200), parityRequest("BREW", "/pot"), nil},
		{"small letters", "/pot", status(200), parityRequest("get", "/pot"), map[string]string{"name": original, "metric http.request.method": original}},
		{"a literal route", "GET /slow", status(200), parityRequest("GET", "/slow?token=s3cret"), nil},
		{"a host in the pattern", "GET example.com/tiles/{z}", status(200), parityRequest("GET", "/tiles/1"), nil},
		{"no route", tiles, status(200), parityRequest("GET", "/nowhere"), nil},
		{"method not allowed", tiles, status(200), parityRequest("DELETE", "/tiles/1/2"), nil},
		{"redirect to a clean path", "GET /tiles/", status(200), parityRequest("GET", "/x/../tiles/"), nil},
		{"redirect to a slash", "GET /tiles/", status(200), parityRequest("GET", "/tiles"), nil},
		{"204", tiles, status(204), parityRequest("GET", "/tiles/1/2"), nil},
		{"304", tiles, status(304), parityRequest("GET", "/tiles/1/2"), nil},
		{"404 of the handler", tiles, status(404), parityRequest("GET", "/tiles/1/2"), nil},
		{"500", tiles, status(500), parityRequest("GET", "/tiles/1/2"), fail},
		{"503", tiles, status(503), parityRequest("GET", "/tiles/1/2"), fail},
		{"nothing written", "GET /", func(http.ResponseWriter, *http.Request) {}, parityRequest("GET", "/"), nil},
		{"a panic", "POST /", boom, parityRequest("POST", "/"), map[string]string{
			"name": panicked, "status": panicked, "events": panicked, "attribute http.response.status_code": panicked, "attribute http.response.body.size": panicked,
			"metric http.request.method": panicked, "metric http.route": panicked, "metric http.response.status_code": panicked}},
		{"ErrAbortHandler", "POST /", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, parityRequest("POST", "/"), map[string]string{
			"name": aborted, "status": aborted, "metric http.request.method": aborted, "metric http.route": aborted, "metric http.response.status_code": aborted}},
		{"ErrAbortHandler after a byte", "POST /", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "h")
			panic(http.ErrAbortHandler)
		}, parityRequest("POST", "/"), map[string]string{
			"name": aborted, "status": aborted, "attribute http.response.status_code": aborted,
			"metric http.request.method": aborted, "metric http.route": aborted, "metric http.response.status_code": aborted}},
		{"a flush", "POST /", func(w http.ResponseWriter, _ *http.Request) { _ = http.NewResponseController(w).Flush() }, parityRequest("POST", "/"), nil},
		{"a hijack", "POST /", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			conn.Close()
		}, parityRequest("POST", "/"), nil},
		{"HTTP/1.0", tiles, status(200), parityRequest("GET", "/tiles/1/2", proto("HTTP/1.0", 1, 0)), nil},
		{"HTTP/2", tiles, status(200), parityRequest("GET", "/tiles/1/2", proto("HTTP/2.0", 2, 0)), nil},
		{"TLS", tiles, status(200), parityRequest("GET", "https://example.com/tiles/1/2", func(r *http.Request) { r.TLS = new(tls.ConnectionState) }), nil},
		{"TLS on its own port", tiles, status(200), parityRequest("GET", "/tiles/1/2", host("example.com:443"), func(r *http.Request) { r.TLS = new(tls.ConnectionState) }), nil},
		{"a port", tiles, status(200), parityRequest("GET", "/tiles/1/2", host("example.com:8080")), nil},
		{"port 80", tiles, status(200), parityRequest("GET", "/tiles/1/2", host("example.com:80")), nil},
		{"no host", tiles, status(200), parityRequest("GET", "/tiles/1/2", host("")), nil},
		{"an IPv6 host", tiles, status(200), parityRequest("GET", "/tiles/1/2", host("[2001:db8::1]:8080")), nil},
		{"an IPv6 host without a port", tiles, status(200), parityRequest("GET", "/tiles/1/2", host("[2001:db8::1]")), nil},
		{"an IPv6 host without brackets", tiles, status(200), parityRequest("GET", "/tiles/1/2", host("2001:db8::1")), nil},
		{"a port that is none", tiles, status(200), parityRequest("GET", "/tiles/1/2", host("example.com:http")), nil},
		{"a port too high", tiles, status(200), parityRequest("GET", "/tiles/1/2", host("example.com:99999")), nil},
		{"an open bracket", tiles, status(200), parityRequest("GET", "/tiles/1/2", host("[2001:db8::1")), nil},
		{"an IPv6 peer", tiles, status(200), parityRequest("GET", "/tiles/1/2", remote("[2001:db8::2%eth0]:4321")), nil},
		{"a peer of a Unix socket", tiles, status(200), parityRequest("GET", "/tiles/1/2", remote("@")), nil},
		{"no peer", tiles, status(200), parityRequest("GET", "/tiles/1/2", remote("")), nil},
		{"no User-Agent", tiles, status(200), parityRequest("GET", "/tiles/1/2", func(r *http.Request) { r.Header.Del("User-Agent") }), nil},
		{"a proxy", tiles, status(200), parityRequest("GET", "/tiles/1/2", header("X-Forwarded-For", "192.0.2.1")), nil},
		{"three proxies", tiles, status(200), parityRequest("GET", "/tiles/1/2", header("X-Forwarded-For", "192.0.2.1, 198.51.100.2", "203.0.113.3"), header("X-Forwarded-Proto", "https"), header("Forwarded", "for=192.0.2.9")), nil},
		{"a trace", tiles, status(200), parityRequest("GET", "/tiles/1/2", header("Traceparent", sampled), header("Tracestate", "a=1")), nil},
		{"a trace that is none", tiles, status(200), parityRequest("GET", "/tiles/1/2", header("Traceparent", "00-x-y-01")), nil},
		{"baggage", tiles, status(200), parityRequest("GET", "/tiles/1/2", header("Baggage", "user=7")), nil},
	}
}

// hijackable gives its connection away.
type hijackable struct{ *httptest.ResponseRecorder }

func (hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, _ := net.Pipe()
	return conn, bufio.NewReadWriter(bufio.NewReader(conn), bufio.NewWriter(conn)), nil
}

// telling is what was told of a request, name by name.
type telling map[string]string

func tell(span sdktrace.ReadOnlySpan, metric map[string]string) telling {
	a := telling{
		"name": span.Name(), "kind": span.SpanKind().String(), "status": fmt.Sprint(span.Status()),
		"parent": fmt.Sprint(span.Parent().TraceID(), span.Parent().SpanID(), span.Parent().IsRemote(), span.SpanContext().TraceState()),
		"links":  fmt.Sprint(span.Links()), "flags": fmt.Sprint(span.SpanContext().TraceFlags()),
	}
	var events []string
	for _, e := range span.Events() {
		events = append(events, e.Name)
	}
	a["events"] = fmt.Sprint(events)
	for name, value := range attributes(span) {
		a["attribute "+name] = value
	}
	for name, value := range metric {
		a["metric "+name] = value
	}
	return a
}

// byOtelhttp is what otelhttp tells of c, with a meter of its own.
func byOtelhttp(t *testing.T, c parityCase) telling {
	spans, reader := tracetest.NewSpanRecorder(), sdkmetric.NewManualReader()
	tel, _ := setup(t, nil, telemetry.Options{})
	h := otelhttp.NewHandler(route(c.pattern, c.handler), "",
		otelhttp.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))),
		otelhttp.WithPropagators(tel.Propagator),
		otelhttp.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
	func() {
		defer func() { _ = recover() }()
		h.ServeHTTP(hijackable{httptest.NewRecorder()}, c.again(t))
	}()
	var data metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &data); err != nil {
		t.Fatal(err)
	}
	metric := map[string]string{}
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			h, ok := m.Data.(metricdata.Histogram[float64])
			if !ok || m.Name != "http.server.request.duration" {
				continue
			}
			for _, kv := range h.DataPoints[0].Attributes.ToSlice() {
				switch kv.Key {
				// The others are constant here, or whatever a client says, and so no labels of ours.
				case "http.request.method", "http.route", "http.response.status_code":
					metric[string(kv.Key)] = kv.Value.String()
				}
			}
		}
	}
	return tell(spans.Ended()[0], metric)
}

// byOurs is what telemetry.Server tells of c, whose handler may have the answer at hand.
func byOurs(t *testing.T, c parityCase, ready bool) telling {
	tel, _ := setup(t, nil, telemetry.Options{})
	spans := recordSpans(t, tel)
	mux := http.NewServeMux()
	if ready {
		mux.Handle(c.pattern, handy{c.handler})
	} else {
		mux.HandleFunc(c.pattern, c.handler)
	}
	func() {
		defer func() { _ = recover() }()
		tel.Server(mux, nil).ServeHTTP(hijackable{httptest.NewRecorder()}, c.again(t))
	}()
	metric := map[string]string{}
	families, err := tel.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != duration {
			continue
		}
		i := slices.IndexFunc(family.GetMetric(), func(m *dto.Metric) bool { return m.GetHistogram().GetSampleCount() == 1 })
		for _, l := range family.GetMetric()[i].GetLabel() {
			name := map[string]string{
				"http_request_method": "http.request.method", "http_route": "http.route", "http_response_status_code": "http.response.status_code",
			}[l.GetName()]
			if l.GetValue() != "" { // Prometheus: an empty label is none
				metric[name] = l.GetValue()
			}
		}
	}
	return tell(spans.Ended()[0], metric)
}

// handy has the answer of its handler at hand.
type handy struct{ http.Handler }

func (h handy) AtHand(*http.Request) telemetry.Answer { return prepared(h) }

type prepared handy

func (p prepared) Serve(w http.ResponseWriter, r *http.Request) (status int, bytes int64) {
	made := httptest.NewRecorder()
	p.ServeHTTP(made, r)
	maps.Copy(w.Header(), made.Header())
	w.WriteHeader(made.Code)
	if r.Method == http.MethodHead {
		return made.Code, 0
	}
	n, _ := w.Write(made.Body.Bytes())
	return made.Code, int64(n)
}

func (prepared) AppendSpanAttrs(attrs []attribute.KeyValue) []attribute.KeyValue { return attrs }

func (prepared) LogAttrs() []slog.Attr { return nil }

// TestParity sends the same requests through otelhttp and through ours, with the answer at hand and without,
// and compares what each tells of them, name by name.
func TestParity(t *testing.T) {
	compared, requests, met := 0, 0, map[string]bool{}
	for _, c := range parityCases() {
		for _, ready := range []bool{false, true} {
			if ready && c.request.Method != "GET" && c.request.Method != "HEAD" {
				continue
			}
			t.Run(c.desc+" at hand "+strconv.FormatBool(ready), func(t *testing.T) {
				requests++
				want, got := byOtelhttp(t, c), byOurs(t, c, ready)
				names := slices.Sorted(maps.Keys(want))
				for name := range got {
					if _, ok := want[name]; !ok {
						names = append(names, name)
					}
				}
				for _, name := range names {
					compared++
					w, inWant := want[name]
					g, inGot := got[name]
					if w == g && inWant == inGot {
						continue
					}
					reason := c.differences[name]
					if name == "attribute http.route" {
						reason = routed
					}
					if reason != "" {
						met[reason] = true
						continue
					}
					t.Errorf("%s: otelhttp says %q (%t), ours %q (%t)", name, w, inWant, g, inGot)
				}
			})
		}
	}
	docs, err := os.ReadFile("../docs/signals.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(docs), "## Where Vitrine differs from otelhttp")
	section = strings.Join(strings.Fields(section), " ")
	for _, reason := range []string{aborted, panicked, failure, headSize, routed, original} {
		if !met[reason] {
			t.Errorf("nothing differs because %q", reason)
		}
		if !strings.Contains(section, reason) {
			t.Errorf("docs/signals.md does not say: %s", reason)
		}
	}
	t.Logf("%d requests, %d names compared; what differs has one of %d reasons", requests, compared, len(met))
}
