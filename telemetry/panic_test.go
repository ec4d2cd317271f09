package telemetry_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/codes"

	"vitrine/telemetry"
)

func TestPanic(t *testing.T) {
	boom := errors.New("boom")
	for _, test := range []struct {
		desc    string
		handler http.HandlerFunc
		broken  bool // the client sees no whole answer
		status  int  // 0: there was none
		logged  bool // as a panic
	}{
		{"before the first byte", func(http.ResponseWriter, *http.Request) { panic(boom) }, false, 500, true},
		{"a value that does not compare", func(http.ResponseWriter, *http.Request) { panic([]string{"boom"}) }, false, 500, true},
		{"after an early hint", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			panic(boom)
		}, false, 500, true},
		{"after the headers", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusAccepted)
			panic(boom)
		}, true, 202, true},
		{"after Write", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("half"))
			panic(boom)
		}, true, 200, true},
		{"after WriteString", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half")
			panic(boom)
		}, true, 200, true},
		{"after ReadFrom", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.(io.ReaderFrom).ReadFrom(strings.NewReader("half"))
			panic(boom)
		}, true, 200, true},
		{"after Flush", func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush()
			panic(boom)
		}, true, 200, true},
		{"after Hijack", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				conn.Close()
			}
			panic(boom)
		}, true, 200, true},
		{"ErrAbortHandler", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, true, 0, false},
		{"ErrAbortHandler after Write", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("half"))
			panic(http.ErrAbortHandler)
		}, true, 200, false},
	} {
		t.Run(test.desc, func(t *testing.T) {
			x := request(t, route("GET /tiles/{z}", test.handler), "GET", "/tiles/1", nil)
			if (x.err != nil) != test.broken {
				t.Errorf("the client has %v, want a broken connection: %t", x.err, test.broken)
			}
			if !test.broken && (x.res.StatusCode != 500 || strings.Contains(x.body, "boom")) {
				t.Errorf("status %d, body %q; want a 500 that does not say why", x.res.StatusCode, x.body)
			}
			if n := x.count(t, "GET", "/tiles/{z}", fmt.Sprint(test.status)); n != 1 {
				t.Errorf("the histogram has %d under status %d, want 1", n, test.status)
			}
			if x.line["status"] != float64(test.status) {
				t.Errorf("the access line says status %v, want %d", x.line["status"], test.status)
			}

			if x.span.Status().Code != codes.Error {
				t.Errorf("the span's status is %v, want an error", x.span.Status())
			}
			if x.span.Name() != "GET /tiles/{z}" || attributes(x.span)["http.route"] != "/tiles/{z}" {
				t.Errorf("span %q, attributes %v; want its route", x.span.Name(), attributes(x.span))
			}
			if got := attributes(x.span)["http.response.status_code"]; test.status != 0 && got != fmt.Sprint(test.status) {
				t.Errorf("the span's http.response.status_code is %q, want %d", got, test.status)
			}

			counted := metric(t, x.tel.Registry, "http_server_panics_total", nil).GetCounter().GetValue()
			if (counted == 1) != test.logged || counted > 1 {
				t.Errorf("%v panics counted, want one: %t", counted, test.logged)
			}
			if !test.logged {
				if n := len(x.logs.Records(t, "panic")); n != 0 {
					t.Errorf("%d lines of a panic, want none", n)
				}
				return
			}
			line := x.logs.Record(t, "panic")
			stack, _ := line["stack"].(string)
			if line["level"] != "ERROR" || !strings.Contains(fmt.Sprint(line["panic"]), "boom") {
				t.Errorf("want an error that says what: %v", line)
			}
			if !strings.HasPrefix(stack, "vitrine/telemetry_test.TestPanic.func") || strings.Contains(stack, "runtime.") || strings.Contains(stack, "ServeMux") || strings.Contains(stack, "otelhttp") {
				t.Errorf("want a stack from the handler to the router:\n%s", stack)
			}
			if line["trace_id"] != x.span.SpanContext().TraceID().String() {
				t.Errorf("the line's trace is %v, the span's %s", line["trace_id"], x.span.SpanContext().TraceID())
			}
			if events := x.span.Events(); len(events) == 0 || events[0].Name != "panic" {
				t.Errorf("events %v on the span, want the panic", events)
			}
		})
	}
}

func TestPanicLeavesServerAlive(t *testing.T) {
	tel, logs := setup(t, nil, telemetry.Options{})
	mux := route("GET /panic", func(http.ResponseWriter, *http.Request) { panic("boom") })
	mux.HandleFunc("GET /hello", hello)
	srv := httptest.NewServer(tel.Server(mux, nil))
	defer srv.Close()
	for range 3 {
		for path, want := range map[string]int{"/panic": 500, "/hello": 200} {
			res, err := srv.Client().Get(srv.URL + path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, res.Body); err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != want {
				t.Errorf("%s: status %d, want %d", path, res.StatusCode, want)
			}
		}
	}
	srv.Close()
	if panics, lines := len(logs.Records(t, "panic")), len(logs.Records(t, "request")); panics != 3 || lines != 6 {
		t.Errorf("%d panics and %d access lines, want 3 and 6", panics, lines)
	}
}
