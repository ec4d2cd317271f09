package cache_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vitrine/cache"
	"vitrine/e2e/component"
)

// TestRedisHandlers: the rules of HTTP over a real Redis: two replicas load each variant once, prove it once, keep streams
// out, and hear of what unsafe methods change.
func TestRedisHandlers(t *testing.T) {
	server := component.Redis(t)
	var loads, proofs, streams atomic.Int64
	etag := new(atomic.Value)
	etag.Store(`"1"`)
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut:
			w.WriteHeader(http.StatusNoContent)
			return
		case r.URL.Path == "/stream":
			streams.Add(1)
			w.Header().Set("Cache-Control", "no-store")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(200 * time.Millisecond)
			_, _ = io.WriteString(w, r.Header.Get("X-User"))
			return
		}
		w.Header().Set("Cache-Control", "max-age=3")
		w.Header().Set("Vary", "Accept-Language")
		w.Header().Set("Etag", etag.Load().(string))
		if r.Header.Get("If-None-Match") == etag.Load() {
			proofs.Add(1)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		loads.Add(1)
		time.Sleep(50 * time.Millisecond)
		_, _ = io.WriteString(w, r.Header.Get("Accept-Language"))
	})
	var handlers []http.Handler
	for range 2 {
		r := newReplica(t, server, cache.Options{Name: "edge"})
		handlers = append(handlers, r.Handler(next))
	}
	languages := []string{"de", "en", "fr"}
	ask := func() {
		t.Helper()
		var all sync.WaitGroup
		for i := range 60 {
			all.Go(func() {
				language := languages[i%3]
				if got := do(handlers[i/3%2], "GET", "http://host/page", "Accept-Language", language).Body.String(); got != language {
					t.Errorf("%s got %q", language, got)
				}
			})
		}
		all.Wait()
	}
	ask()
	if n := loads.Load(); n != 3 {
		t.Errorf("%d loads of 3 variants", n)
	}
	time.Sleep(3100 * time.Millisecond)
	ask()
	if n, m := loads.Load(), proofs.Load(); n != 3 || m != 3 {
		t.Errorf("%d loads, %d proofs of 3 variants", n, m)
	}

	etag.Store(`"2"`)
	if w := do(handlers[0], "PUT", "http://host/page"); w.Code != http.StatusNoContent {
		t.Errorf("%d", w.Code)
	}
	time.Sleep(50 * time.Millisecond) // the message
	ask()
	if n := loads.Load(); n != 6 {
		t.Errorf("%d loads, want 6 once it has changed", n)
	}

	start := time.Now()
	for range 2 {
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				user := strings.Repeat("x", i)
				w := httptest.NewRecorder()
				r := httptest.NewRequest("GET", "http://host/stream", nil)
				r.Header.Set("X-User", user)
				handlers[i%2].ServeHTTP(w, r)
				if w.Body.String() != user {
					t.Errorf("%q got %q", user, w.Body)
				}
			})
		}
		all.Wait()
	}
	if n := streams.Load(); n != 40 || time.Since(start) > 3*time.Second { // one after the other: 8 s
		t.Errorf("%d streams in %s", n, time.Since(start))
	}
}
