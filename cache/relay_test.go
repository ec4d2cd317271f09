package cache_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// TestUnshareableIsNotSerialised: those that ask while the first one's answer is on its way wait for its header, and then
// ask for themselves all at once; those that come later wait for nobody.
func TestUnshareableIsNotSerialised(t *testing.T) {
	for desc, name := range map[string][2]string{
		"a cookie":       {"Set-Cookie", "a=b"},
		"private":        {"Cache-Control", "private"},
		"no-store":       {"Cache-Control", "no-store"},
		"Vary: *":        {"Vary", "*"},
		"a long body":    {"Content-Length", "5000000"},
		"a stream":       {"Content-Type", "text/event-stream"},
		"a chunked body": {"X-Chunked", "yes"},
	} {
		t.Run(desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var running, most atomic.Int64
				o := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					most.Store(max(most.Load(), running.Add(1)))
					defer running.Add(-1)
					time.Sleep(time.Second)
					w.Header().Set(name[0], name[1])
					_ = http.NewResponseController(w).Flush()
					if name[0] == "X-Chunked" {
						_, _ = w.Write(make([]byte, 5_000_000))
					}
					time.Sleep(10 * time.Second) // what follows is its asker's time
					_, _ = io.WriteString(w, r.Header.Get("X-User"))
				})
				var far storetest.Memory
				all := replicas(t, 2, &far, cache.Options{TTL: time.Minute})
				ask := func(n int, within time.Duration) {
					start := time.Now()
					var askers sync.WaitGroup
					for i := range n {
						askers.Go(func() {
							user := strconv.Itoa(i)
							w := do(all[i%2].Handler(o), "GET", "/", "X-User", user)
							if !strings.HasSuffix(w.Body.String(), user) || w.Header().Get("Age") != "" {
								t.Errorf("%s got %.20q %v", user, w.Body.String()[max(0, w.Body.Len()-20):], w.Header())
							}
						})
					}
					askers.Wait()
					if took := time.Since(start); took > within {
						t.Errorf("%d askers waited %s, want %s", n, took, within)
					}
				}
				ask(10, 22500*time.Millisecond)
				if most.Load() < 8 {
					t.Errorf("%d at once at first", most.Load())
				}
				most.Store(0)
				ask(10, 11*time.Second)
				if most.Load() != 10 {
					t.Errorf("%d at once once it was known", most.Load())
				}
				// When one looks whether it is still so, the others do not wait for it.
				time.Sleep(2 * time.Minute)
				for _, c := range all {
					go do(c.Handler(o), "GET", "/")
				}
				time.Sleep(100 * time.Millisecond)
				ask(10, 11*time.Second)
				time.Sleep(time.Minute)
			})
		})
	}
}

// TestAloneIsLookedAfter: a URL whose answers become shareable is kept again, while nobody waits to find that out.
func TestAloneIsLookedAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		private := true
		o := &origin{answer: func(w http.ResponseWriter, _ *http.Request) {
			if private {
				w.Header().Set("Cache-Control", "private")
			}
		}}
		h := newCache(t, nil, cache.Options{Name: "c", TTL: time.Hour}).Handler(o)
		for want := range 3 {
			if w := do(h, "GET", "/"); w.Body.String() != strconv.Itoa(want+1) || w.Header().Get("Cache-Status") != "c; fwd=uri-miss; detail=private" {
				t.Errorf("%q %v", w.Body, w.Header())
			}
		}
		private = false
		if w := do(h, "GET", "/"); w.Body.String() != "4" || w.Header().Get("Cache-Status") != "c; fwd=uri-miss; stored" {
			t.Errorf("%q %v", w.Body, w.Header())
		}
		if w := do(h, "GET", "/"); w.Body.String() != "4" {
			t.Errorf("%q %v", w.Body, w.Header())
		}
	})
}

// TestOneRequestMakesNothingAlone: a client cannot have others' requests run one by one, nor can an error.
func TestOneRequestMakesNothingAlone(t *testing.T) {
	for desc, header := range map[string][]string{"credentials": {"Authorization", "Basic x"}, "an error": {"X-Fails", "yes"}} {
		t.Run(desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := new(origin)
				o.answer = func(w http.ResponseWriter, r *http.Request) {
					time.Sleep(time.Second)
					if r.Header.Get("X-Fails") != "" {
						w.Header().Set("Cache-Control", "no-store")
						w.WriteHeader(500)
					}
				}
				h := newCache(t, nil, cache.Options{TTL: time.Minute}).Handler(o)
				do(h, "GET", "/", header...)
				before := o.asked.Load()
				var all sync.WaitGroup
				for range 10 {
					all.Go(func() { do(h, "GET", "/") })
				}
				all.Wait()
				if n := o.asked.Load() - before; n != 1 {
					t.Errorf("10 requests became %d", n)
				}
			})
		})
	}
}

