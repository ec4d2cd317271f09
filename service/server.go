package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"vitrine/cache"
	"vitrine/telemetry"
)

// server is the running program. newServer opens its listeners, serve runs it to its end.
type server struct {
	cfg       config
	logs      io.Writer
	telemetry *telemetry.Telemetry
	redis     redis.UniversalClient // nil: not used
	caches    caches
	faults    *faults // nil: not enabled
	health    *health
	minute    *minute
	upstream  *http.Transport // of /stats and /stampede

	public, ops     *http.Server
	self            *http.Server // what the public one serves, for this process alone; nil: not used
	publicAt, opsAt net.Listener
	selfAt          net.Listener
	stopWatching    context.CancelFunc
	watching        sync.WaitGroup
}

// newServer listens before it serves, so that a taken port is an error at the start.
func newServer(ctx context.Context, cfg config, logs io.Writer) (_ *server, err error) {
	s := &server{cfg: cfg, logs: logs, health: new(health), upstream: upstreamTransport()}
	if s.publicAt, err = listen(ctx, "VITRINE_ADDR", cfg.addr); err != nil {
		return nil, err
	}
	if s.opsAt, err = listen(ctx, "VITRINE_OPS_ADDR", cfg.opsAddr); err != nil {
		return nil, errors.Join(err, s.publicAt.Close())
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.publicAt.Close(), s.opsAt.Close())
			if s.selfAt != nil {
				err = errors.Join(err, s.selfAt.Close())
			}
		}
	}()
	if s.cfg.upstreamURL == "" {
		// Not the public listener: once that is closed, what it accepted still asks for its children.
		if s.selfAt, err = listen(ctx, "VITRINE_UPSTREAM_URL", "127.0.0.1:0"); err != nil {
			return nil, err
		}
		s.cfg.upstreamURL = "http://" + s.selfAt.Addr().String()
	}

	s.telemetry, err = telemetry.Setup(ctx, telemetry.Options{
		Service: "vitrine", Version: version(), Logs: logs, LogFormat: cfg.logFormat, LogLevel: cfg.logLevel,
		RoutineLines: cfg.logHits, SlowRequest: cfg.logSlow, LogQuery: cfg.logQuery, LogClient: cfg.logClient, ServerTiming: true,
	})
	if err != nil {
		return nil, usageError{err} // it names the OTEL_ variable
	}
	if cfg.cache != "memory" {
		logRedis(s.telemetry.Logger)
		if s.redis, err = redisClient(cfg.redisURL); err != nil {
			return nil, err
		}
		if err = cache.InstrumentRedis(s.redis, cache.RedisOptions{
			TracerProvider: s.telemetry.TracerProvider, Registerer: s.telemetry.Registry,
		}); err != nil {
			return nil, err
		}
	}
	if s.caches, err = newCaches(cfg, s.redis, s.telemetry); err != nil {
		return nil, err
	}
	s.minute = newMinute(s.caches, s.instance())
	if cfg.faults {
		s.faults = newFaults(s.caches)
	}
	router := s.router()
	s.public, s.ops = s.httpServer(s.publicHandler(router)), s.httpServer(s.opsHandler())
	s.public.ConnState = newConnections(cfg.maxConnections, s.telemetry.Registry).changed
	if cfg.h2c {
		s.public.Protocols = new(http.Protocols)
		s.public.Protocols.SetHTTP1(true)
		s.public.Protocols.SetUnencryptedHTTP2(true)
	}
	if s.selfAt != nil {
		s.self = s.httpServer(s.selfHandler(router))
		// A shutdown waits for connections that were never used.
		s.self.RegisterOnShutdown(s.upstream.CloseIdleConnections)
	}
	return s, nil
}

func listen(ctx context.Context, variable, addr string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s=%q: %w", variable, addr, err)
	}
	return l, nil
}

// httpServer bounds what a slow or greedy client can hold. An answer may take as long as a load, and then a while to be
// read.
func (s *server) httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      s.cfg.loadTimeout + 10*time.Second,
		// Longer than the load balancer keeps its connections: it is the one to close them.
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 16 << 10,
		// A proxy needs a connection or two more rather than one that all others wait for.
		HTTP2:    &http.HTTP2Config{MaxConcurrentStreams: 128},
		ErrorLog: slog.NewLogLogger(s.telemetry.Logger.Handler(), slog.LevelWarn),
	}
}

// version is the program's, from the build's own information.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return info.Main.Version
}

// instance names this replica.
func (s *server) instance() string { return s.telemetry.Instance }
