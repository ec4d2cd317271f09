package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"vitrine/e2e/stack"
)

// originDown: what stands behind an endpoint fails altogether, and those who ask for what was there before do not
// notice.
func originDown(ctx context.Context, a *act) (err error) {
	if _, err := a.ask(ctx, hot()); err != nil { // so that there is something to stand in
		return err
	}
	u := a.users(ctx, hot)
	defer func() { err = errors.Join(err, u.stop(a, 0)) }()
	defer a.endFaults(ctx, &err)
	if err := a.inject(ctx, "cache=slow&error_rate=1&for=15m"); err != nil {
		return err
	}
	const answers = `sum(rate(cache_requests_total{cache="slow",outcome="%s"}[30s]))`
	return inTurn(
		func() error {
			return a.panel(ctx, "Cache / Stale answers, stale", fmt.Sprintf(answers, "stale"), above(0))
		},
		func() error {
			return a.panel(ctx, "Cache / Stale answers, stale_error", fmt.Sprintf(answers, "stale_error"), above(0))
		},
		func() error {
			return a.traced(ctx, "an old answer says what it stands in for", hot, http.StatusOK, func(t stack.Trace) (string, error) {
				s, err := withOutcome(t, "stale_error")
				return fmt.Sprintf("%s, %s s old", s.OperationName, s.Tags.Get("cache.age")), err
			})
		},
		func() error {
			return a.logged(ctx, "service", "so does a line", `"msg":"request"`, `"cache":"slow"`, `"outcome":"stale_error"`, `"status":200`)
		},
		func() error {
			return a.panel(ctx, "Cache / Loads by result, errors", `sum(rate(cache_load_duration_seconds_count{cache="slow",result="error"}[30s]))`, above(0))
		},
		func() error {
			return a.picture(ctx, strip, a.prometheus("table", answersOf("slow", "30s")), `outcome="stale_error"`)
		},
	)
}

// overload: more is wanted at once than the origin may be asked for. Some wait, some are turned away at once, and the
// rest of the service does not notice.
func overload(ctx context.Context, a *act) (err error) {
	labels := map[string]string{"cache": "tiles"}
	if err := a.quiet(ctx, "LoadsRejected", labels); err != nil {
		return err
	}
	u := a.users(ctx, hot)
	defer func() { err = errors.Join(err, u.stop(a, 0)) }()
	defer a.endFaults(ctx, &err)
	if err := a.inject(ctx, "cache=tiles&delay=5s&for=2m"); err != nil {
		return err
	}
	const crowd = 400
	answers, err := a.crowd(ctx, crowd, cold)
	if err != nil {
		return err
	}
	statuses := map[int]int{}
	var away asked
	var longest time.Duration // of those that were turned away
	for _, one := range answers {
		statuses[one.status]++
		if one.status == http.StatusServiceUnavailable {
			away, longest = one, max(longest, one.took)
		}
	}
	a.tell("users", fmt.Sprintf("%d more ask for what is not there, each for something else: %v, no 503 took longer than %s",
		crowd, statuses, longest.Round(time.Millisecond)))
	if statuses[http.StatusOK]+statuses[http.StatusServiceUnavailable] != crowd || away.trace == "" {
		return errors.New("want answers, and 503 for the others")
	}
	return inTurn(
		func() error {
			return a.see(ctx, "trace", "whoever was turned away can see why", time.Minute, func() (string, error) {
				t, err := a.Trace(ctx, away.trace)
				if err != nil {
					return "", err
				}
				s, err := withOutcome(t, "rejected")
				return fmt.Sprintf("%s in %s", s.OperationName, away.trace), err
			})
		},
		func() error {
			return a.logged(ctx, "service", "an error line says so", `"msg":"request"`, `"outcome":"rejected"`, `"status":503`)
		},
		func() error {
			return a.panel(ctx, "Cache / Turned away", `sum(rate(cache_requests_total{cache="tiles",outcome="rejected"}[1m]))`, above(0))
		},
		func() error {
			return a.picture(ctx, strip, a.prometheus("table", answersOf("tiles", "30s")), `outcome="rejected"`)
		},
		func() error { return a.alert(ctx, "LoadsRejected", labels) },
	)
}

// withOutcome is the span that says how its answer came about.
func withOutcome(t stack.Trace, outcome string) (stack.Span, error) {
	for _, s := range t.Spans {
		if s.Tags.Get("cache.outcome") == outcome {
			return s, nil
		}
	}
	return stack.Span{}, fmt.Errorf("none of %d spans has the outcome %s", len(t.Spans), outcome)
}
