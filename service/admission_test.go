package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestShed: beyond VITRINE_MAX_REQUESTS whoever asks is told at once to come back, and nobody inside notices.
func TestShed(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{
		"VITRINE_MAX_REQUESTS": "4", "VITRINE_SLOW_DELAY": "1h", "VITRINE_CACHE_LOAD_TIMEOUT": "10s",
		"VITRINE_SHUTDOWN_TIMEOUT": "1m",
	})
	active := func() float64 { return p.value(t, "http_server_active_requests") }
	shed := func() float64 {
		return p.value(t, "http_server_shed_requests_total")
	}
	ctx, leave := context.WithCancel(t.Context())
	var inside sync.WaitGroup
	for range 4 {
		inside.Go(func() {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/slow", nil)
			if err != nil {
				t.Error(err)
				return
			}
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
	if n := p.answered(t, "/slow", "503"); n != 3 {
		t.Errorf("%d answers of 503 among the metrics, want 3", n)
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

// TestBodies: no endpoint takes a body, and nobody's place is kept while one does not come.
func TestBodies(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_MAX_REQUESTS": "4", "VITRINE_MAX_CONNECTIONS": "64"})
	for range 20 {
		for _, path := range []string{"/tiles/2/1/1", "/health", "/"} {
			if _, err := io.WriteString(dial(t, p), "GET "+path+" HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
		}
		get(t, p.url+"/tiles/2/1/1").want(t, http.StatusOK, "image/png")
	}
	for _, method := range []string{"GET", "POST"} {
		for _, body := range []string{"x", strings.Repeat("x", 300<<10)} {
			req, err := http.NewRequestWithContext(t.Context(), method, p.url+"/slow", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			// A client that is still sending may miss the answer; that it ends is all that it needs to know.
			res, err := new(http.Transport).RoundTrip(req)
			if err == nil {
				res.Body.Close()
			}
			if err == nil && res.StatusCode != http.StatusRequestEntityTooLarge || err != nil && len(body) == 1 {
				t.Errorf("%s with %d bytes: %v, %v; want 413", method, len(body), res, err)
			}
		}
	}
	if n := p.answered(t, "/slow", "413"); n < 2 {
		t.Errorf("%d answers of 413 among the metrics, want those with a byte", n)
	}
}

// TestUpgradeIsPassedOver: who wants another protocol is answered as everybody else is.
func TestUpgradeIsPassedOver(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_SLOW_DELAY": "1ms"})
	for _, want := range []string{"fwd=uri-miss", "hit"} {
		a := get(t, p.url+"/slow", "Connection", "Upgrade", "Upgrade", "websocket")
		if a.StatusCode != http.StatusOK || !strings.Contains(a.Header.Get("Cache-Status"), want) {
			t.Errorf("%s, Cache-Status %q; want 200, %s", a.Status, a.Header.Get("Cache-Status"), want)
		}
	}
}

// answered counts the answers that a route gave with a status.
func (p *program) answered(t *testing.T, route, status string) (n uint64) {
	for _, m := range p.family(t, "http_server_request_duration_seconds").GetMetric() {
		labels := map[string]string{}
		for _, l := range m.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		if labels["http_route"] == route && labels["http_response_status_code"] == status {
			n += m.GetHistogram().GetSampleCount()
		}
	}
	return n
}
