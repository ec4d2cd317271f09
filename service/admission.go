package main

import (
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// admission lets so many requests in at once. Whoever comes beyond is told at once to come back, before anything
// is spent on them: an answer that comes when nobody waits for it any more helps nobody, and costs those who do.
type admission struct {
	limit  int64 // 0: any number
	inside atomic.Int64
	shed   prometheus.Counter
}

func newAdmission(limit int, r prometheus.Registerer) *admission {
	a := &admission{limit: int64(limit), shed: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "http_server_shed_requests_total", Help: "Requests that were turned away because too many were being answered.",
	})}
	r.MustRegister(a.shed)
	return a
}

// handler is next for those that are let in. Who asks for /health always is: a busy replica is not an ill one.
func (a *admission) handler(next http.Handler) http.Handler {
	if a.limit == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer a.inside.Add(-1)
		if a.inside.Add(1) > a.limit && r.URL.Path != "/health" {
			a.shed.Inc()
			w.Header().Set("Retry-After", "1")
			problem(w, http.StatusServiceUnavailable, "too many requests are being answered")
			return
		}
		next.ServeHTTP(w, r)
	})
}
