package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestShed: beyond VITRINE_MAX_REQUESTS whoever asks is told at once to come back, and nobody inside notices.
func TestShed(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_MAX_REQUESTS": "4", "VITRINE_SLOW_DELAY": "1h"})
	active := func() float64 { return p.family(t, "http_server_active_requests").GetMetric()[0].GetGauge().GetValue() }
	shed := func() float64 {
		return p.family(t, "http_server_shed_requests_total").GetMetric()[0].GetCounter().GetValue()
	}
	// What wants another protocol runs on its own, and ends when it is left.
	ctx, leave := context.WithCancel(t.Context())
	var inside sync.WaitGroup
	for range 4 {
		inside.Go(func() {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/slow", nil)
			if err != nil {
				t.Error(err)
				return
			}
			req.Header.Set("Connection", "Upgrade")
			req.Header.Set("Upgrade", "none")
			if res, err := new(http.Transport).RoundTrip(req); !errors.Is(err, context.Canceled) {
				t.Errorf("%v, %v; want it to last until it is left", res, err)
			}
		})
	}
	eventually(t, "four that are being answered", func() bool { return active() == 4 })
	for range 3 {
		a := get(t, p.url+"/slow")
		a.want(t, http.StatusServiceUnavailable, "application/problem+json")
		if a.Header.Get("Retry-After") != "1" || !strings.Contains(a.body, "too many requests") {
			t.Errorf("Retry-After %q, %q; want 1, and why", a.Header.Get("Retry-After"), a.body)
		}
	}
	if status, _ := p.health(t); status != "ok" {
		t.Errorf("the program is %q, want it to be busy and well", status)
	}
	leave()
	inside.Wait()
	eventually(t, "room", func() bool { return active() == 0 })
	get(t, p.url+"/").want(t, http.StatusOK, "text/html; charset=utf-8")
	if shed() != 3 {
		t.Errorf("%v were turned away, want 3", shed())
	}
	p.stop(t)
	if n := len(p.logs.Records(t, "request")); n != 6 {
		t.Errorf("%d access lines, want those of six that were let in:\n%s", n, p.logs)
	}
}

// TestShedNoOne: zero is no limit.
func TestShedNoOne(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_MAX_REQUESTS": "0", "VITRINE_SLOW_DELAY": "100ms"})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { get(t, p.url+"/slow").want(t, http.StatusOK, "application/json") })
	}
	all.Wait()
}

// TestShedNoneOfOnesOwn: what belongs to a request that was let in is answered.
func TestShedNoneOfOnesOwn(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_MAX_REQUESTS": "1"})
	get(t, p.url+"/stats/0/0/0").want(t, http.StatusOK, "application/json")
}
