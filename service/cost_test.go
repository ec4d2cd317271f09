//go:build !race

// With the race detector a sync.Pool forgets at random, so that nobody can say what allocates.

package main

import (
	"io"
	"net/http"
	"testing"
)

// reused is a ResponseWriter that keeps nothing, and whose header map is not allocated anew.
type reused struct {
	h      http.Header
	status int
}

func (w *reused) Header() http.Header         { return w.h }
func (w *reused) WriteHeader(status int)      { w.status = status }
func (w *reused) Write(b []byte) (int, error) { return len(b), nil }
func (w *reused) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(io.Discard, r)
}

// hitter is the program's handler, which has an answer to path at hand, and a function that asks for it.
func hitter(t testing.TB, sampler, ratio, path string) (hit func()) {
	t.Helper()
	t.Setenv("OTEL_TRACES_SAMPLER", sampler)
	t.Setenv("OTEL_TRACES_SAMPLER_ARG", ratio)
	p := start(t, map[string]string{"VITRINE_SLOW_DELAY": "1ms", "VITRINE_CACHE_TTL": "1h"})
	get(t, p.url+path)
	h := p.public.Handler
	r, err := http.NewRequest(http.MethodGet, "http://host"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	host := p.publicAt.Addr().String()
	r.Host, r.RemoteAddr = host, "127.0.0.1:1"
	w := &reused{h: http.Header{}}
	return func() {
		clear(w.h)
		h.ServeHTTP(w, r)
		if w.status != http.StatusOK || w.h["Age"] == nil {
			t.Fatalf("status %d, %v; want a hit", w.status, w.h)
		}
	}
}

// TestHitAllocates holds what a fully instrumented hit leaves to the garbage collector.
func TestHitAllocates(t *testing.T) {
	for _, test := range []struct {
		desc, sampler, ratio, path string
		most                       float64
	}{
		// The SDK's span, its context, and the value of Traceresponse.
		{"not sampled", "always_off", "", "/slow", 3},
		{"one in a hundred sampled", "traceidratio", "0.01", "/slow", 4},
		// ServeMux allocates thrice for three wildcards.
		{"wildcards", "always_off", "", "/tiles/0/0/0", 6},
		{"sampled", "always_on", "", "/slow", 16},
	} {
		t.Run(test.desc, func(t *testing.T) {
			hit := hitter(t, test.sampler, test.ratio, test.path)
			for range 200 { // the log's lines of the first second
				hit()
			}
			got := testing.AllocsPerRun(1000, hit)
			t.Logf("%v allocations", got)
			if got > test.most {
				t.Errorf("a hit allocates %v times, want at most %v", got, test.most)
			}
		})
	}
}

func BenchmarkHit(b *testing.B) {
	for _, bench := range []struct{ desc, sampler, ratio string }{
		{"not sampled", "always_off", ""}, {"one in a hundred", "traceidratio", "0.01"}, {"sampled", "always_on", ""},
	} {
		b.Run(bench.desc, func(b *testing.B) {
			hit := hitter(b, bench.sampler, bench.ratio, "/slow")
			b.ReportAllocs()
			for b.Loop() {
				hit()
			}
		})
	}
}
