package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vitrine/e2e/component"
)

// TestSlowTakesItsTime by the clock of the test, and not longer than its request.
func TestSlowTakesItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		w := httptest.NewRecorder()
		slow(2*time.Second, "replica").ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/slow", nil))
		if took := time.Since(begun); w.Code != http.StatusOK || took != 2*time.Second {
			t.Errorf("status %d after %v, want 200 after 2s", w.Code, took)
		}
		var body map[string]string
		answer{body: w.Body.String()}.json(t, &body)
		at, err := time.Parse(time.RFC3339Nano, body["computed_at"])
		if err != nil || !at.Equal(begun) || body["status"] != "ok" || body["took"] != "2s" || body["instance"] != "replica" {
			t.Errorf("%v, %v", body, err)
		}

		begun = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w = httptest.NewRecorder()
		slow(2*time.Second, "replica").ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/slow", nil))
		if took := time.Since(begun); w.Code != http.StatusServiceUnavailable || took != time.Second {
			t.Errorf("status %d after %v, want 503 after 1s", w.Code, took)
		}
	})
}

var hitStatus = regexp.MustCompile(`^slow; hit; ttl=(\d+); detail=near$`)

func TestSlowMissThenHit(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_SLOW_DELAY": "50ms", "VITRINE_CACHE_TTL": "1h"})
	miss, hit := get(t, p.url+"/slow"), get(t, p.url+"/slow")
	miss.want(t, http.StatusOK, "application/json")
	hit.want(t, http.StatusOK, "application/json")
	if got := miss.Header.Get("Cache-Status"); got != "slow; fwd=uri-miss; stored" || miss.Header["Age"] != nil {
		t.Errorf("first: Cache-Status %q, Age %q; want a miss of no age", got, miss.Header["Age"])
	}
	said := hitStatus.FindStringSubmatch(hit.Header.Get("Cache-Status"))
	if said == nil {
		t.Fatalf("second: Cache-Status %q, want a near hit", hit.Header.Get("Cache-Status"))
	}
	ttl, err := strconv.Atoi(said[1])
	age, err2 := strconv.Atoi(hit.Header.Get("Age"))
	if err != nil || err2 != nil || age < 0 || ttl > 3600 || ttl+age < 3540 || ttl+age > 3660 {
		t.Errorf("ttl %d and age %d, %v %v; want about an hour together", ttl, age, err, err2)
	}
	if miss.body != hit.body {
		t.Errorf("two bodies: %s and %s", miss.body, hit.body)
	}
	if a, b := miss.Header.Get("Traceresponse"), hit.Header.Get("Traceresponse"); a == "" || b == "" || a == b {
		t.Errorf("Traceresponse %q and %q, want one for each", a, b)
	}
}

// TestSlowTTLOfZero keeps nothing.
func TestSlowTTLOfZero(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_SLOW_DELAY": "1ms", "VITRINE_CACHE_TTL": "0s"})
	for range 2 {
		if got := get(t, p.url+"/slow").Header.Get("Cache-Status"); got != "slow; fwd=uri-miss" {
			t.Errorf("Cache-Status %q, want a miss that is not stored", got)
		}
	}
}

// TestReplicasShareRedis: what one replica computed, the other has.
func TestReplicasShareRedis(t *testing.T) {
	t.Parallel()
	redis := component.Redis(t)
	for cache, again := range map[string]string{"tiered": "near", "redis": "far"} {
		t.Run(cache, func(t *testing.T) {
			env := map[string]string{"VITRINE_CACHE": cache, "VITRINE_REDIS_URL": redis.URL(), "VITRINE_SLOW_DELAY": "1ms"}
			one, two := start(t, env), start(t, env)
			attempt := 0
			// A call of Redis that takes too long is no failure, but a miss: then another key is tried.
			eventually(t, "a far hit", func() bool {
				attempt++
				ask := func(p *program) answer {
					return get(t, p.url+"/slow", "Host", fmt.Sprintf("%s-%d", cache, attempt))
				}
				first, shared, last := ask(one), ask(two), ask(two)
				if got := first.Header.Get("Cache-Status"); got != "slow; fwd=uri-miss; stored" {
					t.Fatalf("Cache-Status %q, want a miss", got)
				}
				if spelled(shared.Header.Get("Cache-Status")) != "hit far" || spelled(last.Header.Get("Cache-Status")) != "hit "+again {
					return false
				}
				if shared.body != first.body || last.body != first.body {
					t.Errorf("three bodies: %s, %s, %s", first.body, shared.body, last.body)
				}
				return true
			})
		})
	}
}

// spelled is outcome and tier, of how Cache-Status (RFC 9211) spells them. It does not say in which tier what is
// stale was.
func spelled(status string) string {
	switch {
	case strings.Contains(status, "detail=stale_error"):
		return "stale_error"
	case strings.Contains(status, "detail=stale"):
		return "stale"
	case strings.Contains(status, "detail=rejected"):
		return "rejected none"
	case strings.Contains(status, "; hit;"):
		return "hit " + status[strings.Index(status, "detail=")+len("detail="):]
	case strings.Contains(status, "collapsed"):
		return "coalesced none"
	case strings.Contains(status, "fwd=bypass"), strings.Contains(status, "fwd=request"), strings.Contains(status, "fwd=method"):
		return "bypass none"
	case strings.Contains(status, "fwd=uri-miss"), strings.Contains(status, "fwd=stale"):
		return "miss none"
	}
	return status
}

// TestOneSpelling: neither the path's spelling nor a query makes another key of the same answer.
func TestOneSpelling(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_SLOW_DELAY": "1ms"})
	for first, others := range map[string][]string{
		"/slow":        {"/slow?x=1", "/sl%6fw", "/slow?"},
		"/tiles/3/1/2": {"/tiles/3/%31/2", "/tiles/%33/1/2", "/tiles/3/1/2?a=b"},
	} {
		get(t, p.url+first)
		for _, other := range others {
			if status := get(t, p.url+other).Header.Get("Cache-Status"); spelled(status) != "hit near" {
				t.Errorf("%s: %s, want a hit of %s", other, status, first)
			}
		}
	}
}

// TestClientThatLeaves: nobody got an answer, so no signal may say 200.
func TestClientThatLeaves(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_SLOW_DELAY": "300ms"})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/slow", nil)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := http.DefaultClient.Do(req); err == nil {
		t.Fatalf("got %s", res.Status)
	}
	eventually(t, "the access line", func() bool { return len(p.logs.Records(t, "request")) == 1 })
	if line := p.logs.Records(t, "request")[0]; line["status"] != 0. {
		t.Errorf("%v, want status 0", line)
	}
}
