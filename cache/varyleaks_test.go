package cache_test

import (
	"fmt"
	"io"
	"net/http"
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

// inTurn has each begin a little after the one before, and waits for all of them.
func inTurn(all ...func()) {
	var each sync.WaitGroup
	for i, run := range all {
		each.Go(func() {
			time.Sleep(time.Duration(i) * 100 * time.Millisecond)
			run()
		})
	}
	each.Wait()
}

// TestPassedIsHeldAgainstVary: what a load does not keep, and passes to those that wait for it in other replicas, is only
// for those that say the same.
func TestPassedIsHeldAgainstVary(t *testing.T) {
	for _, test := range []struct {
		desc, before, vary string
		status             int
	}{
		{"more varies than did", "Accept-Language", "Accept-Language, Cookie", 200},
		{"an error, and nothing is known", "", "Cookie", 500},
		{"an error, where more varies than did", "Accept-Language", "Accept-Language, Cookie", 500},
	} {
		t.Run(test.desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				vary, status := test.before, 200
				o := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Vary", vary)
					time.Sleep(time.Second)
					w.WriteHeader(status)
					_, _ = io.WriteString(w, r.Header.Get("Cookie"))
				})
				all := replicas(t, 2, new(storetest.Memory), cache.Options{TTL: time.Minute})
				synctest.Wait()
				if vary != "" {
					do(all[0].Handler(o), "GET", "/", "Accept-Language", "de")
				}
				vary, status = test.vary, test.status
				ask := func(c *cache.Cache, who string) func() {
					return func() {
						if w := do(c.Handler(o), "GET", "/", "Accept-Language", "en", "Cookie", who); w.Body.String() != who {
							t.Errorf("%s got %q %v", who, w.Body, w.Header())
						}
					}
				}
				inTurn(ask(all[0], "alice"), ask(all[1], "bob"), ask(all[0], "carol"))
			})
		})
	}
}

// TestFieldsThatAreNoLists are compared as they are: a comma in them is nobody's to move.
func TestFieldsThatAreNoLists(t *testing.T) {
	for _, name := range []string{"Authorization", "Cookie", "Origin", "Referer", "User-Agent"} {
		h := newCache(t, nil, cache.Options{TTL: time.Minute}).Handler(&origin{answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "public")
			w.Header().Set("Vary", name)
		}})
		for range 2 {
			for i, value := range []string{"a, b", "a,b", "a,b,", ",a,b"} {
				if w := do(h, "GET", "/", name, value); w.Body.String() != strconv.Itoa(i+1) {
					t.Errorf("%s: %q got the answer to another", name, value)
				}
			}
		}
	}
}

// TestNobodyNamesALanguage: no Accept-Language has its answer be taken for one in the language that others prefer.
func TestNobodyNamesALanguage(t *testing.T) {
	h := newCache(t, nil, cache.Options{TTL: time.Minute}).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		language := "de"
		if strings.HasPrefix(r.Header.Get("Accept-Language"), "en") {
			language = "en"
		}
		w.Header().Set("Vary", "Accept-Language")
		w.Header().Set("Content-Language", language)
		_, _ = io.WriteString(w, language)
	}))
	do(h, "GET", "/", "Accept-Language", "fr")
	do(h, "GET", "/", "Accept-Language", "=, en")
	if w := do(h, "GET", "/", "Accept-Language", "en, fr;q=0.5"); w.Body.String() != "en" {
		t.Errorf("who prefers en got %q", w.Body)
	}
}

// TestLanguageFollowsItsVariant: who found an answer because it is in the preferred language finds it no more once the
// origin has none.
func TestLanguageFollowsItsVariant(t *testing.T) {
	const prefers = "en, de;q=0.1"
	for _, test := range []struct{ cc, refreshes string }{{"", "fr"}, {"max-age=60", "fr"}, {"", prefers}, {"max-age=60", prefers}} {
		synctest.Test(t, func(t *testing.T) {
			gone := false
			h := newCache(t, nil, cache.Options{TTL: time.Minute, Stale: cache.Staleness{WhileRevalidate: time.Hour}}).Handler(
				http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Vary", "Accept-Language")
					if gone {
						w.Header().Set("Cache-Control", test.cc)
						w.WriteHeader(404)
						return
					}
					w.Header().Set("Content-Language", "en")
				}))
			do(h, "GET", "/", "Accept-Language", "fr")
			if w := do(h, "GET", "/", "Accept-Language", prefers); w.Code != 200 || w.Header().Get("Age") == "" {
				t.Errorf("%d %v", w.Code, w.Header())
			}
			time.Sleep(2 * time.Minute)
			gone = true
			do(h, "GET", "/", "Accept-Language", test.refreshes)
			synctest.Wait()
			if w := do(h, "GET", "/", "Accept-Language", prefers); w.Code != 404 {
				t.Errorf("%q: %d %v", test, w.Code, w.Header())
			}
		})
	}
}

