package telemetry

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
)

// Transport wraps base (nil means http.DefaultTransport) so that every call has a client span, carries the
// trace to the server, and counts in http_client_request_duration_seconds, until the response's header.
func (t *Telemetry) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return otelhttp.NewTransport(timedTransport{base, t.client},
		otelhttp.WithTracerProvider(t.TracerProvider),
		otelhttp.WithPropagators(t.Propagator),
		otelhttp.WithMeterProvider(metricnoop.NewMeterProvider()),
	)
}

// clientMetrics are those of the calls that the program makes. There is no label for the server: a client may
// call any number of them.
type clientMetrics struct {
	duration *prometheus.HistogramVec
	known    table[callKey, *series]
}

type callKey struct {
	method, failure string
	status          int // 0: no response came
}

func newClientMetrics(r prometheus.Registerer) *clientMetrics {
	m := &clientMetrics{duration: prometheus.NewHistogramVec(
		durations("http_client_request_duration_seconds", "Duration of HTTP client requests."),
		[]string{"http_request_method", "http_response_status_code", "error_type"})}
	r.MustRegister(m.duration)
	m.series(callKey{method: http.MethodGet, status: http.StatusOK})
	return m
}

func (m *clientMetrics) series(k callKey) *series {
	return m.known.get(k, func(k callKey) *series {
		status := ""
		if k.status != 0 {
			status = strconv.Itoa(k.status)
		}
		return newSeries(m.duration.WithLabelValues(k.method, status, k.failure))
	})
}

type timedTransport struct {
	next    http.RoundTripper
	metrics *clientMetrics
}

func (t timedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	start := time.Now()
	res, err := t.next.RoundTrip(r)
	now := time.Now()
	k := callKey{method: methodOf(r.Method)}
	switch {
	case err != nil:
		k.failure = failureOf(err)
	default:
		k.status = res.StatusCode
		if k.status >= http.StatusBadRequest {
			k.failure = strconv.Itoa(k.status)
		}
	}
	t.metrics.series(k).observe(now.Sub(start), now, trace.SpanContextFromContext(r.Context()))
	return res, err
}

// failureOf is the error's type, in few words.
func failureOf(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.As(err, new(*net.OpError)):
		return "connection_error"
	}
	return "_OTHER"
}
