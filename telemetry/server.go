package telemetry

import (
	"log/slog"
	"net/http"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/codes"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Server instruments next, which must be the router itself (an *http.ServeMux, or another that sets
// Request.Pattern): a server span by otelhttp, http_server_request_duration_seconds, one access line, and
// the fields Traceresponse (W3C Trace Context, level 2) and, where Options.ServerTiming says so, Server-Timing.
// A panic becomes a 500 where no answer has begun and a broken connection where one has;
// http.ErrAbortHandler is passed on. annotate may be nil.
//
// Whatever stands between Server and the router must not replace the request, or the route is lost.
//
// Where next is an *http.ServeMux, a route's handler that is AtHand is asked first, and what it has is
// served with the same signals for a fraction of their price; one that is Quiet leaves no span and no line.
//
// It continues the trace of whoever calls, and takes their baggage along: that is for callers who may be
// trusted with it. PublicServer is for all others.
func (t *Telemetry) Server(next http.Handler, annotate Annotate) http.Handler {
	return t.serverOf(next, annotate, caller{t.Propagator, false})
}

// PublicServer is Server for callers who are not to be trusted: what they send makes no trace longer, decides
// nothing about sampling, and goes to nobody. Each request begins a trace of its own, linked to its caller's
// (W3C Trace Context, section 7; OpenTelemetry's "public endpoint").
func (t *Telemetry) PublicServer(next http.Handler, annotate Annotate) http.Handler {
	return t.serverOf(next, annotate, caller{withoutBaggage{t.Propagator}, true})
}

func (t *Telemetry) serverOf(next http.Handler, annotate Annotate, from caller) http.Handler {
	mux, _ := next.(*http.ServeMux)
	whole := otelhttp.NewHandler(t.observed(next, annotate), "",
		otelhttp.WithTracerProvider(t.TracerProvider),
		otelhttp.WithPropagators(from.propagator),
		otelhttp.WithPublicEndpointFn(func(*http.Request) bool { return from.stranger }),
		// One source emits the duration: our histogram.
		otelhttp.WithMeterProvider(metricnoop.NewMeterProvider()),
	)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		t.server.active.Add(1)
		defer t.server.active.Add(-1)
		switch h, pattern := handlerOf(mux, r); h := h.(type) {
		case AtHand:
			if a := h.AtHand(r); a != nil {
				t.serveAtHand(w, r, from, a, pattern, start)
				return
			}
		case quiet:
			t.serveQuietly(w, r, next, pattern, start)
			return
		}
		whole.ServeHTTP(w, r)
	})
}

// observed is what stands between otelhttp and the router. It hands on the very request that it measures:
// the route that the router finds is on it.
func (t *Telemetry) observed(next http.Handler, annotate Annotate) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, outer *http.Request) {
		start := time.Now()
		ctx := outer.Context()
		var note Note
		if annotate != nil {
			ctx, note = annotate(ctx)
		}
		r := outer.WithContext(ctx)
		span := trace.SpanFromContext(ctx)
		sc := span.SpanContext()
		t.nameTrace(w.Header(), sc)

		a := t.answerTo(w.Header(), start)
		aborted := t.serve(next, a.watch(w), r, a)
		end := time.Now()
		elapsed := end.Sub(start)

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
		var attrs []slog.Attr
		routine := false
		if note != nil {
			attrs, routine = note()
		}
		t.server.series(r.Method, route, a.status).observe(elapsed, end, sc)
		t.access(ctx, r, exchange{route, a.status, a.bytes, elapsed, end}, routine, func() []slog.Attr { return attrs })
		if aborted {
			panic(http.ErrAbortHandler)
		}
	})
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
			t.server.panics.Inc()
			t.Logger.ErrorContext(r.Context(), "panic", "panic", p, "stack", panicStack())
			if !a.begun {
				http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
				return
			}
		}
		aborted = true
	}()
	next.ServeHTTP(w, r)
	a.begin() // if by nobody else, then by net/http
	return false
}
