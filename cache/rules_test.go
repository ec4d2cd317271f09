package cache_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// TestRequestsThatWantBetter: by default a client cannot have the origin asked; where it may, what it gets is kept.
func TestRequestsThatWantBetter(t *testing.T) {
	for _, test := range []struct {
		name, value string
		asks        bool // after 10 s of 60
	}{
		{"Cache-Control", "no-cache", true},
		{"Cache-Control", "max-age=0", true},
		{"Cache-Control", "max-age=9", true},
		{"Cache-Control", "max-age=10", false},
		{"Cache-Control", "min-fresh=51", true},
		{"Cache-Control", "min-fresh=50", false},
		{"Cache-Control", "max-age=soon", false},
		{"Cache-Control", `ext="no-cache"`, false},
		{"Pragma", "no-cache", true},
		{"Pragma", "other", false},
	} {
		for _, heed := range []bool{true, false} {
			t.Run(test.value, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := &origin{answer: func(w http.ResponseWriter, r *http.Request) {
						if !heed && (r.Header["Cache-Control"] != nil || r.Header["Pragma"] != nil) {
							t.Error("another cache behind the handler may heed it")
						}
					}}
					h := newCache(t, nil, cache.Options{Name: "c", TTL: time.Minute, HTTP: cache.HTTP{Heed: heed}}).Handler(o)
					do(h, "GET", "/", test.name, test.value)
					time.Sleep(10 * time.Second)
					w := do(h, "GET", "/", test.name, test.value)
					want, status := "1", "c; hit; ttl=50; detail=near"
					if heed && test.asks {
						want, status = "2", "c; fwd=request; stored"
					}
					if w.Body.String() != want || w.Header().Get("Cache-Status") != status {
						t.Errorf("heed %t: %q %v", heed, w.Body, w.Header())
					}
					if w := do(h, "GET", "/"); w.Body.String() != want {
						t.Errorf("heed %t: then %q", heed, w.Body)
					}
				})
			})
		}
	}
}

// TestRequestsThatWantLess: what spares the origin is heeded in any case.
func TestRequestsThatWantLess(t *testing.T) {
	for _, far := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			opts := cache.Options{Name: "c", TTL: time.Minute, Stale: cache.Staleness{IfError: time.Hour}}
			c := newCache(t, nil, opts)
			other := c
			if far {
				all := replicas(t, 2, new(storetest.Memory), opts)
				c, other = all[0], all[1]
				synctest.Wait()
			}
			cc := ""
			o := &origin{answer: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Cache-Control", cc)
				w.Header().Set("Vary", "X-A")
			}}
			h := c.Handler(o)
			if w := do(h, "GET", "/a", "Cache-Control", "only-if-cached"); w.Code != http.StatusGatewayTimeout || w.Header().Get("Cache-Status") != "c; fwd=miss; detail=rejected" {
				t.Errorf("%d %v", w.Code, w.Header())
			}
			do(h, "GET", "/a")
			if w := do(other.Handler(o), "GET", "/a", "Cache-Control", "only-if-cached"); w.Body.String() != "1" {
				t.Errorf("%d %v", w.Code, w.Header())
			}
			cc = "max-age=60, must-revalidate"
			do(h, "GET", "/strict")
			time.Sleep(90 * time.Second)
			for _, test := range []struct {
				target, value, status string
				asked                 int64
			}{
				{"/a", "only-if-cached", "c; fwd=miss; detail=rejected", 2},
				{"/a", "max-stale=10, only-if-cached", "c; fwd=miss; detail=rejected", 2},
				{"/strict", "max-stale, only-if-cached", "c; fwd=miss; detail=rejected", 2},
				{"/a", "max-stale=30", "c; hit; ttl=-30; detail=stale", 3}, // and one behind it
				{"/strict", "max-stale", "", 4},
			} {
				w := do(h, "GET", test.target, "Cache-Control", test.value)
				synctest.Wait()
				if got := w.Header().Get("Cache-Status"); got != test.status && test.status != "" || o.asked.Load() != test.asked {
					t.Errorf("%s %s: %s, asked %d times", test.target, test.value, got, o.asked.Load())
				}
			}
		})
	}
}

