package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"
)

// serve answers until ctx ends or a listener fails, and then shuts down.
func (s *server) serve(ctx context.Context) error {
	log := s.telemetry.Logger
	startup := s.greet()
	failed := make(chan error, 3)
	go func() { failed <- s.public.Serve(s.publicAt) }()
	go func() { failed <- s.ops.Serve(s.opsAt) }()
	if s.self != nil {
		go func() { failed <- s.self.Serve(s.selfAt) }()
	}
	var watch context.Context
	watch, s.stopWatching = context.WithCancel(context.WithoutCancel(ctx))
	s.watching.Go(func() { s.minute.watch(watch) })
	if s.redis != nil {
		s.watching.Go(func() { s.health.watchRedis(watch, s.redis, log, startup) })
	}
	s.health.started.Store(true)
	log.Log(ctx, startup, "serving", "version", version(), "addr", s.publicAt.Addr().String(),
		"ops_addr", s.opsAt.Addr().String(), "cache", s.cfg.cache, "upstream", redacted(s.cfg.upstreamURL),
		"memory_limit", debug.SetMemoryLimit(-1))

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
// operations listener, and last the telemetry that tells of all of it. Requests get four fifths of the time:
// one that hangs must not cost the spans of all others.
func (s *server) shutdown() error {
	whole, cancel := context.WithTimeout(context.Background(), s.cfg.shutdownTimeout)
	defer cancel()
	ctx, cancel := context.WithTimeout(whole, s.cfg.shutdownTimeout/5*4)
	defer cancel()
	var errs []error
	step := func(name string, err error) {
		if err != nil {
			err = fmt.Errorf("shutdown: %s: %w", name, err)
			s.telemetry.Logger.Error("shutdown", "step", name, "error", err)
			errs = append(errs, err)
		}
	}
	step("public listener", end(ctx, s.public))
	if s.self != nil {
		step("own upstream", end(ctx, s.self))
	}
	step("caches", s.caches.close(ctx))
	s.stopWatching()
	s.watching.Wait()
	if s.redis != nil {
		step("redis", s.redis.Close())
	}
	step("operations listener", end(ctx, s.ops))
	// Spans that an absent collector will never take must not turn an orderly end into a failure.
	if err := s.telemetry.Shutdown(whole); err != nil {
		s.telemetry.Logger.Warn("spans were lost", "error", err)
	}
	s.telemetry.Logger.Info("bye")
	return errors.Join(errs...)
}

// end waits for the server's requests until ctx ends, and then breaks them off.
func end(ctx context.Context, s *http.Server) error {
	err := s.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.Close())
	}
	return err
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
