package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// stampede: an entry that is asked for by hundreds at once is thrown out. One load in the whole fleet, and no alert.
func stampede(ctx context.Context, a *act) error {
	const crowd = 300
	began := time.Now()
	var answers []asked
	if err := a.fault(fmt.Sprintf("the entry of /slow is purged, and %d ask for it at once", crowd), func() (err error) {
		if err := a.PurgeSlow(ctx); err != nil {
			return err
		}
		answers, err = a.crowd(ctx, crowd, hot)
		return err
	}); err != nil {
		return err
	}
	outcomes, statuses := map[string]int{}, map[int]int{}
	var slowest time.Duration
	waited := asked{}
	for _, one := range answers {
		outcomes[one.outcome]++
		statuses[one.status]++
		slowest = max(slowest, one.took)
		if one.outcome == "collapsed" {
			waited = one
		}
	}
	a.tell("users", fmt.Sprintf("statuses %v, answers %v, the slowest waited %s", statuses, outcomes, slowest.Round(time.Millisecond)))
	// Whoever happened to ask before them may have run it.
	if statuses[http.StatusOK] != crowd || outcomes["fwd"] > 1 || waited.trace == "" {
		return fmt.Errorf("want %d × 200, one load in all replicas, and some that waited", crowd)
	}
	return inTurn(
		func() error {
			return a.see(ctx, "trace", "whoever waited is linked to the load it waited for", time.Minute, func() (string, error) {
				t, err := a.Trace(ctx, waited.trace)
				if err != nil {
					return "", err
				}
				for _, s := range t.Spans {
					for _, r := range s.References {
						if r.TraceID == s.TraceID {
							continue
						}
						other, err := a.Trace(ctx, r.TraceID)
						if err != nil {
							return "", err
						}
						for _, load := range other.Spans {
							if load.SpanID == r.SpanID {
								return fmt.Sprintf("%s leads to %s of %.2f s in %s", t.Spans[0].TraceID, load.OperationName, float64(load.Duration)/1e6, r.TraceID), nil
							}
						}
					}
				}
				return "", errors.New("no link")
			})
		},
		func() error {
			return a.logged(ctx, "service", "a line says that it waited", `"msg":"request"`, `"outcome":"coalesced"`, `"cache":"slow"`)
		},
		func() error {
			return a.panel(ctx, "Cache / Waiters a load",
				`sum(increase(cache_requests_total{cache="slow",outcome="coalesced"}[1m])) / sum(increase(cache_requests_total{cache="slow",outcome="miss"}[1m]))`, above(10))
		},
		func() error {
			return a.picture(ctx, strip, a.prometheus("table", answersOf("slow", "10s")), `outcome="coalesced"`)
		},
		func() error {
			return a.see(ctx, "alert", "there is none of this cache that was not there before", 0, func() (string, error) {
				there, err := a.Query(ctx, fmt.Sprintf(
					`count(ALERTS{cache="slow"} unless on (alertname) last_over_time(ALERTS{cache="slow"}[1m] @ %d)) or vector(0)`, began.Unix()))
				if err == nil && there[0].Point.Value() > 0 {
					err = fmt.Errorf("there are %g", there[0].Point.Value())
				}
				return "right", err
			})
		},
	)
}
