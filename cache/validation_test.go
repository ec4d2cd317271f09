package cache_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// validated is an origin whose answer has not changed.
func validated(validator, value, condition string) func(w http.ResponseWriter, r *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Second)
		w.Header().Set(validator, value)
		w.Header().Set("X-Asked", r.Header.Get(condition))
		w.Header().Set("X-Request-Id", "of this exchange")
		if r.Header.Get(condition) == value {
			w.WriteHeader(http.StatusNotModified)
		}
	}
}

// TestRevalidation: what is stale is proven, its header is updated, and it lives on; in each replica.
func TestRevalidation(t *testing.T) {
	const date = "Mon, 02 Jan 2006 15:04:05 GMT"
	for desc, test := range map[string][3]string{
		"a strong ETag": {"Etag", `"a"`, "If-None-Match"},
		"a weak ETag":   {"Etag", `W/"a"`, "If-None-Match"},
		"Last-Modified": {"Last-Modified", date, "If-Modified-Since"},
	} {
		for _, far := range []bool{false, true} {
			t.Run(desc, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := new(origin)
					o.answer = validated(test[0], test[1], test[2])
					opts := cache.Options{Name: "c", TTL: time.Minute}
					one, two := newCache(t, nil, opts), (*cache.Cache)(nil)
					if two = one; far {
						all := replicas(t, 2, new(storetest.Memory), opts)
						one, two = all[0], all[1]
						synctest.Wait()
					}
					do(one.Handler(o), "GET", "/")
					time.Sleep(2 * time.Minute)
					w := do(two.Handler(o), "GET", "/")
					if w.Code != 200 || w.Body.String() != "1" || w.Header().Get("X-Asked") != test[1] || w.Header().Get("X-Request-Id") == "" || w.Header().Get("Age") != "" ||
						w.Header().Get("Cache-Status") != "c; fwd=stale; fwd-status=304; stored" {
						t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
					}
					synctest.Wait()
					for _, c := range []*cache.Cache{one, two} {
						w = do(c.Handler(o), "GET", "/")
						if w.Body.String() != "1" || w.Header().Get("X-Asked") != test[1] || !strings.HasPrefix(w.Header().Get("Cache-Status"), "c; hit; ttl=") {
							t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
						}
					}
					if n := o.asked.Load(); n != 2 {
						t.Errorf("asked %d times", n)
					}
					time.Sleep(12 * time.Minute) // HTTP.Proving
					if w := do(two.Handler(o), "GET", "/"); w.Body.String() != "3" {
						t.Errorf("%q %v", w.Body, w.Header())
					}
				})
			})
		}
	}
}

// TestRevalidationIsShared: many wait for one 304, and one of them is told that it was one.
func TestRevalidationIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := new(origin)
		o.answer = validated("Etag", `"a"`, "If-None-Match")
		h := newCache(t, nil, cache.Options{Name: "c", TTL: time.Minute}).Handler(o)
		do(h, "GET", "/")
		time.Sleep(2 * time.Minute)
		var mu sync.Mutex
		said := map[string]int{}
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				w := do(h, "GET", "/")
				mu.Lock()
				defer mu.Unlock()
				said[w.Header().Get("Cache-Status")]++
				if w.Body.String() != "1" {
					t.Errorf("%q", w.Body)
				}
			})
		}
		all.Wait()
		if o.asked.Load() != 2 || said["c; fwd=stale; fwd-status=304; stored"] != 1 || said["c; fwd=stale; collapsed"] != 9 {
			t.Errorf("asked %d times; %v", o.asked.Load(), said)
		}
	})
}

// TestRevalidationThatChanges: a 200 takes the old one's place.
func TestRevalidationThatChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		etag := `"a"`
		o := &origin{answer: func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Etag", etag) }}
		h := newCache(t, nil, cache.Options{Name: "c", TTL: time.Minute}).Handler(o)
		do(h, "GET", "/")
		etag = `"b"`
		time.Sleep(2 * time.Minute)
		if w := do(h, "GET", "/"); w.Body.String() != "2" || w.Header().Get("Etag") != etag || w.Header().Get("Cache-Status") != "c; fwd=stale; stored" {
			t.Errorf("%q %v", w.Body, w.Header())
		}
	})
}

