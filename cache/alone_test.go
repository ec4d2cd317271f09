package cache_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// fillsNot is a store of which one Fill fails.
type fillsNot struct {
	*storetest.Memory
	fails atomic.Bool
}

func (s *fillsNot) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration, message []byte) (bool, error) {
	if s.fails.CompareAndSwap(true, false) {
		return false, errOrigin
	}
	return s.Memory.Fill(ctx, key, token, value, ttl, message)
}

// headerAt is told when there is a header.
type headerAt struct {
	*httptest.ResponseRecorder
	at chan time.Time
}

func (w headerAt) WriteHeader(status int) {
	w.at <- time.Now()
	w.ResponseRecorder.WriteHeader(status)
}

// TestStreamGivesItsLeaseUp, even where it cannot say so: it runs out, and no client of another replica waits for the
// stream's end.
func TestStreamGivesItsLeaseUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(10 * time.Minute)
		})
		far := &fillsNot{Memory: new(storetest.Memory)}
		all := replicas(t, 2, far, cache.Options{Tuning: cache.Tuning{Lease: 3 * time.Second}})
		synctest.Wait()
		far.fails.Store(true)
		go do(all[0].Handler(o), "GET", "/")
		time.Sleep(time.Minute)
		start, w := time.Now(), headerAt{httptest.NewRecorder(), make(chan time.Time, 1)}
		go all[1].Handler(o).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if waited := (<-w.at).Sub(start); waited > 4*time.Second {
			t.Errorf("it waited %s for a header", waited)
		}
		time.Sleep(20 * time.Minute)
	})
}

// TestLoadsOfOneAskerCount as what they came to: what a client does not stay for is no error of the origin's, and one that is
// handed over is.
func TestLoadsOfOneAskerCount(t *testing.T) {
	for _, test := range []struct {
		desc, method string
		status       int
		leaves       bool
		ok, bad      uint64
	}{
		{"HEAD", "HEAD", 200, false, 1, 0},
		{"GET", "GET", 200, false, 1, 0},
		{"an error", "GET", 503, false, 0, 1},
		{"a client that leaves", "GET", 200, true, 1, 0},
	} {
		t.Run(test.desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				registry := prometheus.NewRegistry()
				h := newCache(t, nil, cache.Options{Registerer: registry}).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Cache-Control", "private")
					w.WriteHeader(test.status)
					for range 100 {
						if _, err := io.WriteString(w, "x"); err != nil || r.Context().Err() != nil {
							panic(http.ErrAbortHandler) // as a ReverseProxy does
						}
						time.Sleep(time.Second)
					}
				}))
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				if test.leaves {
					time.AfterFunc(5*time.Second, leave)
				}
				func() {
					defer func() { _ = recover() }() // http.ErrAbortHandler
					h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(test.method, "/", nil).WithContext(ctx))
				}()
				time.Sleep(5 * time.Minute)
				if ok, bad := loadsCounted(t, registry); ok != test.ok || bad != test.bad {
					t.Errorf("%d ok, %d errors", ok, bad)
				}
			})
		})
	}
}

func loadsCounted(t *testing.T, g prometheus.Gatherer) (ok, bad uint64) {
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "cache_load_duration_seconds" {
			continue
		}
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				switch label.GetValue() {
				case "ok":
					ok = m.GetHistogram().GetSampleCount()
				case "error":
					bad = m.GetHistogram().GetSampleCount()
				}
			}
		}
	}
	return ok, bad
}

// TestStreamSetsItsWriteDeadline, once it is handed over.
func TestStreamSetsItsWriteDeadline(t *testing.T) {
	said := make(chan error, 1)
	server := httptest.NewServer(newCache(t, nil, cache.Options{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		said <- http.NewResponseController(w).SetWriteDeadline(time.Time{})
	})))
	defer server.Close()
	res, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Error(err)
	}
	if err := <-said; err != nil {
		t.Error(err)
	}
}

// TestHandlerSeesItsKey, and nothing beside it, on the way past the cache too.
func TestHandlerSeesItsKey(t *testing.T) {
	for desc, header := range map[string][]string{
		"as it is": nil, "conditional": {"If-None-Match", `"a"`}, "a range": {"Range", "bytes=0-0"},
	} {
		t.Run(desc, func(t *testing.T) {
			o := &origin{answer: func(w http.ResponseWriter, r *http.Request) {
				if r.URL.RawQuery != "q=1" || strings.Contains(r.RequestURI, "other") || r.Header["Cache-Control"] != nil || r.Header["Pragma"] != nil {
					t.Errorf("%s %s %v", r.URL, r.RequestURI, r.Header)
				}
				w.Header().Set("Cache-Control", "private")
			}}
			h := newCache(t, nil, cache.Options{HTTP: cache.HTTP{Query: []string{"q"}}}).Handler(o)
			for range 3 {
				do(h, "GET", "/?q=1&other=2", slices.Concat(header, []string{"Cache-Control", "no-cache", "Pragma", "no-cache"})...)
			}
			if o.asked.Load() < 3 {
				t.Errorf("asked %d times", o.asked.Load())
			}
		})
	}
}

// TestConditionalRequestsHoldPlaces of those that Limits.Loads has, where the origin itself answers them.
func TestConditionalRequestsHoldPlaces(t *testing.T) {
	for desc, header := range map[string][]string{"conditional": {"If-None-Match", `"a"`}, "a range": {"Range", "bytes=0-0"}} {
		t.Run(desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var running, most, rejected atomic.Int64
				h := newCache(t, nil, cache.Options{Name: "c", Limits: cache.Limits{Loads: 2, Queue: -1}}).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					most.Store(max(most.Load(), running.Add(1)))
					defer running.Add(-1)
					time.Sleep(time.Second)
					w.Header().Set("Cache-Control", "private")
				}))
				do(h, "GET", "/")
				var all sync.WaitGroup
				for range 20 {
					all.Go(func() {
						if w := do(h, "GET", "/", header...); w.Code == 503 && w.Header().Get("Retry-After") != "" {
							rejected.Add(1)
						}
					})
				}
				all.Wait()
				if most.Load() != 2 || rejected.Load() != 18 {
					t.Errorf("%d at once, %d rejected", most.Load(), rejected.Load())
				}
				if w := do(h, "GET", "/", header...); w.Code != 200 {
					t.Errorf("%d once they are through", w.Code)
				}
			})
		})
	}
}
