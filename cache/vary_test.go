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

// speaks answers with what the request says in the fields that Vary names.
func speaks(vary string) func(w http.ResponseWriter, r *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Second)
		w.Header().Set("Vary", vary)
		for name := range strings.SplitSeq(vary, ",") {
			_, _ = io.WriteString(w, r.Header.Get(strings.TrimSpace(name))+" ")
		}
	}
}

// TestVary: one answer for each of what requests say, in every replica, loaded once.
func TestVary(t *testing.T) {
	for _, near := range []int64{0, -1} {
		synctest.Test(t, func(t *testing.T) {
			o := new(origin)
			o.answer = speaks("Accept-Language, X-Plan")
			all := replicas(t, 2, new(storetest.Memory), cache.Options{Name: "c", TTL: time.Minute, Near: near})
			synctest.Wait()
			ask := func(c *cache.Cache, language, plan string) string {
				w := do(c.Handler(o), "GET", "http://host/", "Accept-Language", language, "X-Plan", plan)
				if !strings.HasPrefix(w.Body.String(), language+" "+plan+" ") {
					t.Errorf("%s, %s got %q", language, plan, w.Body)
				}
				return w.Header().Get("Cache-Status")
			}
			var askers sync.WaitGroup
			for i := range 40 {
				askers.Go(func() { ask(all[i%2], []string{"de", "en"}[i/2%2], []string{"a", "b"}[i/4%2]) })
			}
			askers.Wait()
			// The first load tells what varies; then one for each of the others.
			if n := o.asked.Load(); n != 4 {
				t.Errorf("asked %d times", n)
			}
			for _, c := range all {
				for _, language := range []string{"de", "en"} {
					for _, plan := range []string{"a", "b"} {
						if status := ask(c, language, plan); !strings.Contains(status, "; hit; ") {
							t.Errorf("%s %s: %s", language, plan, status)
						}
					}
				}
			}
			if status := ask(all[0], "fr", "a"); status != "c; fwd=vary-miss; stored" {
				t.Error(status)
			}
			// A purge of the URL is one of all its variants, everywhere.
			if err := all[1].PurgeKey(t.Context(), cache.Hard, "r:host/"); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			before := o.asked.Load()
			for _, language := range []string{"de", "en", "fr"} {
				ask(all[0], language, "a")
			}
			if n := o.asked.Load() - before; n != 3 {
				t.Errorf("asked %d times after a purge", n)
			}
		})
	}
}

// TestVaryIsNotSerialised: followers of a load whose answer is not for them ask for theirs at once.
func TestVaryIsNotSerialised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := new(origin)
		o.answer = speaks("X-User")
		for _, ttl := range []time.Duration{0, time.Minute} {
			h := newCache(t, nil, cache.Options{TTL: ttl}).Handler(o)
			start := time.Now()
			var all sync.WaitGroup
			for i := range 20 {
				all.Go(func() {
					user := strconv.Itoa(i)
					if got := do(h, "GET", "/", "X-User", user).Body.String(); !strings.HasPrefix(got, user+" ") {
						t.Errorf("%s got %s", user, got)
					}
				})
			}
			all.Wait()
			if took := time.Since(start); took != 2*time.Second {
				t.Errorf("TTL %s: 20 variants took %s", ttl, took)
			}
		}
	})
}

// TestVaryThatGrows: what an answer depends on may be more than the last one said.
func TestVaryThatGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vary := "X-A"
		o := new(origin)
		o.answer = func(w http.ResponseWriter, r *http.Request) { speaks(vary)(w, r) }
		h := newCache(t, nil, cache.Options{TTL: time.Minute}).Handler(o)
		ask := func(a, b string) string {
			w := do(h, "GET", "/", "X-A", a, "X-B", b)
			return w.Body.String()[:strings.LastIndexByte(w.Body.String(), ' ')+1]
		}
		ask("1", "1")
		vary = "X-B, X-A"
		for range 3 {
			for _, b := range []string{"1", "2"} {
				if got := ask("2", b); got != b+" 2 " {
					t.Errorf("X-B %s got %q", b, got)
				}
			}
		}
		if n := o.asked.Load(); n > 4 {
			t.Errorf("asked %d times", n)
		}
		vary = "X-A" // less is no reason to forget
		time.Sleep(2 * time.Minute)
		ask("2", "1")
		asked := o.asked.Load()
		if ask("2", "1"); o.asked.Load() != asked {
			t.Error("it was not kept")
		}
	})
}