// TestNoCacheIsProvenEachTime: what says no-cache answers nobody without the origin, and nobody waits for another's 304.
func TestNoCacheIsProvenEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := new(origin)
		answer := validated("Etag", `"a"`, "If-None-Match")
		o.answer = func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-cache, max-age=60")
			answer(w, r)
		}
		h := newCache(t, nil, cache.Options{Name: "c", TTL: time.Minute, Stale: cache.Staleness{WhileRevalidate: time.Hour, IfError: time.Hour}}).Handler(o)
		do(h, "GET", "/")
		start := time.Now()
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if w := do(h, "GET", "/"); w.Body.String() != "1" || w.Header().Get("Cache-Status") != "c; fwd=stale; fwd-status=304; stored" {
					t.Errorf("%q %v", w.Body, w.Header())
				}
			})
		}
		all.Wait()
		if n := o.asked.Load(); n != 11 || time.Since(start) != time.Second {
			t.Errorf("asked %d times in %s", n, time.Since(start))
		}
	})
}

// TestNotModifiedOfAnother: a 304 to a date that names a strong ETag is not about what is kept, which has none (RFC 9111,
// section 4.3.4): the origin is asked for all.
func TestNotModifiedOfAnother(t *testing.T) {
	for _, test := range []struct {
		etag, body, conditions string
	}{
		{`"b"`, "3", " D "}, {`W/"b"`, "1", " D"}, {"", "1", " D"},
	} {
		synctest.Test(t, func(t *testing.T) {
			const date = "Sat, 01 Jan 2000 00:00:00 GMT"
			var conditions []string
			h := newCache(t, nil, cache.Options{TTL: time.Minute}).Handler(&origin{answer: func(w http.ResponseWriter, r *http.Request) {
				since := r.Header.Get("If-Modified-Since")
				conditions = append(conditions, strings.Replace(since, date, "D", 1))
				w.Header().Set("Last-Modified", date)
				if since != "" {
					if test.etag != "" {
						w.Header().Set("Etag", test.etag)
					}
					w.WriteHeader(http.StatusNotModified)
				}
			}})
			do(h, "GET", "/")
			time.Sleep(2 * time.Minute)
			for range 2 {
				if w := do(h, "GET", "/"); w.Code != 200 || w.Body.String() != test.body {
					t.Errorf("%s: %d %q %v", test.etag, w.Code, w.Body, w.Header())
				}
			}
			if got := strings.Join(conditions, " "); got != test.conditions {
				t.Errorf("%s: conditions %q", test.etag, got)
			}
		})
	}
}

// TestNotModifiedThatNobodyAskedFor: an origin's 304 never reaches a client that sent no condition (souin#794).
func TestNotModifiedThatNobodyAskedFor(t *testing.T) {
	h := newCache(t, nil, cache.Options{Name: "c", TTL: time.Minute}).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNotModified)
	}))
	for range 2 {
		if w := do(h, "GET", "/", "If-None-Match", `"a"`); w.Code != http.StatusBadGateway {
			t.Errorf("%d %v", w.Code, w.Header())
		}
	}
}