// TestAStreamHoldsNoPlace of those that Limits.Loads has.
func TestAStreamHoldsNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &origin{answer: func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/stream" {
				w.Header().Set("Content-Type", "text/event-stream")
				_ = http.NewResponseController(w).Flush()
				time.Sleep(time.Hour)
			}
		}}
		h := newCache(t, nil, cache.Options{TTL: time.Minute, Limits: cache.Limits{Loads: 1, Queue: -1}}).Handler(o)
		go do(h, "GET", "/stream")
		time.Sleep(time.Second)
		if w := do(h, "GET", "/"); w.Code != 200 {
			t.Errorf("%d", w.Code)
		}
		time.Sleep(2 * time.Hour)
	})
}

// TestOriginAnswersItself conditions and ranges where nothing comes of them for others.
func TestOriginAnswersItself(t *testing.T) {
	h := newCache(t, nil, cache.Options{Name: "c", TTL: time.Minute}).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "private")
		w.Header().Set("Etag", `"mine"`)
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader("0123456789"))
	}))
	do(h, "GET", "/")
	if w := do(h, "GET", "/", "If-None-Match", `"mine"`); w.Code != 304 || w.Header().Get("Cache-Status") != "c; fwd=uri-miss" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if w := do(h, "GET", "/", "Range", "bytes=1-2"); w.Code != 206 || w.Body.String() != "12" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

// TestLongBodyIsNotHeld: it flows past the cache, however large.
func TestLongBodyIsNotHeld(t *testing.T) {
	const size = 64 << 20
	chunk := make([]byte, 32<<10)
	o := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range size / len(chunk) {
			if _, err := w.Write(chunk); err != nil {
				t.Error(err)
				return
			}
		}
	})
	server := httptest.NewServer(newCache(t, nil, cache.Options{TTL: time.Hour, Limits: cache.Limits{Body: 1 << 20}}).Handler(o))
	defer server.Close()
	for range 2 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		res, err := http.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		runtime.ReadMemStats(&after)
		if n != size || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 8<<20 {
			t.Errorf("%d bytes allocated for %d of a body", took, size)
		}
	}
}

// TestStreamOutlivesTheLoadTimeout, and ends with its client.
func TestStreamOutlivesTheLoadTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan time.Duration, 1)
		start := time.Now()
		o := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for range 600 {
				select {
				case <-r.Context().Done():
					ended <- time.Since(start)
					return
				case <-time.After(time.Second):
					_, _ = io.WriteString(w, ".")
				}
			}
			ended <- time.Since(start)
		})
		h := newCache(t, nil, cache.Options{TTL: time.Hour, Limits: cache.Limits{LoadTimeout: 10 * time.Second}}).Handler(o)
		if w := do(h, "GET", "/"); w.Body.Len() != 600 || <-ended != 10*time.Minute {
			t.Errorf("%d bytes", w.Body.Len())
		}
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(5500*time.Millisecond, leave)
		start = time.Now()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
		if at := <-ended; at != 5500*time.Millisecond || w.Body.Len() != 5 {
			t.Errorf("it ended after %s, with %d bytes", at, w.Body.Len())
		}
	})
}

// TestDesertedStream: a load whose asker has left before there was a header is not read to its end.
func TestDesertedStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wrote atomic.Int64
		o := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(2 * time.Second)
			w.Header().Set("Cache-Control", "no-store")
			for range 1000 {
				if _, err := w.Write(make([]byte, 1000)); err != nil || r.Context().Err() != nil {
					return
				}
				wrote.Add(1)
			}
		})
		h := newCache(t, nil, cache.Options{TTL: time.Hour}).Handler(o)
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, leave)
		func() {
			defer func() { _ = recover() }() // http.ErrAbortHandler
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil).WithContext(ctx))
		}()
		time.Sleep(5 * time.Second)
		if wrote.Load() > 0 {
			t.Errorf("%d writes for nobody", wrote.Load())
		}
	})
}

