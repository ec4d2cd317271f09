package telemetry

import (
	"log/slog"
	"net/http"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// AtHand is a handler that may have an answer at hand, such as one of package cache.
type AtHand interface {
	http.Handler
	// AtHand returns the answer to r, or nil: then ServeHTTP gives it.
	AtHand(r *http.Request) Answer
}

// Answer is one that is at hand, to a GET or HEAD.
type Answer = interface {
	// Serve writes the answer to r. It returns the status and the bytes written of the body.
	Serve(w http.ResponseWriter, r *http.Request) (status int, bytes int64)
	// AppendSpanAttrs appends those of the answer to the span's.
	AppendSpanAttrs([]attribute.KeyValue) []attribute.KeyValue
	// LogAttrs are those of the access line.
	LogAttrs() []slog.Attr
}

// handlerOf is the handler that mux would call, with its pattern, of requests that a shorter way may be open to.
// What stands around that handler hides it, and so is never left out.
func handlerOf(mux *http.ServeMux, r *http.Request) (http.Handler, string) {
	if mux == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return nil, ""
	}
	return mux.Handler(r)
}

// handRoute is what is known beforehand of the answers at hand to a method on a pattern.
type handRoute struct {
	span  string
	route string
	ok    *series // of status 200
}

type handKey struct{ method, pattern string }

func (t *Telemetry) handRoute(method, pattern string) *handRoute {
	return t.handRoutes.get(handKey{method, pattern}, func(k handKey) *handRoute {
		route := pathOf(k.pattern)
		return &handRoute{spanName(k.method, route), route, t.server.series(k.method, route, http.StatusOK)}
	})
}

// serveAtHand says of an answer what otelhttp and observed say of others. It needs no watch over the
// ResponseWriter and no request of its own, because no handler runs; and a span that nobody records is
// told nothing.
func (t *Telemetry) serveAtHand(w http.ResponseWriter, r *http.Request, from caller, a Answer, pattern string, start time.Time) {
	known := t.handRoute(r.Method, pattern)
	ctx, options := r.Context(), t.startServer
	if !t.w3cOnly || r.Header["Traceparent"] != nil || r.Header["Baggage"] != nil {
		ctx = from.propagator.Extract(ctx, propagation.HeaderCarrier(r.Header))
		if sc := trace.SpanContextFromContext(ctx); from.stranger && sc.IsRemote() {
			options = append(slices.Clip(options), trace.WithNewRoot(), trace.WithLinks(trace.Link{SpanContext: sc}))
		}
	}
	ctx, span := t.tracer.Start(ctx, known.span, options...)
	defer span.End()
	sc := span.SpanContext()
	t.nameTrace(w.Header(), sc)
	t.timing.name(w.Header(), start)
	status, bytes := a.Serve(w, r)
	end := time.Now()
	if span.IsRecording() {
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
		attrs, _ := t.attributes.Get().(*[]attribute.KeyValue) // the span copies them
		if attrs == nil {
			attrs = new([]attribute.KeyValue)
		}
		*attrs = a.AppendSpanAttrs(appendServerAttributes((*attrs)[:0], r, known.route, status, bytes))
		span.SetAttributes(*attrs...)
		t.attributes.Put(attrs)
	}
	s := known.ok
	if status != http.StatusOK {
		s = t.server.series(r.Method, known.route, status)
	}
	s.observe(end.Sub(start), end, sc)
	t.access(ctx, r, exchange{known.route, status, bytes, end.Sub(start), end}, true, a.LogAttrs)
}
