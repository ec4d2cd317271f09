package telemetry_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"vitrine/telemetry"
	"vitrine/telemetry/telemetrytest"
)

// exchange is what one request to a real server left behind.
type exchange struct {
	res  *http.Response // nil where err is not
	body string
	err  error // of the client
	span sdktrace.ReadOnlySpan
	line map[string]any // the access line
	tel  *telemetry.Telemetry
	logs *telemetrytest.Log
}

// request sends one to mux behind telemetry, and returns once the server has done with it.
func request(t *testing.T, mux http.Handler, method, target string, header http.Header) exchange {
	t.Helper()
	tel, logs := setup(t, nil, telemetry.Options{})
	spans := recordSpans(t, tel)
	x := exchange{tel: tel, logs: logs}
	x.res, x.body, x.err = ask(t, tel.Server(mux, nil), method, target, header)
	if n := len(spans.Ended()); n != 1 {
		t.Fatalf("%d spans ended, want 1", n)
	}
	x.span = spans.Ended()[0]
	x.line = logs.Record(t, "request")
	return x
}

// ask serves one request by h on a real listener, and waits until h has returned.
func ask(t *testing.T, h http.Handler, method, target string, header http.Header) (*http.Response, string, error) {
	t.Helper()
	done := make(chan struct{})
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		h.ServeHTTP(w, r)
	}))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.Start()
	defer srv.Close()
	// One connection for one request: an aborted one must not be tried again.
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, srv.URL+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	res, err := transport.RoundTrip(req)
	var body []byte
	if err == nil {
		body, err = io.ReadAll(res.Body)
		res.Body.Close()
	}
	<-done
	return res, string(body), err
}

// route is a mux with one handler.
func route(pattern string, h http.HandlerFunc) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc(pattern, h)
	return mux
}

// hello answers with five bytes.
func hello(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }

// count is how many requests the histogram has under the labels.
func (x exchange) count(t *testing.T, method, route, status string) uint64 {
	t.Helper()
	return metric(t, x.tel.Registry, "http_server_request_duration_seconds", map[string]string{
		"http_request_method": method, "http_route": route, "http_response_status_code": status,
	}).GetHistogram().GetSampleCount()
}

// traceresponse is the trace and the span that the answer names.
func traceresponse(t *testing.T, res *http.Response) (traceID, spanID, flags string) {
	t.Helper()
	parts := strings.Split(res.Header.Get("Traceresponse"), "-")
	if len(parts) != 4 || parts[0] != "00" {
		t.Fatalf("Traceresponse %q", res.Header.Get("Traceresponse"))
	}
	return parts[1], parts[2], parts[3]
}