// TestBrokenResponseIsNotStored: of a body that breaks off, behind a proxy or in a handler, the client learns as without a
// cache, and nobody else gets it.
func TestBrokenResponseIsNotStored(t *testing.T) {
	for _, test := range []struct{ desc, header, value string }{
		{"kept", "Cache-Control", "max-age=60"},
		{"streamed", "Cache-Control", "private"},
	} {
		for _, length := range []bool{true, false} {
			t.Run(fmt.Sprint(test.desc, length), func(t *testing.T) {
				var asked atomic.Int64
				upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set(test.header, test.value)
					if length {
						w.Header().Set("Content-Length", "1000")
					}
					_, _ = io.WriteString(w, "half")
					_ = http.NewResponseController(w).Flush()
					if asked.Add(1) < 3 {
						panic(http.ErrAbortHandler)
					}
					_, _ = w.Write(make([]byte, 996))
				}))
				defer upstream.Close()
				u, err := url.Parse(upstream.URL)
				if err != nil {
					t.Fatal(err)
				}
				proxy := httputil.NewSingleHostReverseProxy(u)
				server := httptest.NewServer(newCache(t, nil, cache.Options{}).Handler(proxy))
				defer server.Close()
				for i := range 4 {
					res, err := http.Get(server.URL)
					n := int64(0)
					if err == nil {
						n, err = io.Copy(io.Discard, res.Body)
						_ = res.Body.Close()
					}
					if broken := i < 2; broken != (err != nil) || !broken && n != 1000 {
						t.Errorf("request %d: %d bytes, %v", i, n, err)
					}
				}
				want := int64(3)
				if test.desc == "streamed" {
					want = 4
				}
				if asked.Load() != want {
					t.Errorf("asked %d times, want %d", asked.Load(), want)
				}
			})
		}
	}
}

// TestStreamFails: a stale answer is decided on before the first byte, never behind a half-written error.
func TestStreamFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := false
		o := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if fails {
				w.Header().Set("Set-Cookie", "a=b")
				w.Header().Set("Cache-Control", "no-store")
				w.WriteHeader(http.StatusBadGateway)
				_, _ = w.Write(bytes.Repeat([]byte("no luck "), 1<<20))
				return
			}
			_, _ = io.WriteString(w, "good")
		})
		h := newCache(t, nil, cache.Options{Name: "c", TTL: time.Minute, Stale: cache.Staleness{IfError: time.Hour}}).Handler(o)
		do(h, "GET", "/")
		fails = true
		time.Sleep(2 * time.Minute)
		w := do(h, "GET", "/")
		if w.Code != 200 || w.Body.String() != "good" || w.Header().Get("Set-Cookie") != "" || w.Header().Get("Cache-Status")[:12] != "c; fwd=stale" {
			t.Errorf("%d %.40q %v", w.Code, w.Body, w.Header())
		}
		// While it rests the origin is not asked.
		if w := do(h, "GET", "/"); w.Header().Get("Cache-Status") != "c; hit; ttl=-60; detail=stale_error" {
			t.Errorf("%v", w.Header())
		}
		time.Sleep(2 * time.Hour)
		if w := do(h, "GET", "/"); w.Code != http.StatusBadGateway || w.Body.Len() != 8<<20 || w.Header().Get("Set-Cookie") != "a=b" {
			t.Errorf("%d, %d bytes, %v: want the origin's own error", w.Code, w.Body.Len(), w.Header())
		}
	})
}

// TestHeadOfAStream: it is not read to its end for a client that wants the header.
func TestHeadOfAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "private")
			w.Header().Set("X-A", "b")
			for range 1000 {
				if _, err := w.Write(make([]byte, 1000)); err != nil {
					panic(http.ErrAbortHandler) // as a ReverseProxy does
				}
				time.Sleep(time.Second)
			}
		})
		h := newCache(t, nil, cache.Options{}).Handler(o)
		start := time.Now()
		if w := do(h, "HEAD", "/"); w.Code != 200 || w.Header().Get("X-A") != "b" || w.Body.Len() != 0 || time.Since(start) > time.Second {
			t.Errorf("%d %v, %d bytes after %s", w.Code, w.Header(), w.Body.Len(), time.Since(start))
		}
	})
}

// TestTrailersOfAStream reach its client.
func TestTrailersOfAStream(t *testing.T) {
	server := httptest.NewServer(newCache(t, nil, cache.Options{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Trailer", "X-Declared")
		_, _ = io.WriteString(w, "body")
		_ = http.NewResponseController(w).Flush()
		w.Header().Set("X-Declared", "1")
		w.Header().Set(http.TrailerPrefix+"X-Late", "2")
	})))
	defer server.Close()
	res, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.Trailer.Get("X-Declared") != "1" || res.Trailer.Get("X-Late") != "2" {
		t.Errorf("%v, %v", res.Trailer, err)
	}
}