// TestPurgedIsNotProven: what was purged does not come back by a 304, not even if that was while it was on its way.
func TestPurgedIsNotProven(t *testing.T) {
	for _, far := range []cache.Store{nil, new(storetest.Memory)} {
		synctest.Test(t, func(t *testing.T) {
			o := new(origin)
			o.answer = validated("Etag", `"a"`, "If-None-Match")
			c := newCache(t, far, cache.Options{Name: "c", TTL: time.Minute})
			h := c.Handler(o)
			do(h, "GET", "http://host/")
			time.Sleep(2 * time.Minute)
			purge := func() {
				if err := c.PurgeKey(t.Context(), cache.Hard, "r:host/"); err != nil {
					t.Error(err)
				}
			}
			purge()
			if w := do(h, "GET", "http://host/"); w.Body.String() != "2" {
				t.Errorf("%q %v", w.Body, w.Header())
			}
			time.Sleep(2 * time.Minute)
			time.AfterFunc(500*time.Millisecond, purge)
			do(h, "GET", "http://host/") // it came before the purge
			if w := do(h, "GET", "http://host/"); w.Body.String() != "4" {
				t.Errorf("%q %v", w.Body, w.Header())
			}
		})
	}
}

// TestPurgedWhileItWaits: nor by that of a load that waits for another replica's.
func TestPurgedWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var conditions []string
		o := new(origin)
		answer := validated("Etag", `"a"`, "If-None-Match")
		o.answer = func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			conditions = append(conditions, r.Header.Get("If-None-Match"))
			mu.Unlock()
			answer(w, r)
		}
		all := replicas(t, 2, new(storetest.Memory), cache.Options{Name: "c", TTL: time.Minute})
		synctest.Wait()
		do(all[0].Handler(o), "GET", "http://host/")
		time.Sleep(2 * time.Minute)
		time.AfterFunc(500*time.Millisecond, func() {
			if err := all[0].PurgeKey(t.Context(), cache.Hard, "r:host/"); err != nil {
				t.Error(err)
			}
		})
		var both sync.WaitGroup
		both.Go(func() { do(all[0].Handler(o), "GET", "http://host/") })
		time.Sleep(100 * time.Millisecond)
		both.Go(func() {
			if w := do(all[1].Handler(o), "GET", "http://host/"); w.Body.String() != "3" {
				t.Errorf("%q", w.Body)
			}
		})
		both.Wait()
		if got := strings.Join(conditions, ","); got != `,"a",` {
			t.Errorf("conditions %q", got)
		}
	})
}

// TestErrorsReplaceNothing: what stands in for an error goes on doing so, whatever the error says of itself.
func TestErrorsReplaceNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := false
		o := &origin{answer: func(w http.ResponseWriter, _ *http.Request) {
			if fails {
				w.Header().Set("Cache-Control", "max-age=600")
				w.Header().Set("Vary", "X-A")
				w.WriteHeader(503)
			}
		}}
		h := newCache(t, nil, cache.Options{TTL: time.Minute, Stale: cache.Staleness{IfError: time.Hour}}).Handler(o)
		do(h, "GET", "/")
		fails = true
		for range 10 {
			time.Sleep(2 * time.Minute)
			if w := do(h, "GET", "/"); w.Code != 200 || w.Body.String() != "1" {
				t.Errorf("%d %q", w.Code, w.Body)
			}
		}
	})
}

