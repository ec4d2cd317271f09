//go:build !race

// With the race detector a sync.Pool forgets at random, so that nobody can say what allocates.

package cache_test

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// TestAllocationBudget is TestBudget for what answers leave to the garbage collector, the store's own apart. Loads
// are as good as free.
func TestAllocationBudget(t *testing.T) {
	o := cache.Options{TTL: time.Hour, Registerer: prometheus.NewRegistry()}
	near := newCache(t, new(storetest.Memory), o)
	o.Near, o.Registerer = -1, prometheus.NewRegistry()
	far := newCache(t, new(storetest.Memory), o)
	load := func(context.Context) (string, error) { return "value", nil }
	from := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte("value"))
	})
	n := 0
	fetch := func(c *cache.Cache, key string) {
		if v, err := cache.Fetch(t.Context(), c, key, load); v != "value" || err != nil {
			t.Errorf("%q, %v", v, err)
		}
	}
	request, err := http.NewRequest(http.MethodGet, "http://host/", nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &discard{h: http.Header{}}
	get := func(c *cache.Cache, path string) {
		clear(w.h)
		request.URL.Path = path
		if c.Handler(from).ServeHTTP(w, request); w.h["Cache-Status"] == nil {
			t.Error("no answer")
		}
	}
	for _, test := range []struct {
		desc string
		most float64
		work func()
	}{
		{"Fetch: a near hit", 0, func() { fetch(near, "key") }},
		{"Fetch: a far hit", 24, func() { fetch(far, "key") }},
		{"Fetch: a load", 90, func() { n++; fetch(near, strconv.Itoa(n)) }},
		{"Handler: a near hit", 1, func() { get(near, "/key") }},
		{"Handler: a far hit", 35, func() { get(far, "/key") }},
		{"Handler: a load", 160, func() { n++; get(near, "/"+strconv.Itoa(n)) }},
	} {
		got := testing.AllocsPerRun(2000, test.work)
		t.Logf("%s: %g allocations", test.desc, got)
		if got > test.most {
			t.Errorf("%s allocates %g times, and may %g", test.desc, got, test.most)
		}
	}
}