// TestUnsafeMethodsPurge what they change, once the origin has done so (RFC 9111, section 4.4): everywhere, and before
// their client knows.
func TestUnsafeMethodsPurge(t *testing.T) {
	for _, test := range []struct {
		method string
		status int
		purges bool
	}{
		{"POST", 200, true}, {"PUT", 204, true}, {"DELETE", 303, true}, {"PATCH", 201, true}, {"BREW", 200, true},
		{"POST", 400, false}, {"POST", 500, false}, {"OPTIONS", 200, false}, {"TRACE", 200, false},
	} {
		t.Run(test.method+strconv.Itoa(test.status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &origin{answer: func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Vary", "X-A")
					if r.Method == test.method {
						w.Header().Set("Location", "b?x=1")
						w.Header().Set("Content-Location", "http://HOST/c")
						w.WriteHeader(test.status)
					}
				}}
				all := replicas(t, 2, new(storetest.Memory), cache.Options{Name: "c", TTL: time.Hour})
				synctest.Wait()
				one, two := all[0].Handler(o), all[1].Handler(o)
				targets := []string{"http://host/a", "http://host/b?x=1", "http://host/c", "http://host/d", "http://other/c"}
				before := map[string]string{}
				for _, target := range targets {
					do(one, "GET", target)
					before[target] = do(two, "GET", target).Body.String()
				}
				w := do(one, test.method, "http://host/a")
				if w.Code != test.status || w.Header().Get("Cache-Status") != "c; fwd=method; detail=method" {
					t.Errorf("%d %v", w.Code, w.Header())
				}
				synctest.Wait()
				for i, target := range targets {
					again := do(two, "GET", target).Body.String()
					if purged := again != before[target]; purged != (test.purges && i < 3) {
						t.Errorf("%s: %q, then %q", target, before[target], again)
					}
				}
			})
		})
	}
}

// TestPostedForGet: the answer to a POST is one for GETs where it says so (RFC 9110, section 9.3.3).
func TestPostedForGet(t *testing.T) {
	for _, test := range []struct {
		desc, cc, at string
		kept         bool
	}{
		{"its own URL", "max-age=60", "/a", true},
		{"the same, absolute", "max-age=60", "http://host/a", true},
		{"another", "max-age=60", "/b", false},
		{"no freshness", "", "/a", false},
		{"private", "private, max-age=60", "/a", false},
	} {
		t.Run(test.desc, func(t *testing.T) {
			o := &origin{answer: func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Cache-Control", test.cc)
				w.Header().Set("Content-Location", test.at)
			}}
			h := newCache(t, nil, cache.Options{Name: "c", TTL: time.Hour, Limits: cache.Limits{Body: 100}}).Handler(o)
			r := httptest.NewRequest("POST", "http://host/a", strings.NewReader("x"))
			h.ServeHTTP(httptest.NewRecorder(), r)
			if w := do(h, "GET", "http://host/a"); (w.Body.String() == "1") != test.kept {
				t.Errorf("%q %v", w.Body, w.Header())
			}
		})
	}
}

// TestPostedIsTheHandlersOwn: of an answer to a POST what its handler has set is kept, and under its tags, and not what those
// around it have set for this client.
func TestPostedIsTheHandlersOwn(t *testing.T) {
	c := newCache(t, nil, cache.Options{TTL: time.Minute})
	inner := c.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Content-Location", "/a")
		w.Header().Add("Link", "<inner>")
		cache.AddTags(r.Context(), "tag")
		_, _ = io.WriteString(w, r.Method)
	}))
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user := r.Header.Get("X-User")
		w.Header().Set("X-User", user)
		w.Header().Add("Link", "<"+user+">")
		inner.ServeHTTP(w, r)
	})
	do(h, "POST", "http://host/a", "X-User", "alice")
	w := do(h, "GET", "http://host/a", "X-User", "bob")
	if w.Body.String() != "POST" || w.Header().Get("X-User") != "bob" || strings.Contains(strings.Join(w.Header()["Link"], " "), "alice") || !slices.Contains(w.Header()["Link"], "<inner>") {
		t.Errorf("bob got %q %v", w.Body, w.Header())
	}
	if err := c.PurgeTags(t.Context(), cache.Hard, "tag"); err != nil {
		t.Error(err)
	}
	if w := do(h, "GET", "http://host/a"); w.Body.String() != "GET" {
		t.Errorf("%q %v after a purge of its tag", w.Body, w.Header())
	}
}

