package cache_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vitrine/cache"
)

// What a hit in the near tier costs, with metrics, beside the handler that it stands for.
func BenchmarkHandler(b *testing.B) {
	body := make([]byte, 8<<10)
	bare := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
	c := newCache(b, nil, cache.Options{TTL: time.Hour, Registerer: prometheus.NewRegistry()})
	for _, bench := range []struct {
		name    string
		handler http.Handler
	}{{"bare", bare}, {"near hit", c.Handler(bare)}} {
		b.Run(bench.name, func(b *testing.B) {
			r, err := http.NewRequest(http.MethodGet, "http://host/tiles/3/1/2", nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				bench.handler.ServeHTTP(&discard{h: http.Header{}}, r)
			}
		})
	}
}

func BenchmarkFetch(b *testing.B) {
	c := newCache(b, nil, cache.Options{TTL: time.Hour, Registerer: prometheus.NewRegistry()})
	load := func(context.Context) (int, error) { return 1, nil }
	b.ReportAllocs()
	for b.Loop() {
		if _, err := cache.Fetch(b.Context(), c, "key", load); err != nil {
			b.Fatal(err)
		}
	}
}

// discard is a ResponseWriter that keeps nothing.
type discard struct{ h http.Header }

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}
