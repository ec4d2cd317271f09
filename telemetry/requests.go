package telemetry

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// serverMetrics are those of the requests that a server answers.
type serverMetrics struct {
	duration *prometheus.HistogramVec
	active   prometheus.Gauge
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
		active: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "http_server_active_requests", Help: "HTTP server requests that are being answered.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "http_server_panics_total", Help: "Handlers that panicked, http.ErrAbortHandler apart.",
		}),
	}
	r.MustRegister(m.duration, m.active, m.panics)
	return m
}

// series is the histogram of the requests with these labels. Resolving them anew would cost more than the
// observation does.
func (m *serverMetrics) series(method, route string, status int) *series {
	return m.known.get(seriesKey{methodOf(method), route, status}, func(k seriesKey) *series {
		return newSeries(m.duration.WithLabelValues(k.method, k.route, strconv.Itoa(k.status)))
	})
}
