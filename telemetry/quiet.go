package telemetry

import (
	"net/http"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Quiet has a route's requests be measured, and leave no span and no access line, as long as they do not panic: for those
// that come every second, such as a page's for news, among which others would not be found. What stands around it in the
// router hides it.
func Quiet(h http.Handler) http.Handler { return quiet{h} }

type quiet struct{ http.Handler }

// serveQuietly is what Server does for quiet routes. router calls the one of the pattern.
func (t *Telemetry) serveQuietly(w http.ResponseWriter, r *http.Request, router http.Handler, pattern string, start time.Time) {
	a := t.answerTo(w.Header(), start)
	aborted := t.serve(router, a.watch(w), r, a)
	if aborted && !a.begun {
		a.status = 0 // no answer
	}
	end := time.Now()
	t.server.series(r.Method, pathOf(pattern), a.status).observe(end.Sub(start), end, trace.SpanContext{})
	if aborted {
		panic(http.ErrAbortHandler)
	}
}