// TestStatuses: which are kept without a word, and which with one.
func TestStatuses(t *testing.T) {
	for status := 200; status < 600; status++ {
		if status == 304 {
			continue
		}
		for _, test := range []struct {
			cc   string
			kept bool
		}{
			{"", status == 200 || status == 203 || status == 204 || status == 300 || status == 301 || status == 308},
			{"max-age=60", status != 206},
			{"max-age=60, no-store, must-understand", http.StatusText(status) != "" && status != 206},
		} {
			o := &origin{answer: func(w http.ResponseWriter, _ *http.Request) {
				if test.cc != "" {
					w.Header().Set("Cache-Control", test.cc)
				}
				w.WriteHeader(status)
			}}
			h := newCache(t, nil, cache.Options{TTL: time.Minute}).Handler(o)
			for range 2 {
				if w := do(h, "GET", "/"); w.Code != status {
					t.Errorf("%d became %d", status, w.Code)
				}
			}
			if kept := o.asked.Load() == 1; kept != test.kept {
				t.Errorf("%d with %q: kept %t", status, test.cc, kept)
			}
		}
	}
}

// TestStaleIfErrorOfAResponse: s-maxage forbids the cache's own windows, not those that the response names (RFC 5861); must-revalidate
// forbids both.
func TestStaleIfErrorOfAResponse(t *testing.T) {
	for _, test := range []struct {
		cc    string
		stale bool
	}{
		{"max-age=60", true}, {"s-maxage=60", false}, {"s-maxage=60, stale-if-error=600", true},
		{"max-age=60, must-revalidate, stale-if-error=600", false}, {"max-age=60, proxy-revalidate", false},
		{"max-age=60, stale-if-error=60", false}, {"max-age=60, stale-if-error=soon", false},
	} {
		synctest.Test(t, func(t *testing.T) {
			status := 200
			o := &origin{answer: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Cache-Control", test.cc)
				w.WriteHeader(status)
			}}
			h := newCache(t, nil, cache.Options{Stale: cache.Staleness{IfError: time.Hour}}).Handler(o)
			do(h, "GET", "/")
			time.Sleep(3 * time.Minute)
			status = 503
			if w := do(h, "GET", "/"); (w.Code == 200) != test.stale {
				t.Errorf("%s: %d %v", test.cc, w.Code, w.Header())
			}
		})
	}
}

// TestTargetedFields: they speak to this cache in the place of others (RFC 9213).
func TestTargetedFields(t *testing.T) {
	for _, test := range []struct {
		desc     string
		targeted []string
		fields   []string
		kept     bool
	}{
		{"CDN-Cache-Control", nil, []string{"CDN-Cache-Control", "max-age=60", "Cache-Control", "no-store"}, true},
		{"that forbids", nil, []string{"CDN-Cache-Control", "no-store", "Cache-Control", "max-age=60"}, false},
		{"that is no dictionary", nil, []string{"CDN-Cache-Control", "max-age = 60", "Cache-Control", "no-store"}, false},
		{"that is empty", nil, []string{"CDN-Cache-Control", "", "Cache-Control", "max-age=60"}, true},
		{"that says false", nil, []string{"CDN-Cache-Control", "max-age=60, no-store=?0"}, true},
		{"beside Expires", nil, []string{"CDN-Cache-Control", "public", "Expires", "0"}, true}, // it gets Options.TTL
		{"another's", nil, []string{"Other-Cache-Control", "no-store", "Cache-Control", "max-age=60"}, true},
		{"the first of several", []string{"other-cache-control", "CDN-Cache-Control"}, []string{"Other-Cache-Control", "no-store", "CDN-Cache-Control", "max-age=60"}, false},
		{"none", []string{}, []string{"CDN-Cache-Control", "no-store"}, true},
		{"Surrogate-Control for all", []string{"Surrogate-Control"}, []string{"Surrogate-Control", "no-store"}, false},
		{"Surrogate-Control for this", []string{"Surrogate-Control"}, []string{"Surrogate-Control", "Max-Age=60;C", "Cache-Control", "no-store"}, true},
		{"Surrogate-Control for another", []string{"Surrogate-Control"}, []string{"Surrogate-Control", "no-store;d"}, true},
		{"Surrogate-Control of something else", []string{"Surrogate-Control"}, []string{"Surrogate-Control", `content="ESI/1.0"`, "Cache-Control", "private"}, false},
	} {
		t.Run(test.desc, func(t *testing.T) {
			o := &origin{answer: func(w http.ResponseWriter, r *http.Request) {
				for i := 0; i < len(test.fields); i += 2 {
					w.Header().Set(test.fields[i], test.fields[i+1])
				}
				if able := r.Header.Get("Surrogate-Capability"); (able == `c="Surrogate/1.0"`) != strings.HasPrefix(test.desc, "Surrogate") {
					t.Errorf("Surrogate-Capability: %s", able)
				}
			}}
			h := newCache(t, nil, cache.Options{Name: "c", TTL: time.Minute, HTTP: cache.HTTP{Targeted: test.targeted}}).Handler(o)
			do(h, "GET", "/")
			do(h, "GET", "/")
			if kept := o.asked.Load() == 1; kept != test.kept {
				t.Errorf("kept %t", kept)
			}
		})
	}
}