// TestSoftPurgeWhileAVariantLoads: what was asked for before the purge is not fresh after it, in any replica.
func TestSoftPurgeWhileAVariantLoads(t *testing.T) {
	for _, far := range []cache.Store{nil, new(storetest.Memory)} {
		synctest.Test(t, func(t *testing.T) {
			var purged atomic.Bool
			o := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				before := !purged.Load()
				time.Sleep(time.Second)
				w.Header().Set("Vary", "X-Plan")
				_, _ = fmt.Fprintf(w, "before: %t", before)
			})
			opts := cache.Options{TTL: time.Hour, Stale: cache.Staleness{WhileRevalidate: time.Minute}}
			all := replicas(t, 1, far, opts)
			if far != nil {
				all = replicas(t, 2, far, opts)
			}
			synctest.Wait()
			ask := func(c *cache.Cache, plan string) (body, status string) {
				w := do(c.Handler(o), "GET", "http://host/", "X-Plan", plan)
				return w.Body.String(), w.Header().Get("Cache-Status")
			}
			ask(all[0], "a")
			inTurn(func() { ask(all[0], "b") }, func() {
				purged.Store(true)
				if err := all[len(all)-1].PurgeKey(t.Context(), cache.Soft, "r:host/"); err != nil {
					t.Error(err)
				}
			})
			for range 2 {
				time.Sleep(10 * time.Second)
				for i, c := range all {
					if body, status := ask(c, "b"); body != "before: false" && !strings.HasSuffix(status, "detail=stale") {
						t.Errorf("replica %d: %q %s", i, body, status)
					}
				}
			}
			for i, c := range all {
				if body, status := ask(c, "b"); body != "before: false" {
					t.Errorf("replica %d in the end: %q %s", i, body, status)
				}
			}
		})
	}
}

// TestHardPurgeWhileAVariantLoads brings no others back: nobody's load revives the guide to them.
func TestHardPurgeWhileAVariantLoads(t *testing.T) {
	for _, far := range []cache.Store{nil, new(storetest.Memory)} {
		synctest.Test(t, func(t *testing.T) {
			lives := "max-age=60"
			o := &origin{answer: func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(time.Second)
				w.Header().Set("Vary", "X-Plan")
				w.Header().Set("Cache-Control", lives)
			}}
			c := newCache(t, far, cache.Options{})
			h := c.Handler(o)
			ask := func(plan string) string { return do(h, "GET", "http://host/", "X-Plan", plan).Body.String() }
			ask("a")
			ask("b")
			lives = "max-age=360000" // longer than the guide
			inTurn(func() { ask("c") }, func() {
				if err := c.PurgeKey(t.Context(), cache.Hard, "r:host/"); err != nil {
					t.Error(err)
				}
			})
			if got := ask("b"); got != "4" {
				t.Errorf("%q came back", got)
			}
		})
	}
}

// TestHardPurgeTakesAVariantsStandIn: what is purged while its variant loads is not served where that fails.
func TestHardPurgeTakesAVariantsStandIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := false
		o := &origin{answer: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Vary", "X-Plan")
			if down {
				time.Sleep(time.Second)
				w.WriteHeader(503)
			}
		}}
		c := newCache(t, nil, cache.Options{TTL: time.Minute, Stale: cache.Staleness{IfError: time.Hour}})
		h := c.Handler(o)
		do(h, "GET", "http://host/", "X-Plan", "a")
		do(h, "GET", "http://host/", "X-Plan", "b")
		time.Sleep(2 * time.Minute)
		down = true
		inTurn(func() {
			if w := do(h, "GET", "http://host/", "X-Plan", "b"); w.Code != 503 {
				t.Errorf("%d %v", w.Code, w.Header())
			}
		}, func() {
			if err := c.PurgeKey(t.Context(), cache.Hard, "r:host/"); err != nil {
				t.Error(err)
			}
		})
	})
}