// TestConditionalRequestOnAMissFillsTheCache (souin#467), and is answered by what it filled.
func TestConditionalRequestOnAMissFillsTheCache(t *testing.T) {
	o := &origin{answer: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"a"`)
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(http.StatusNotModified)
		}
	}}
	h := newCache(t, nil, cache.Options{TTL: time.Minute}).Handler(o)
	if w := do(h, "GET", "/", "If-None-Match", `"a"`); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	if w := do(h, "GET", "/"); w.Code != 200 || w.Body.String() != "1" || w.Header().Get("Age") == "" {
		t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
	}
}

// TestClientConditions: what is kept answers conditions and ranges.
func TestClientConditions(t *testing.T) {
	const date = "Mon, 02 Jan 2006 15:04:05 GMT"
	o := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Etag", `"a"`)
		w.Header().Set("Last-Modified", date)
		w.Header().Set("Content-Type", "text/x")
		_, _ = io.WriteString(w, "0123456789")
	})
	h := newCache(t, nil, cache.Options{Name: "c", TTL: time.Minute}).Handler(o)
	for _, test := range []struct {
		method string
		header []string
		status int
		body   string
	}{
		{"GET", []string{"If-None-Match", `"a"`}, 304, ""},
		{"GET", []string{"If-None-Match", `W/"a", "b"`}, 304, ""},
		{"HEAD", []string{"If-None-Match", `*`}, 304, ""},
		{"GET", []string{"If-None-Match", `"b"`}, 200, "0123456789"},
		{"GET", []string{"If-None-Match", `"b"`, "If-Modified-Since", date}, 200, "0123456789"}, // RFC 9110, section 13.2.2
		{"GET", []string{"If-Modified-Since", date}, 304, ""},
		{"GET", []string{"If-Modified-Since", "Sun, 01 Jan 2006 15:04:05 GMT"}, 200, "0123456789"},
		{"GET", []string{"If-Match", `"b"`}, 200, "0123456789"}, // for origins (RFC 9111, section 4.3.2)
		{"GET", []string{"If-Unmodified-Since", "Sun, 01 Jan 2006 15:04:05 GMT"}, 200, "0123456789"},
		{"GET", []string{"Range", "bytes=2-4"}, 206, "234"},
		{"GET", []string{"Range", "bytes=-1"}, 206, "9"},
		{"GET", []string{"Range", "bytes=20-"}, 416, "invalid range: failed to overlap\n"},
		{"GET", []string{"Range", "lines=1-2"}, 200, "0123456789"},
		{"GET", []string{"Range", "bytes=2-4", "If-Range", `"a"`}, 206, "234"},
		{"GET", []string{"Range", "bytes=2-4", "If-Range", `"b"`}, 200, "0123456789"},
		{"HEAD", []string{"Range", "bytes=2-4"}, 200, ""}, // RFC 9110, section 14.2
	} {
		for range 2 {
			w := do(h, test.method, "/", test.header...)
			if w.Code != test.status || w.Body.String() != test.body || w.Header().Get("Cache-Status") == "" {
				t.Errorf("%s %v: %d %q %v", test.method, test.header, w.Code, w.Body, w.Header())
			}
			if w.Code == 304 && (w.Header().Get("Etag") != `"a"` || w.Header().Get("Date") == "" || w.Header().Get("Content-Type") != "") {
				t.Errorf("%v: %v", test.header, w.Header())
			}
			if w.Code == 206 && w.Header().Get("Content-Range") == "" {
				t.Errorf("%v: %v", test.header, w.Header())
			}
		}
	}
}

// TestGeneratedETag is strong, the same for the same, and for the client alone: the origin does not know it.
func TestGeneratedETag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body, encoding := "a", ""
		var conditions int
		o := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("If-None-Match") != "" {
				conditions++
			}
			if encoding != "" {
				w.Header().Set("Content-Encoding", encoding)
			}
			_, _ = io.WriteString(w, body)
		})
		tags := map[string]bool{}
		for _, no := range []bool{false, true} {
			h := newCache(t, nil, cache.Options{TTL: time.Minute, HTTP: cache.HTTP{NoETag: no}}).Handler(o)
			for range 2 {
				etag := do(h, "GET", "/").Header().Get("Etag")
				if (etag == "") != no {
					t.Errorf("ETag %q", etag)
				}
				if w := do(h, "GET", "/", "If-None-Match", etag); (w.Code == 304) == no {
					t.Errorf("%d to a client that has it", w.Code)
				}
				tags[etag] = true
				time.Sleep(2 * time.Minute)
			}
			body = "b"
			tags[do(h, "GET", "/").Header().Get("Etag")] = true
			time.Sleep(2 * time.Minute)
			encoding = "br"
			tags[do(h, "GET", "/").Header().Get("Etag")] = true
			body, encoding = "a", ""
		}
		delete(tags, "")
		if len(tags) != 3 || conditions != 0 {
			t.Errorf("%v; %d conditions", tags, conditions)
		}
	})
}