// TestForbiddenTwice: where private and no-cache are said more than once, or in a way that nobody understands, all that any
// of them forbids is kept from others.
func TestForbiddenTwice(t *testing.T) {
	for _, test := range []struct {
		cc      []string
		kept    bool
		without string
	}{
		{[]string{`private="x-a"`, "private"}, false, ""},
		{[]string{"private", `private="x-a"`}, false, ""},
		{[]string{`no-cache="x-a", no-cache`}, false, ""},
		{[]string{`private="`}, false, ""},
		{[]string{`private="x-a`}, false, ""},
		{[]string{`private="x-a", private="x-b"`}, true, "X-A X-B"},
		{[]string{`private="x-a"`, `no-cache="x-b"`}, true, "X-A X-B"},
	} {
		h := newCache(t, nil, cache.Options{}).Handler(&origin{answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Cache-Control"] = append(slices.Clone(test.cc), "max-age=60")
			w.Header().Set("X-A", "a")
			w.Header().Set("X-B", "b")
		}})
		do(h, "GET", "/")
		w := do(h, "GET", "/")
		if kept := w.Body.String() == "1"; kept != test.kept {
			t.Errorf("%q: kept %t", test.cc, kept)
		}
		for name := range strings.FieldsSeq(test.without) {
			if w.Header()[name] != nil {
				t.Errorf("%q: %s reached another", test.cc, name)
			}
		}
	}
}

// TestNoTypeIsGuessedOfAnEncodedBody: what it looks like says nothing of what it is.
func TestNoTypeIsGuessedOfAnEncodedBody(t *testing.T) {
	h := newCache(t, nil, cache.Options{TTL: time.Minute}).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = io.WriteString(w, "\x1f\x8b\x08\x00\x00\x00\x00\x00")
	}))
	for range 2 {
		if w := do(h, "GET", "/"); w.Header()["Content-Type"] != nil {
			t.Errorf("%v", w.Header())
		}
	}
}

// TestFieldsThatAreKeptFromOthers reach the one who asked.
func TestFieldsThatAreKeptFromOthers(t *testing.T) {
	o := &origin{answer: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", `max-age=60, private="set-cookie, X-Mine", no-cache=X-Fresh`)
		w.Header().Set("Connection", "X-Hop")
		for _, name := range []string{"Set-Cookie", "X-Mine", "X-Fresh", "X-Hop", "X-Trace-Id", "Server-Timing", "Cache-Status"} {
			w.Header().Set(name, "inner")
		}
	}}
	h := newCache(t, nil, cache.Options{Name: "c"}).Handler(o)
	first, second := do(h, "GET", "/").Header(), do(h, "GET", "/").Header()
	for _, name := range []string{"Set-Cookie", "X-Mine", "X-Fresh", "X-Trace-Id", "Server-Timing"} {
		if first.Get(name) == "" || second.Get(name) != "" {
			t.Errorf("%s: %q, then %q", name, first.Get(name), second.Get(name))
		}
	}
	if first.Get("X-Hop") != "" || second.Get("X-Hop") != "" || second.Get("Connection") != "" {
		t.Errorf("%v", second)
	}
	// The cache nearest to the origin comes first (RFC 9211, section 2).
	if got := first["Cache-Status"]; len(got) != 2 || got[0] != "inner" || got[1] != "c; fwd=uri-miss; stored" || second.Get("Cache-Status") != "c; hit; ttl=59; detail=near" && second.Get("Cache-Status") != "c; hit; ttl=60; detail=near" {
		t.Errorf("%q, then %q", got, second["Cache-Status"])
	}
}

// TestLoadTimeoutSaysSo to a handler that asks its context.
func TestLoadTimeoutSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newCache(t, nil, cache.Options{Limits: cache.Limits{LoadTimeout: time.Second}}).Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if end, ok := r.Context().Deadline(); !ok || time.Until(end) != time.Second {
				t.Errorf("a deadline %s, %t", end, ok)
			}
			<-r.Context().Done()
			if err := context.Cause(r.Context()); err != cache.ErrLoadTimeout {
				t.Error(err)
			}
		}))
		if w := do(h, "GET", "/"); w.Code != http.StatusGatewayTimeout {
			t.Errorf("%d", w.Code)
		}
	})
}
