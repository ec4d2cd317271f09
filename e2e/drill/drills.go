package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"vitrine/e2e/browser"
	"vitrine/e2e/stack"
)

var drills = map[string]func(context.Context, *act) error{
	"redis-down":     redisDown,
	"slow-origin":    slowOrigin,
	"errors":         failures,
	"replica-killed": replicaKilled,
	"stampede":       stampede,
	"origin-down":    originDown,
	"overload":       overload,
}

func hot() string  { return "/slow" }
func cold() string { return place("tiles") } // that nobody has asked for

// redisDown: users notice nothing, and whoever looks sees it everywhere.
func redisDown(ctx context.Context, a *act) (err error) {
	if err := a.quiet(ctx, "RedisDown", nil); err != nil {
		return err
	}
	if _, err := a.ask(ctx, hot()); err != nil { // so that it is in a near tier
		return err
	}
	u := a.users(ctx, hot, cold)
	defer func() { err = errors.Join(err, u.stop(a, 0)) }()
	defer func() {
		err = errors.Join(err, a.undo(ctx, "Redis is started", func(ctx context.Context) error {
			_, err := a.Compose(ctx, "start", "redis")
			return err
		}))
		if err == nil {
			err = errors.Join(
				a.panel(ctx, "Cache / Breaker", `max(cache_breaker_state)`, is(0)),
				a.panel(ctx, "Stack / Redis", `min(redis_up)`, is(1)),
				a.resolved(ctx, "RedisDown", nil))
		}
	}()
	if err := a.fault("Redis is killed", func() error {
		_, err := a.Compose(ctx, "kill", "redis")
		return err
	}); err != nil {
		return err
	}
	return inTurn(
		func() error {
			return a.see(ctx, "health", "/health says what is missing, and 200", time.Minute, func() (string, error) {
				_, body, err := stack.Get(ctx, a.Site+"/health")
				if err == nil && !strings.Contains(string(body), "degraded") {
					err = fmt.Errorf("it says %s", body)
				}
				return strings.TrimSpace(string(body)), err
			})
		},
		func() error { return a.panel(ctx, "Stack / Redis", `min(redis_up)`, is(0)) },
		func() error {
			return a.panel(ctx, "Cache / Calls by result, those that fail",
				`sum(rate(cache_store_duration_seconds_count{store="redis",result!~"ok|miss|hit"}[30s]))`, above(0))
		},
		func() error { return a.logged(ctx, "service", "a warning names the tier", "far tier failed", `"WARN"`) },
		func() error {
			return a.panel(ctx, "Cache / Breaker", `min(max by (instance) (cache_breaker_state))`, is(1))
		},
		func() error {
			return a.traced(ctx, "a miss costs no call of Redis any more", cold, http.StatusOK, func(t stack.Trace) (string, error) {
				calls, loads := 0, 0
				for _, s := range t.Spans {
					switch {
					case s.Tags.Get("db.system.name") == "redis":
						calls++
					case strings.HasPrefix(s.OperationName, "cache.load ") && s.Tags.Get("error") != "true":
						loads++
					}
				}
				if calls > 0 || loads == 0 {
					return "", fmt.Errorf("%d calls, %d loads, in %d spans", calls, loads, len(t.Spans))
				}
				return fmt.Sprintf("%d spans, one of them the load", len(t.Spans)), nil
			})
		},
		func() error { return a.alert(ctx, "RedisDown", nil) },
		func() error { return a.alert(ctx, "CacheBreakerOpen", map[string]string{"store": "redis"}) },
		func() error {
			return a.picture(ctx, browser.Desk, a.prometheus("graph", `max by (instance) (cache_breaker_state)`), ":8081")
		},
	)
}

// slowOrigin: hits are as fast as ever; misses wait, and their traces say for what.
func slowOrigin(ctx context.Context, a *act) (err error) {
	labels := map[string]string{"cache": "tiles"}
	if err := a.quiet(ctx, "OriginSlow", labels); err != nil {
		return err
	}
	// The alert compares with what was usual before, of which there must be more than there will be of the fault.
	if err := a.see(ctx, "before", "minutes of usual loads of tiles", 8*time.Minute, func() (string, error) {
		usual, err := a.Query(ctx, `count_over_time((vitrine:cache_load_duration_seconds:p95_rate5m{cache="tiles"} < 0.5)[1h:15s]) / 4`)
		if err != nil {
			return "", err
		}
		minutes := usual[0].Point.Value()
		if minutes < 6 {
			err = fmt.Errorf("%.1f, want six", minutes)
		}
		return fmt.Sprintf("%.1f", minutes), err
	}); err != nil {
		return err
	}
	u := a.users(ctx, hot)
	defer func() { err = errors.Join(err, u.stop(a, 0)) }()
	defer a.endFaults(ctx, &err)
	if err := a.inject(ctx, "cache=tiles&delay=3s&for=15m"); err != nil {
		return err
	}
	return inTurn(
		func() error {
			return a.traced(ctx, "a load carries its delay", cold, http.StatusOK, func(t stack.Trace) (string, error) {
				for _, s := range t.Spans {
					if d := s.Tags.Get("vitrine.fault.delay"); s.OperationName == "cache.load tiles" && d == "3" && s.Duration >= 3e6 {
						return fmt.Sprintf("%s took %.2f s", s.OperationName, float64(s.Duration)/1e6), nil
					}
				}
				return "", fmt.Errorf("none of %d spans does", len(t.Spans))
			})
		},
		func() error { return a.picture(ctx, strip, a.Jaeger+"/trace/"+a.trace, "cache.load tiles") },
		func() error {
			return a.logged(ctx, "service", "a miss says how long it took", `"msg":"request"`, `"outcome":"miss"`, `"duration":3.`)
		},
		func() error {
			return a.panel(ctx, "Cache / Duration of loads", `vitrine:cache_load_duration_seconds:p95_rate5m{cache="tiles"}`, above(1))
		},
		func() error { return a.alert(ctx, "OriginSlow", labels) },
	)
}

