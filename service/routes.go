package main

import (
	"encoding/json"
	"net/http"
	"net/http/pprof"
	"time"
)

// publicHandler is what users reach.
func (s *server) publicHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", page())
	mux.Handle("GET /assets/{name}", assets())
	mux.HandleFunc("GET /health", s.health.public)
	mux.Handle("GET /slow", s.caches.slow.Handler(s.faults.origin("slow", slow(s.cfg.slowDelay, s.instance()))))
	mux.Handle("GET /tiles/{z}/{x}/{y}", validTile{s.caches.tiles.Handler(s.faults.origin("tiles", tileImage()))})
	mux.Handle("GET /stats/{z}/{x}/{y}", s.tileStats())

	// From the outside in. Telemetry wraps the router itself: the route that the router finds is on the
	// request that telemetry made. Draining stands outside, so that every answer says it.
	return s.drain(s.telemetry.Server(mux, annotate))
}

// opsHandler is what operators reach. It is on a port of its own that is never published.
func (s *server) opsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", s.health.livez)
	mux.HandleFunc("GET /readyz", s.health.readyz)
	mux.Handle("GET /metrics", s.telemetry.Metrics())
	mux.Handle("GET /debug/tracez", s.telemetry.Tracez())
	mux.Handle("/debug/log-level", s.telemetry.LevelHandler())
	mux.HandleFunc("GET /debug/cache", s.showCaches)
	mux.HandleFunc("GET /debug/cache.css", cacheStyle)
	mux.HandleFunc("POST /debug/cache/purge", s.purge)
	if s.faults != nil {
		mux.HandleFunc("GET /debug/faults", s.showFaults)
		mux.HandleFunc("PUT /debug/faults", s.setFaults)
		mux.HandleFunc("DELETE /debug/faults", s.endFaults)
	}
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	// No page of another origin makes an operator's browser change something here.
	return http.NewCrossOriginProtection().Handler(mux)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that is gone: the server notices
}

// problem answers with what is wrong with the request (RFC 9457).
func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct {
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{http.StatusText(status), status, detail})
}

// slow is the smallest slow endpoint: it sleeps. A shutdown or a deadline wakes it.
func slow(delay time.Duration, instance string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		select {
		case <-time.After(delay):
		case <-r.Context().Done():
			problem(w, http.StatusServiceUnavailable, "the request ended before the work did")
			return
		}
		writeJSON(w, http.StatusOK, struct {
			Status     string    `json:"status"`
			ComputedAt time.Time `json:"computed_at"`
			Took       string    `json:"took"`
			Instance   string    `json:"instance"`
		}{"ok", start.UTC(), time.Since(start).String(), instance})
	})
}
