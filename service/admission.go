package main

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vitrine/telemetry"
)

// admission lets so many requests in at once. Whoever comes beyond is told at once to come back, before anything
// is spent on them: an answer that comes when nobody waits for it any more helps nobody, and costs those who do.
//
// Nor does it let in what would keep a place without an answer: net/http waits for a body that nobody reads until
// ReadTimeout. No endpoint takes one.
type admission struct {
	limit     int64 // 0: any number
	router    *http.ServeMux
	telemetry *telemetry.Telemetry
	inside    atomic.Int64
	shed      prometheus.Counter
}

func newAdmission(limit int, router *http.ServeMux, t *telemetry.Telemetry) *admission {
	a := &admission{limit: int64(limit), router: router, telemetry: t, shed: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "http_server_shed_requests_total", Help: "Requests that were turned away because too many were being answered.",
	})}
	t.Registry.MustRegister(a.shed)
	return a
}

// handler is next for those that are let in. Who asks for /health always is: a busy replica is not an ill one.
func (a *admission) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			// What has come with the header is read, and nothing more is waited for. An error: then it is no
			// connection on which anything could be awaited.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now())
			w.Header().Set("Connection", "close")
			a.refuse(w, r, http.StatusRequestEntityTooLarge, "no endpoint takes a body")
			return
		}
		// Another protocol is never spoken, so the wish for one is passed over (RFC 9110, section 7.8).
		delete(r.Header, "Upgrade")
		if a.inside.Add(1) > a.limit && a.limit > 0 && r.URL.Path != "/health" {
			a.inside.Add(-1)
			a.shed.Inc()
			w.Header().Set("Retry-After", "1")
			a.refuse(w, r, http.StatusServiceUnavailable, "too many requests are being answered")
			return
		}
		defer a.inside.Add(-1)
		next.ServeHTTP(w, r)
	})
}

// refuse answers without a span or a line, but not unseen.
func (a *admission) refuse(w http.ResponseWriter, r *http.Request, status int, why string) {
	start := time.Now()
	problem(w, status, why)
	a.telemetry.Observe(a.router, r, status, time.Since(start))
}