// failures: half of the loads fail; the error budget goes too fast.
func failures(ctx context.Context, a *act) (err error) {
	labels := map[string]string{"class": "map", "slo": "availability", "window": "1h"}
	if err := a.quiet(ctx, "ErrorBudgetBurn", labels); err != nil {
		return err
	}
	u := a.users(ctx, cold)
	defer func() { err = errors.Join(err, u.stop(a, math.MaxInt)) }() // half of them are meant to fail
	defer a.endFaults(ctx, &err)
	if err := a.inject(ctx, "cache=tiles&error_rate=0.5&for=15m"); err != nil {
		return err
	}
	return inTurn(
		func() error {
			return a.traced(ctx, "a failed request leads to the load that failed", cold, http.StatusInternalServerError, func(t stack.Trace) (string, error) {
				load, server := false, false
				for _, s := range t.Spans {
					load = load || s.Tags.Get("vitrine.fault.error") == "true"
					server = server || s.Tags.Get("span.kind") == "server" && s.Tags.Get("error") == "true"
				}
				if !load || !server {
					return "", fmt.Errorf("load %t, server span an error %t", load, server)
				}
				return "the server's span is an error, the load says why", nil
			})
		},
		func() error {
			return a.logged(ctx, "service", "an error line has the trace", `"ERROR"`, `"msg":"request"`, `"status":500`, `"trace_id"`)
		},
		func() error {
			return a.panel(ctx, "SLO / Failures by route", `vitrine:slo_failures_by_route:rate5m{slo="availability",http_route="/tiles/{z}/{x}/{y}"}`, above(0.01))
		},
		func() error {
			return a.panel(ctx, "SLO / Burn rate over 1h", `vitrine:slo_burn_rate:ratio{window="1h",slo="availability",class="map"}`, above(14.4))
		},
		func() error { return a.alert(ctx, "ErrorBudgetBurn", labels) },
		func() error { return a.picture(ctx, strip, a.Prometheus+"/alerts?state=firing", "ErrorBudgetBurn") },
	)
}

// replicaKilled: the load balancer goes round it.
func replicaKilled(ctx context.Context, a *act) (err error) {
	if err := a.quiet(ctx, "ReplicaDown", nil); err != nil {
		return err
	}
	ids, err := a.Containers(ctx, "service")
	if err != nil || len(ids) < 2 {
		return fmt.Errorf("%d replicas run, and one is to be killed: %w", len(ids), err)
	}
	left := len(ids) - 1
	u := a.users(ctx, hot, cold)
	// What it was answering when it died was sent again by nginx; only an answer half sent is lost.
	defer func() { err = errors.Join(err, u.stop(a, 1)) }()
	defer func() {
		err = errors.Join(err, a.undo(ctx, "it is started", func(ctx context.Context) error {
			_, err := a.Docker(ctx, "start", ids[0])
			return err
		}))
		if err == nil {
			err = errors.Join(
				a.panel(ctx, "Service / Replicas", `count(up{job="service"} == 1)`, is(float64(left+1))),
				a.resolved(ctx, "ReplicaDown", nil))
		}
	}()
	if err := a.fault(fmt.Sprintf("one of %d replicas is killed", len(ids)), func() error {
		_, err := a.Docker(ctx, "kill", ids[0])
		return err
	}); err != nil {
		return err
	}
	return inTurn(
		func() error {
			return a.panel(ctx, "Service / Replicas", `count(up{job="service"} == 1)`, is(float64(left)))
		},
		func() error {
			return a.traced(ctx, "a request that asks the fleet goes by those that are left", func() string { return place("stats") }, http.StatusOK, func(t stack.Trace) (string, error) {
				if n := len(t.Instances()); n != left {
					return "", fmt.Errorf("%d replicas, want %d", n, left)
				}
				return fmt.Sprintf("%d spans of %d replicas", len(t.Spans), left), nil
			})
		},
		func() error {
			return a.logged(ctx, "nginx", "nginx names who answered", `"path":"/slow"`, `"status":200`, `"upstream":"`)
		},
		func() error { return a.alert(ctx, "ReplicaDown", nil) },
		func() error {
			return a.picture(ctx, browser.Desk, a.prometheus("graph", `sum by (instance) (rate(http_server_request_duration_seconds_count{job="service"}[30s]))`), ":8081")
		},
	)
}

func (a *act) inject(ctx context.Context, query string) error {
	return a.fault("every replica is told PUT /debug/faults?"+query, func() error {
		return a.Ops(ctx, http.MethodPut, "/debug/faults?"+query)
	})
}

// endFaults undoes inject; it is to be deferred.
func (a *act) endFaults(ctx context.Context, err *error) {
	*err = errors.Join(*err, a.undo(ctx, "DELETE /debug/faults", func(ctx context.Context) error {
		return a.Ops(ctx, http.MethodDelete, "/debug/faults")
	}))
}

// inTurn runs the steps until one fails.
func inTurn(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func is(want float64) func(float64) bool     { return func(v float64) bool { return v == want } }
func above(limit float64) func(float64) bool { return func(v float64) bool { return v > limit } }
