package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// health knows whether the program serves, and which of its dependencies do not.
type health struct {
	started  atomic.Bool
	draining atomic.Bool
	redis    atomic.Pointer[string] // why Redis does not answer; nil where it does or is not used
}

func (h *health) ready() bool { return h.started.Load() && !h.draining.Load() }

// public is GET /health: for people and load balancers, who need no reasons. Redis is a soft dependency:
// without it the program is degraded, and healthy.
func (h *health) public(w http.ResponseWriter, _ *http.Request) {
	type body struct {
		Status   string   `json:"status"`
		Degraded []string `json:"degraded,omitempty"`
	}
	switch {
	case h.draining.Load():
		writeJSON(w, http.StatusServiceUnavailable, body{Status: "shutting down"})
	case h.redis.Load() != nil:
		writeJSON(w, http.StatusOK, body{Status: "degraded", Degraded: []string{"redis"}})
	default:
		writeJSON(w, http.StatusOK, body{Status: "ok"})
	}
}

// livez says that the process answers, also while it drains.
func (*health) livez(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") }

// readyz says whether to send requests here, and to the operator why not.
func (h *health) readyz(w http.ResponseWriter, _ *http.Request) {
	if !h.ready() {
		reason := "starting"
		if h.draining.Load() {
			reason = "shutting down"
		}
		http.Error(w, reason, http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
	if reason := h.redis.Load(); reason != nil {
		fmt.Fprintln(w, "degraded: redis:", *reason)
	}
}

// watchRedis asks Redis until ctx ends, so that no request has to. That it answers at the start is logged at the level startup.
func (h *health) watchRedis(ctx context.Context, client redis.UniversalClient, logger *slog.Logger, startup slog.Level) {
	const every = time.Second
	for first := true; ; first = false {
		ping, cancel := context.WithTimeout(ctx, every)
		err := client.Ping(ping).Err()
		cancel()
		if ctx.Err() != nil {
			return
		}
		var reason *string
		if err != nil {
			reason = new(err.Error())
		}
		switch before := h.redis.Swap(reason); {
		case reason != nil && before == nil:
			logger.Warn("degraded: redis does not answer, going on without it", "error", err)
		case reason == nil && before != nil:
			logger.Info("redis answers")
		case reason == nil && first:
			logger.Log(ctx, startup, "redis answers")
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
	}
}

// askHealth asks the running program whether it is ready: a container without a shell has no curl.
func askHealth(ctx context.Context, getenv func(string) string) error {
	cfg, err := configFrom(getenv)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	// Not localhost: that may have to be resolved, or be ::1.
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address(cfg.opsAddr, "127.0.0.1", "/readyz"), nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		reason, err := io.ReadAll(io.LimitReader(res.Body, 1<<10))
		return errors.Join(fmt.Errorf("not ready: %s: %s", res.Status, reason), err)
	}
	return nil
}
