package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
)

// seriesCount is how many series the program exposes.
func (p *program) seriesCount(t *testing.T) (n int) {
	t.Helper()
	families, err := p.telemetry.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		n += len(family.GetMetric())
	}
	return n
}

// TestSeriesAreBounded: whatever paths, methods, hosts and fields clients make up, no series comes of it.
func TestSeriesAreBounded(t *testing.T) {
	t.Parallel()
	p := start(t, map[string]string{"VITRINE_SLOW_DELAY": "1ns"})
	word := func(rng *rand.Rand) string { return fmt.Sprintf("%x", rng.Uint64()) }
	rng := rand.New(rand.NewPCG(1, 2))
	request := func(method, target string) {
		r, err := http.NewRequest(method, "http://"+word(rng)+".example"+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-"+word(rng), word(rng))
		r.Header.Set("User-Agent", word(rng))
		r.Header.Set("Traceparent", word(rng))
		p.public.Handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	some := func(method, word string) {
		for _, target := range []string{"/" + word, "/slow?" + word, "/slow/" + word, "/tiles/" + word + "/0/0", "/tiles/99/0/" + word, "/stats/" + word + "/1/1"} {
			request(method, target)
		}
	}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW"} {
		some(method, "first")
		some(method, "100")
	}
	before := p.seriesCount(t)
	for range 10_000 / 6 {
		some("M"+word(rng), word(rng))
		some(http.MethodGet, word(rng))
	}
	after := p.seriesCount(t)
	t.Logf("%d series before 20 000 requests, %d after them", before, after)
	if before != after {
		t.Errorf("%d series became %d", before, after)
	}
}