// TestVarySoftPurge: variants of before a soft purge are served and refreshed, those of after it are fresh.
func TestVarySoftPurge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := new(origin)
		o.answer = speaks("X-A")
		c := newCache(t, nil, cache.Options{Name: "c", TTL: time.Hour, Stale: cache.Staleness{WhileRevalidate: time.Minute}})
		h := c.Handler(o)
		ask := func(a string) string {
			return do(h, "GET", "http://host/", "X-A", a).Header().Get("Cache-Status")
		}
		ask("1")
		ask("2")
		time.Sleep(time.Second)
		if err := c.PurgeKey(t.Context(), cache.Soft, "r:host/"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		for _, a := range []string{"1", "2"} {
			if got := ask(a); !strings.HasSuffix(got, "detail=stale") {
				t.Errorf("%s: %s", a, got)
			}
			time.Sleep(2 * time.Second)
			if got := ask(a); !strings.HasSuffix(got, "detail=near") {
				t.Errorf("%s: %s", a, got)
			}
		}
	})
}

// TestVaryNormalises: one answer for all that say the same.
func TestVaryNormalises(t *testing.T) {
	for _, test := range []struct {
		name     string
		one, two []string
		same     bool
	}{
		{"Accept-Encoding", []string{"gzip, br"}, []string{"BR;q=1.0,gzip"}, true},
		{"Accept-Encoding", []string{"gzip;q=0.5, br"}, []string{"br", "gzip; q=0.50"}, true},
		{"Accept-Encoding", []string{"gzip;q=0.5, br"}, []string{"gzip, br;q=0.5"}, false},
		{"Accept-Encoding", []string{"gzip"}, nil, false},
		{"Accept", []string{`text/x;a="b,c", text/y`}, []string{`text/y,text/x;a="b,c"`}, true},
		{"Accept", []string{"text/x;a=b"}, []string{"text/x;a=c"}, false},
		{"X-A", []string{"1, 2"}, []string{"1", "2"}, true},
		{"X-A", []string{"1, 2"}, []string{"2, 1"}, false},
		{"X-A", []string{"a"}, []string{"A"}, false},
		{"X-A", []string{""}, nil, false},
		{"Cookie", []string{"a=b; c=d"}, []string{"a=b; c=d"}, true},
	} {
		h := newCache(t, nil, cache.Options{TTL: time.Minute}).Handler(&origin{answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Vary", test.name)
		}})
		var header [2][]string
		for i, values := range [][]string{test.one, test.two} {
			for _, value := range values {
				header[i] = append(header[i], test.name, value)
			}
		}
		do(h, "GET", "/", header[0]...)
		if w := do(h, "GET", "/", header[1]...); (w.Body.String() == "1") != test.same {
			t.Errorf("%s %q and %q: %q", test.name, test.one, test.two, w.Body)
		}
	}
}

// TestVaryByLanguage: an answer in the language that a request prefers to all others is its answer.
func TestVaryByLanguage(t *testing.T) {
	o := &origin{answer: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept-Language")
		w.Header().Set("Content-Language", "de")
	}}
	h := newCache(t, nil, cache.Options{TTL: time.Minute}).Handler(o)
	do(h, "GET", "/", "Accept-Language", "en, de")
	for accept, want := range map[string]string{"fr;q=0.5, DE": "1", "de": "1", "de;q=0.2, fr;q=0.1": "1"} {
		if w := do(h, "GET", "/", "Accept-Language", accept); w.Body.String() != want {
			t.Errorf("%s: %q", accept, w.Body)
		}
	}
	for i, accept := range []string{"de, fr", "fr", "*", "de;q=0", ""} {
		if w := do(h, "GET", "/", "Accept-Language", accept); w.Body.String() != strconv.Itoa(i+2) {
			t.Errorf("%s: %q", accept, w.Body)
		}
	}
}

// TestManyFieldsInVary: what depends on too much is nobody else's.
func TestManyFieldsInVary(t *testing.T) {
	h := newCache(t, nil, cache.Options{Name: "c", TTL: time.Minute}).Handler(&origin{answer: func(w http.ResponseWriter, _ *http.Request) {
		for i := range 17 {
			w.Header().Add("Vary", "X-"+strconv.Itoa(i))
		}
	}})
	for want := range 2 {
		if w := do(h, "GET", "/"); w.Body.String() != strconv.Itoa(want+1) || w.Header().Get("Cache-Status") != "c; fwd=uri-miss; detail=vary" {
			t.Errorf("%q %v", w.Body, w.Header())
		}
	}
}

// TestNoSecretInAKey: what Vary names may be a credential.
func TestNoSecretInAKey(t *testing.T) {
	var far storetest.Memory
	c := newCache(t, &far, cache.Options{TTL: time.Minute})
	do(c.Handler(&origin{answer: func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Vary", "Cookie") }}), "GET", "http://host/a", "Cookie", "session=secret")
	for _, key := range far.Keys() {
		if strings.Contains(key, "secret") {
			t.Error(key)
		}
	}
	entries := c.Hottest(10)
	if len(entries) != 1 || entries[0].Key != "r:host/a" || entries[0].Variant == "" {
		t.Errorf("%+v", entries)
	}
}
