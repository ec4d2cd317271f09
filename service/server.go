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

	"vitrine/telemetry"
)

// server is the running program. newServer opens its listeners, serve runs it to its end.
type server struct {
	cfg       config
	telemetry *telemetry.Telemetry
	redis     redis.UniversalClient // nil: not used
	caches    caches
	health    *health
	upstream  *http.Transport // of /stats

	public, ops       *http.Server
	publicAt, opsAt   net.Listener
	stopWatchingRedis context.CancelFunc
	watching          sync.WaitGroup
}

// newServer listens before it serves, so that a taken port is an error at the start.
func newServer(ctx context.Context, cfg config, logs io.Writer) (_ *server, err error) {
	s := &server{cfg: cfg, health: new(health), upstream: upstreamTransport()}
	if s.publicAt, err = listen(ctx, "VITRINE_ADDR", cfg.addr); err != nil {
		return nil, err
	}
	if s.opsAt, err = listen(ctx, "VITRINE_OPS_ADDR", cfg.opsAddr); err != nil {
		return nil, errors.Join(err, s.publicAt.Close())
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.publicAt.Close(), s.opsAt.Close())
		}
	}()
	if s.cfg.upstreamURL == "" {
		s.cfg.upstreamURL = ownURL(s.publicAt.Addr())
	}

	s.telemetry, err = telemetry.Setup(ctx, telemetry.Options{
		Service: "vitrine", Version: version(), Logs: logs, LogFormat: cfg.logFormat, LogLevel: cfg.logLevel,
	})
	if err != nil {
		return nil, usageError{err} // it names the OTEL_ variable
	}
	if cfg.cache != "memory" {
		logRedis(s.telemetry.Logger)
		if s.redis, err = redisClient(cfg.redisURL); err != nil {
			return nil, err
		}
		if err = traceRedis(s.redis, s.telemetry.TracerProvider); err != nil {
			return nil, err
		}
	}
	if s.caches, err = newCaches(cfg, s.redis, s.telemetry); err != nil {
		return nil, err
	}
	s.public, s.ops = s.httpServer(s.publicHandler()), s.httpServer(s.opsHandler())
	// The upstream may be this very process, whose shutdown waits for connections that were never used.
	s.public.RegisterOnShutdown(s.upstream.CloseIdleConnections)
	return s, nil
}

func listen(ctx context.Context, variable, addr string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s=%q: %w", variable, addr, err)
	}
	return l, nil
}

// ownURL is where this process answers itself.
func ownURL(addr net.Addr) string {
	tcp := addr.(*net.TCPAddr)
	host := tcp.IP.String()
	if tcp.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return fmt.Sprintf("http://%s", net.JoinHostPort(host, fmt.Sprint(tcp.Port)))
}

// httpServer bounds what a slow or greedy client can hold. An answer may take as long as a load.
func (s *server) httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      time.Minute,
		// Longer than the load balancer keeps its connections: it is the one to close them.
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       slog.NewLogLogger(s.telemetry.Logger.Handler(), slog.LevelWarn),
	}
}

// serve answers until ctx ends or a listener fails, and then shuts down.
func (s *server) serve(ctx context.Context) error {
	log := s.telemetry.Logger
	failed := make(chan error, 2)
	go func() { failed <- s.public.Serve(s.publicAt) }()
	go func() { failed <- s.ops.Serve(s.opsAt) }()
	if s.redis != nil {
		var watch context.Context
		watch, s.stopWatchingRedis = context.WithCancel(context.WithoutCancel(ctx))
		s.watching.Go(func() { s.health.watchRedis(watch, s.redis, log) })
	}
	s.health.started.Store(true)
	log.Info("serving", "version", version(), "addr", s.publicAt.Addr().String(),
		"ops_addr", s.opsAt.Addr().String(), "cache", s.cfg.cache, "upstream", redacted(s.cfg.upstreamURL))

	var err error
	select {
	case <-ctx.Done():
		log.Info("shutting down", "drain_delay", s.cfg.drainDelay.String(), "timeout", s.cfg.shutdownTimeout.String())
		s.health.draining.Store(true)
		time.Sleep(s.cfg.drainDelay)
	case err = <-failed:
		err = fmt.Errorf("serve: %w", err)
		s.health.draining.Store(true)
	}
	return errors.Join(err, s.shutdown())
}

// shutdown ends in this order, under one deadline: public requests, the loads that they began, Redis, the
// operations listener, and last the telemetry that tells of all of it.
func (s *server) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.shutdownTimeout)
	defer cancel()
	var errs []error
	step := func(name string, err error) {
		if err != nil {
			err = fmt.Errorf("shutdown: %s: %w", name, err)
			s.telemetry.Logger.Error("shutdown", "step", name, "error", err)
			errs = append(errs, err)
		}
	}
	step("public listener", s.public.Shutdown(ctx))
	step("caches", s.caches.close(ctx))
	if s.redis != nil {
		s.stopWatchingRedis()
		s.watching.Wait()
		step("redis", s.redis.Close())
	}
	step("operations listener", s.ops.Shutdown(ctx))
	// Spans that an absent collector will never take must not turn an orderly end into a failure.
	if err := s.telemetry.Shutdown(ctx); err != nil {
		s.telemetry.Logger.Warn("spans were lost", "error", err)
	}
	s.telemetry.Logger.Info("bye")
	return errors.Join(errs...)
}

// version is the program's, from the build's own information.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return info.Main.Version
}

// drain asks clients to leave once the program is about to: what they send next goes to another replica.
func (s *server) drain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.health.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// instance names this replica.
func (s *server) instance() string { return s.telemetry.Instance }
