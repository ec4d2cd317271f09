package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	metricnoop "go.opentelemetry.io/otel/metric/noop"

	"vitrine/cache"
	"vitrine/telemetry"
)

// Who answers /slow, which is in memory.
var (
	onePercent = []string{"OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.01"}
	everything = []string{"OTEL_TRACES_SAMPLER=always_on"}

	hitContenders = enlist("hit",
		contender{name: "net/http, bare", serve: func(context.Context) (http.Handler, error) { return bare(), nil }},
		contender{name: "otelhttp, 1 % sampled", env: onePercent, serve: justOtelhttp},
		contender{name: "otelhttp, 1 % sampled, a log line each", env: onePercent, serve: otelhttpAndLog},
		contender{name: "otelhttp, all sampled", env: everything, serve: justOtelhttp},
		contender{name: "near hit, 1 % sampled", env: onePercent, serve: nearHit(true)},
		contender{name: "near hit, all sampled", env: everything, serve: nearHit(true)},
		contender{name: "near hit behind otelhttp, 1 % sampled", env: onePercent, serve: nearHit(false)},
	)
)

// bare answers as a near hit of /slow does, header fields included.
func bare() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Traceresponse", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")
		explained(w, r)
	})
	return mux
}

const slowText = `{"status":"ok","computed_at":"2026-01-01T00:00:00.000000000Z","took":"2.000000000s","instance":"replica"}`

func slowBody(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, slowText)
}

func setup(ctx context.Context) (*telemetry.Telemetry, error) {
	return telemetry.Setup(ctx, telemetry.Options{Service: "bench", Logs: io.Discard})
}

func justOtelhttp(ctx context.Context) (http.Handler, error) { return instrumented(ctx, nil) }

func otelhttpAndLog(ctx context.Context) (http.Handler, error) {
	return instrumented(ctx, func(t *telemetry.Telemetry, r *http.Request) {
		t.Logger.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("method", r.Method), slog.String("path", r.URL.Path))
	})
}

func instrumented(ctx context.Context, afterwards func(*telemetry.Telemetry, *http.Request)) (http.Handler, error) {
	t, err := setup(ctx)
	if err != nil {
		return nil, err
	}
	next := bare()
	return otelhttp.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		if afterwards != nil {
			afterwards(t, r)
		}
	}), "",
		otelhttp.WithTracerProvider(t.TracerProvider),
		otelhttp.WithPropagators(t.Propagator),
		otelhttp.WithMeterProvider(metricnoop.NewMeterProvider()),
	), nil
}

// nearHit is how importers of both packages answer; with atHand false the way that every answer but a near hit takes.
func nearHit(atHand bool) func(context.Context) (http.Handler, error) {
	return func(ctx context.Context) (http.Handler, error) {
		t, err := setup(ctx)
		if err != nil {
			return nil, err
		}
		slow, err := cache.New(nil, cache.Options{
			Name: "slow", TTL: time.Hour, Registerer: t.Registry, TracerProvider: t.TracerProvider, Logger: t.Logger,
		})
		if err != nil {
			return nil, err
		}
		mux := http.NewServeMux()
		var h http.Handler = slow.Handler(http.HandlerFunc(slowBody))
		if !atHand {
			h = http.HandlerFunc(h.ServeHTTP) // hides what is at hand
		}
		mux.Handle("GET /slow", h)
		return t.Server(mux, nil), nil
	}
}

// sink takes spans and forgets them.
func sink() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
}

// service is the program itself, with all that stands around its handlers.
func (b *bench) service(ctx context.Context, name string, request func(int) []byte, env ...string) (server, error) {
	binary, err := b.build(ctx, "vitrine", b.dir, "./service")
	if err != nil {
		return server{}, err
	}
	addr, err := freeAddr()
	if err != nil {
		return server{}, err
	}
	p, err := run(binary, addr, append([]string{
		"VITRINE_ADDR=" + addr, "VITRINE_OPS_ADDR=127.0.0.1:0", "VITRINE_SLOW_DELAY=1ms", "VITRINE_CACHE_TTL=1h", "VITRINE_LOG_FORMAT=json",
	}, env...))
	return server{name: name, addr: addr, request: request, used: p.used, stop: p.stop}, err
}

func hitSuite(ctx context.Context, b *bench) (r report, err error) {
	collector := sink()
	defer collector.Close()
	exported := "OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL
	request := always("/slow")
	var servers []server
	for _, c := range hitContenders {
		p, err := c.start(exported)
		if err != nil {
			return r, err
		}
		servers = append(servers, p.server(request))
	}
	for _, program := range []struct {
		name string
		env  []string
	}{{"hit/the program itself, 1 % sampled", onePercent}, {"hit/the program itself, all sampled", everything}} {
		s, err := b.service(ctx, program.name, request, append(program.env, exported)...)
		if err != nil {
			return r, err
		}
		servers = append(servers, s)
	}
	results, err := b.serving(servers, b.ops(64*600))
	if err != nil {
		return r, err
	}
	r.Head = []string{"a hit of 110 bytes over HTTP/1.1", "CPU", "against bare net/http", "p99"}
	for i, s := range servers {
		r.Rows = append(r.Rows, []string{
			s.label(), duration(results[i].of(cpu).Median), "× " + ranged(results[i].against(results[0], cpu)), duration(results[i].of(p99).Median),
		})
		if s.label() == "the program itself, 1 % sampled" {
			r.Goals = append(r.Goals, goal{
				Work: "instrumented near hit over HTTP", Against: "bare net/http", Bound: 1.25, Unit: "× CPU", Got: results[i].against(results[0], cpu),
			})
		}
	}
	return r, nil
}
