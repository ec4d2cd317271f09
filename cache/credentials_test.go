package cache_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// TestAuthorization: answers to requests with credentials are shared where they say that they may be (RFC 9111, section
// 3.5), and only then; private is another rule (souin#863, #864).
func TestAuthorization(t *testing.T) {
	for _, test := range []struct {
		cc     string
		shared bool
	}{
		{"", false}, {"max-age=60", false}, {"max-age=60, public", true}, {"s-maxage=60", true},
		{"max-age=60, must-revalidate", true}, {"public, private, max-age=60", false}, {"public, no-store", false},
	} {
		t.Run(test.cc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &origin{answer: func(w http.ResponseWriter, r *http.Request) {
					time.Sleep(time.Second)
					w.Header().Set("Cache-Control", test.cc)
					_, _ = io.WriteString(w, r.Header.Get("Authorization"))
				}}
				h := newCache(t, nil, cache.Options{Name: "c", TTL: time.Minute}).Handler(o)
				// In each order: who asks, and who is answered.
				for _, path := range []string{"/a", "/b"} {
					asks := []string{"Basic one", "", "Basic two"}
					if path == "/b" {
						asks = []string{"", "Basic one", "Basic two"}
					}
					for i, who := range asks {
						var header []string
						if who != "" {
							header = []string{"Authorization", who}
						}
						w := do(h, "GET", path, header...)
						own := strings.HasPrefix(w.Body.String(), who)
						if who == "" {
							own = !strings.HasPrefix(w.Body.String(), "Basic")
						}
						shared := w.Header().Get("Age") != ""
						if want := test.shared && i > 0; shared != want || !shared && !own {
							t.Errorf("%s, %q: %q %v", path, who, w.Body, w.Header())
						}
						if who != "" && !test.shared && !strings.HasPrefix(w.Header().Get("Cache-Status"), "c; fwd=") {
							t.Errorf("%v", w.Header())
						}
					}
				}
				// At once, behind one of another's.
				start := time.Now()
				var all sync.WaitGroup
				for i := range 10 {
					all.Go(func() {
						who := "Basic " + strconv.Itoa(i)
						if w := do(h, "GET", "/c", "Authorization", who); !strings.HasPrefix(w.Body.String(), who) {
							t.Errorf("%s got %q", who, w.Body)
						}
					})
				}
				all.Wait()
				if time.Since(start) != time.Second {
					t.Errorf("ten with credentials waited %s", time.Since(start))
				}
			})
		})
	}
}

// TestAnswerThatIsForAllNoMore: who has credentials gets no answer of a request without, once that does not say that it is for all.
func TestAnswerThatIsForAllNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := "public, max-age=60"
		o := &origin{answer: func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			w.Header().Set("Cache-Control", cc)
			w.Header().Set("Etag", `"a"`)
			_, _ = io.WriteString(w, r.Header.Get("Authorization")+" ")
		}}
		h := newCache(t, nil, cache.Options{Name: "c"}).Handler(o)
		do(h, "GET", "/")
		cc = "max-age=60"
		time.Sleep(2 * time.Minute)
		var all sync.WaitGroup
		all.Go(func() { do(h, "GET", "/") })
		time.Sleep(100 * time.Millisecond)
		all.Go(func() {
			if w := do(h, "GET", "/", "Authorization", "Basic x"); !strings.HasPrefix(w.Body.String(), "Basic x") {
				t.Errorf("%q %v", w.Body, w.Header())
			}
		})
		all.Wait()
	})
}

// TestAnswerOfAnotherReplicaThatIsForAllNoMore: nor one that another replica's load passes.
func TestAnswerOfAnotherReplicaThatIsForAllNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := "public, max-age=10"
		o := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", cc)
			time.Sleep(time.Second)
			_, _ = io.WriteString(w, "for "+r.Header.Get("Authorization"))
		})
		all := replicas(t, 2, new(storetest.Memory), cache.Options{Stale: cache.Staleness{IfError: time.Hour}})
		synctest.Wait()
		one, two := all[0].Handler(o), all[1].Handler(o)
		do(one, "GET", "/")
		do(two, "GET", "/")
		time.Sleep(20 * time.Second)
		cc = "max-age=0"
		inTurn(func() { do(one, "GET", "/") }, func() {
			if w := do(two, "GET", "/", "Authorization", "bob"); w.Body.String() != "for bob" {
				t.Errorf("%q %v", w.Body, w.Header())
			}
		})
	})
}

