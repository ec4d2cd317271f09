package cache_test

import (
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"vitrine/cache"
	"vitrine/e2e/component"
)

// BenchmarkLoad is what a load costs that costs its origin nothing: a response that neither tier has, from Redis' first no to
// its being kept in both.
func BenchmarkLoad(b *testing.B) {
	client := redis.NewClient(&redis.Options{Addr: component.Redis(b).Addr, ContextTimeoutEnabled: true})
	defer client.Close()
	registry := prometheus.NewRegistry()
	if err := cache.InstrumentRedis(client, cache.RedisOptions{Registerer: registry}); err != nil {
		b.Fatal(err)
	}
	c := newCache(b, cache.Redis(client, ""), cache.Options{TTL: time.Hour, Registerer: registry})
	h := c.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "an answer") }))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r, err := http.NewRequest(http.MethodGet, "http://host/"+strconv.Itoa(i), nil)
		if err != nil {
			b.Fatal(err)
		}
		h.ServeHTTP(&discard{h: http.Header{}}, r)
	}
}
