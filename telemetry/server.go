package telemetry

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/felixge/httpsnoop"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/codes"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/trace"
)

type serverMetrics struct {
	duration *prometheus.HistogramVec
	active   prometheus.Gauge
}

func newServerMetrics(r prometheus.Registerer) *serverMetrics {
	m := &serverMetrics{
		duration: prometheus.NewHistogramVec(
			durations("http_server_request_duration_seconds", "Duration of HTTP server requests."),
			[]string{"http_request_method", "http_route", "http_response_status_code"}),
		active: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "http_server_active_requests", Help: "HTTP server requests that are being answered.",
		}),
	}
	r.MustRegister(m.duration, m.active)
	return m
}

// Annotate is asked for each request's context before it is answered; what it returns is asked for the
// attributes of the access line afterwards.
type Annotate func(context.Context) (context.Context, func() []slog.Attr)

// Server instruments next, which must be the router itself (an *http.ServeMux, which sets
// Request.Pattern): a server span by otelhttp, http_server_request_duration_seconds, one access line, and
// the Traceresponse header (W3C Trace Context, level 2). A panic becomes a 500 where no answer has begun
// and a broken connection where one has; http.ErrAbortHandler is passed on. annotate may be nil.
//
// Whatever stands between Server and the router must not replace the request, or the route is lost.
func (t *Telemetry) Server(next http.Handler, annotate Annotate) http.Handler {
	observed := http.HandlerFunc(func(w http.ResponseWriter, outer *http.Request) {
		start := time.Now()
		t.server.active.Inc()
		defer t.server.active.Dec()

		ctx := outer.Context()
		extra := func() []slog.Attr { return nil }
		if annotate != nil {
			ctx, extra = annotate(ctx)
		}
		r := outer.WithContext(ctx)
		span := trace.SpanFromContext(ctx)
		sc := span.SpanContext()
		if sc.IsValid() {
			w.Header().Set("Traceresponse", fmt.Sprintf("00-%s-%s-%s", sc.TraceID(), sc.SpanID(), sc.TraceFlags()))
		}

		a := answer{status: http.StatusOK}
		aborted := t.serve(next, a.watch(w), r, &a)
		elapsed := time.Since(start)

		// otelhttp knows the route only before the router has found it, and says nothing of what is aborted.
		route := routeOf(r)
		if route != "" {
			span.SetName(spanName(r.Method, route))
			span.SetAttributes(semconv.HTTPRoute(route))
		}
		switch {
		case aborted && a.begun:
			span.SetAttributes(semconv.HTTPResponseStatusCode(a.status))
		case aborted:
			a.status = 0 // no answer
		}
		if r.Method == http.MethodHead {
			a.bytes = 0 // net/http takes what is written, and sends none of it
		}
		observe(t.server.duration.WithLabelValues(methodOf(r.Method), route, strconv.Itoa(a.status)), elapsed, sc)
		t.Logger.LogAttrs(ctx, slog.LevelInfo, "request", append([]slog.Attr{
			slog.String("method", r.Method),
			slog.String("route", route),
			slog.String("path", r.URL.Path),
			slog.Int("status", a.status),
			slog.Int64("bytes", a.bytes),
			slog.Float64("duration", elapsed.Seconds()),
		}, extra()...)...)
		if aborted {
			panic(http.ErrAbortHandler)
		}
	})
	return otelhttp.NewHandler(observed, "",
		otelhttp.WithTracerProvider(t.TracerProvider),
		otelhttp.WithPropagators(t.Propagator),
		// One source emits the duration: the histogram above.
		otelhttp.WithMeterProvider(metricnoop.NewMeterProvider()),
	)
}

// serve runs next and tells whether the connection is to be aborted.
func (t *Telemetry) serve(next http.Handler, w http.ResponseWriter, r *http.Request, a *answer) (aborted bool) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		span := trace.SpanFromContext(r.Context())
		span.SetStatus(codes.Error, "aborted")
		if p != http.ErrAbortHandler {
			span.SetStatus(codes.Error, "panic")
			t.Logger.ErrorContext(r.Context(), "panic", "panic", p, "stack", string(debug.Stack()))
			if !a.begun {
				http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
				return
			}
		}
		aborted = true
	}()
	next.ServeHTTP(w, r)
	return false
}

// answer is what was seen of a response.
type answer struct {
	status int
	bytes  int64
	begun  bool
}

// watch wraps w without losing its optional interfaces. Each way to begin an answer has a
// hook; those for WriteString and FlushError are Write's and Flush's.
func (a *answer) watch(w http.ResponseWriter) http.ResponseWriter {
	return httpsnoop.Wrap(w, httpsnoop.Hooks{
		WriteHeader: func(next httpsnoop.WriteHeaderFunc) httpsnoop.WriteHeaderFunc {
			return func(code int) {
				informational := code < 200 && code != http.StatusSwitchingProtocols
				if !a.begun && !informational {
					a.status, a.begun = code, true
				}
				next(code)
			}
		},
		Write: func(next httpsnoop.WriteFunc) httpsnoop.WriteFunc {
			return func(b []byte) (int, error) {
				a.begun = true
				n, err := next(b)
				a.bytes += int64(n)
				return n, err
			}
		},
		ReadFrom: func(next httpsnoop.ReadFromFunc) httpsnoop.ReadFromFunc {
			return func(src io.Reader) (int64, error) {
				a.begun = true
				n, err := next(src)
				a.bytes += n
				return n, err
			}
		},
		Flush: func(next httpsnoop.FlushFunc) httpsnoop.FlushFunc {
			return func() { a.begun = true; next() }
		},
		Hijack: func(next httpsnoop.HijackFunc) httpsnoop.HijackFunc {
			return func() (net.Conn, *bufio.ReadWriter, error) { a.begun = true; return next() }
		},
	})
}

// routeOf is the path of the ServeMux pattern that matched: "GET /tiles/{z}" without its method. Empty
// means no route. Where ServeMux redirects a CONNECT, it says the path in place of a pattern.
func routeOf(r *http.Request) string {
	if r.Method == http.MethodConnect && !strings.HasPrefix(r.Pattern, http.MethodConnect) {
		return ""
	}
	if i := strings.IndexByte(r.Pattern, '/'); i > 0 {
		return r.Pattern[i:]
	}
	return r.Pattern
}

// spanName is what OpenTelemetry's HTTP conventions call a server span.
func spanName(method, route string) string {
	if method = methodOf(method); method == "_OTHER" {
		method = "HTTP"
	}
	return method + " " + route
}

// methodOf bounds the label: OpenTelemetry's name for methods that HTTP does not define is _OTHER.
func methodOf(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return "_OTHER"
}
