package telemetry

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
)

// serverMetrics are those of the requests that a server answers.
type serverMetrics struct {
	duration *prometheus.HistogramVec
	active   atomic.Int64
	panics   prometheus.Counter

	known table[seriesKey, *series]
}

// seriesKey is of few values: methodOf bounds the method, the router the route.
type seriesKey struct {
	method, route string
	status        int
}

func newServerMetrics(r prometheus.Registerer) *serverMetrics {
	m := &serverMetrics{
		duration: prometheus.NewHistogramVec(
			durations("http_server_request_duration_seconds", "Duration of HTTP server requests."),
			[]string{"http_request_method", "http_route", "http_response_status_code"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "http_server_panics_total", Help: "Handlers that panicked, http.ErrAbortHandler apart.",
		}),
	}
	active := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "http_server_active_requests", Help: "HTTP server requests that are being answered.",
	}, func() float64 { return float64(m.active.Load()) })
	r.MustRegister(m.duration, active, m.panics)
	return m
}

// series is the histogram of the requests with these labels. Resolving them anew would cost more than the
// observation does. With a route's first answer its 500s begin at 0: rate() does not see how a counter came
// to be, and would miss the first failures of each replica.
func (m *serverMetrics) series(method, route string, status int) *series {
	return m.known.get(seriesKey{methodOf(method), route, status}, func(k seriesKey) *series {
		if k.route != "" {
			m.duration.WithLabelValues(k.method, k.route, strconv.Itoa(http.StatusInternalServerError))
		}
		return newSeries(m.duration.WithLabelValues(k.method, k.route, strconv.Itoa(k.status)))
	})
}

// Observe puts an exchange that Server does not see into http_server_request_duration_seconds: one that was turned away
// before a span or a line was spent on it. router has its route.
func (t *Telemetry) Observe(router *http.ServeMux, r *http.Request, status int, elapsed time.Duration) {
	_, pattern := router.Handler(r)
	t.server.series(r.Method, pathOf(pattern), status).observe(elapsed, time.Now(), trace.SpanContext{})
}