// TestNothingStandsInForWhatIsNotForAll: who has credentials gets the origin's error, and not the answer to others.
func TestNothingStandsInForWhatIsNotForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := false
		h := newCache(t, nil, cache.Options{TTL: time.Minute, Stale: cache.Staleness{IfError: time.Hour}}).Handler(&origin{answer: func(w http.ResponseWriter, _ *http.Request) {
			if down {
				w.WriteHeader(503)
			}
		}})
		do(h, "GET", "/")
		down = true
		for range 2 { // while it is fresh, and after
			if w := do(h, "GET", "/", "Authorization", "Basic x"); w.Code != 503 {
				t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
			}
			if w := do(h, "GET", "/"); w.Code != 200 || w.Body.String() != "1" {
				t.Errorf("without: %d %q %v", w.Code, w.Body, w.Header())
			}
			time.Sleep(2 * time.Minute)
		}
	})
}

// TestGarbageEndsNothing: what comes of anybody's made-up credentials says nothing of what is kept for all.
func TestGarbageEndsNothing(t *testing.T) {
	for _, cc := range []string{"s-maxage=60, stale-while-revalidate=60", "s-maxage=60, stale-if-error=60"} {
		for _, far := range []cache.Store{nil, new(storetest.Memory)} {
			synctest.Test(t, func(t *testing.T) {
				status := 200
				h := newCache(t, far, cache.Options{}).Handler(&origin{answer: func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Cache-Control", cc)
					if r.Header["Authorization"] != nil {
						w.Header().Set("Cache-Control", "")
						w.WriteHeader(401)
						return
					}
					w.WriteHeader(status)
				}})
				do(h, "GET", "/")
				time.Sleep(61 * time.Second)
				do(h, "GET", "/", "Authorization", "garbage")
				synctest.Wait()
				status = 503
				if w := do(h, "GET", "/"); w.Code != 200 || w.Body.String() != "1" {
					t.Errorf("%s: %d %q %v", cc, w.Code, w.Body, w.Header())
				}
			})
		}
	}
}

// TestGarbageLeadsNobody: those who wait behind it have a load in common.
func TestGarbageLeadsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &origin{answer: func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			if r.Header["Authorization"] != nil {
				w.WriteHeader(401)
				return
			}
			w.Header().Set("Cache-Control", "s-maxage=60")
			w.Header().Set("Etag", `"a"`)
		}}
		h := newCache(t, nil, cache.Options{}).Handler(o)
		do(h, "GET", "/")
		time.Sleep(61 * time.Second)
		before := o.asked.Load()
		inTurn(func() { do(h, "GET", "/", "Authorization", "garbage") }, func() {
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() { do(h, "GET", "/") })
			}
			all.Wait()
		})
		if n := o.asked.Load() - before; n > 2 {
			t.Errorf("21 requests became %d", n)
		}
	})
}

// TestPublicAnswersReachTheFarTier, whoever asked for them: replicas have them from there.
func TestPublicAnswersReachTheFarTier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &origin{answer: func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Second)
			w.Header().Set("Cache-Control", "public, max-age=3600")
		}}
		all := replicas(t, 2, new(storetest.Memory), cache.Options{})
		synctest.Wait()
		for range 3 {
			before := o.asked.Load()
			var askers sync.WaitGroup
			for i := range 10 {
				askers.Go(func() { do(all[i%2].Handler(o), "GET", "/", "Authorization", "Basic "+strconv.Itoa(i)) })
			}
			askers.Wait()
			if n := o.asked.Load() - before; before > 0 && n > 2 {
				t.Errorf("10 requests became %d", n)
			}
			time.Sleep(31 * time.Second) // Tuning.NearTTL
		}
	})
}
