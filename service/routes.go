package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/pprof"

	"vitrine/cache"
	"vitrine/telemetry"
)

// router has the endpoints that users reach.
func (s *server) router() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", page(s.cfg))
	mux.Handle("GET /assets/{name...}", assets())
	mux.Handle("GET /minute", telemetry.Quiet(http.HandlerFunc(s.minute.serve)))
	mux.Handle("POST /stampede", s.stampede())
	mux.HandleFunc("GET /health", s.health.public)
	mux.Handle("GET /slow", s.caches.slow.Handler(s.faults.origin("slow", slow(s.cfg.slowDelay, s.instance()))))
	mux.Handle("GET /tiles/{z}/{x}/{y}", validTile{s.caches.tiles.Handler(s.faults.origin("tiles", tileImage()))})
	mux.Handle("GET /stats/{z}/{x}/{y}", s.tileStats())
	return mux
}

// publicHandler is what users reach. From the outside in: draining, so that every answer says it; admission, which
// costs next to nothing; the measuring of what caches answered; and telemetry around the router itself, because the
// route that the router finds is on the request that telemetry made.
func (s *server) publicHandler(router *http.ServeMux) http.Handler {
	instrument := s.telemetry.PublicServer
	if s.cfg.trustTrace {
		instrument = s.telemetry.Server
	}
	return s.drain(newAdmission(s.cfg.maxRequests, router, s.telemetry).handler(s.minute.handler(instrument(router, cache.Annotate))))
}

// selfHandler is what this process asks of itself: that belongs to requests that were let in, and to their traces.
func (s *server) selfHandler(router *http.ServeMux) http.Handler {
	return s.drain(s.minute.handler(s.telemetry.Server(router, cache.Annotate)))
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

// brokenOff answers a request whose work did not end for want of time. Whoever has left gets no answer: a status that
// nobody received would be a lie.
func brokenOff(w http.ResponseWriter, r *http.Request) {
	if context.Cause(r.Context()) == context.Canceled {
		panic(http.ErrAbortHandler)
	}
	problem(w, http.StatusServiceUnavailable, "the request ended before the work did")
}
