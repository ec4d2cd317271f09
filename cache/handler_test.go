package cache_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// origin answers with how often it was asked, and with what header says.
type origin struct {
	asked  atomic.Int64
	answer func(w http.ResponseWriter, r *http.Request)
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := o.asked.Add(1)
	if o.answer != nil {
		o.answer(w, r)
	}
	_, _ = io.WriteString(w, strconv.FormatInt(n, 10))
}

func do(h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		if header[i] == ":authority" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestHandlerAnswersFromTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &origin{answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/x")
			w.Header().Add("Link", "<a>")
			w.Header().Add("Link", "<b>")
		}}
		h := newCache(t, nil, cache.Options{Name: "c", TTL: time.Minute}).Handler(o)
		for _, step := range []struct {
			after               time.Duration
			method, status, age string
			body                string
		}{
			{0, "GET", "c; fwd=uri-miss; stored", "", "1"},
			{10 * time.Second, "GET", "c; hit; ttl=50; detail=near", "10", "1"},
			{0, "HEAD", "c; hit; ttl=50; detail=near", "10", ""},
			{50 * time.Second, "HEAD", "c; fwd=uri-miss; stored", "", ""},
			{0, "GET", "c; hit; ttl=60; detail=near", "0", "2"},
		} {
			time.Sleep(step.after)
			w := do(h, step.method, "http://host/path")
			got := w.Result().Header
			if w.Code != 200 || w.Body.String() != step.body || got.Get("Cache-Status") != step.status || got.Get("Age") != step.age ||
				got.Get("Content-Type") != "text/x" || len(got["Link"]) != 2 || got.Get("Content-Length") != "1" {
				t.Errorf("%d %q %v; want %+v", w.Code, w.Body, got, step)
			}
		}
	})
}

func TestHandlerKeepsRequestsApart(t *testing.T) {
	h := newCache(t, nil, cache.Options{TTL: time.Minute}).Handler(new(origin))
	for _, test := range []struct{ target, body string }{
		{"http://host/a", "1"}, {"http://host/b", "2"}, {"http://other/a", "3"}, {"http://host/a?q=1", "4"},
		{"http://host/a?q=1&p=2", "5"}, {"http://host/a?p=2&q=1", "5"}, {"http://HOST/a", "1"},
		{"http://host/a%2Fb", "6"}, {"http://host/a/b", "7"}, {"http://host/a?q=;x", "8"}, {"http://host/a?q=;y", "9"},
	} {
		if w := do(h, "GET", test.target); w.Body.String() != test.body {
			t.Errorf("%s: %s, want %s", test.target, w.Body, test.body)
		}
	}
}

func TestHandlerBypasses(t *testing.T) {
	for _, test := range []struct {
		desc, method, rule, fwd string
		header                  []string
	}{
		{"an unsafe method", "POST", "method", "method", nil},
		{"a method of nobody's", "BREW", "method", "method", nil},
		{"credentials", "GET", "authorization", "request", []string{"Authorization", "Basic YTpi"}},
		{"no-store", "GET", "no-store", "request", []string{"Cache-Control", "max-age=1, No-Store"}},
		{"an upgrade", "GET", "upgrade", "bypass", []string{"Upgrade", "websocket"}},
		{"a host that could be a path", "GET", "host", "bypass", []string{":authority", "host/a"}},
	} {
		t.Run(test.desc, func(t *testing.T) {
			o := new(origin)
			h := newCache(t, nil, cache.Options{TTL: time.Minute, HTTP: cache.HTTP{Heed: true}}).Handler(o)
			do(h, "GET", "/") // what bypasses must not find this
			for want := range 2 {
				w := do(h, test.method, "/", test.header...)
				if w.Body.String() != strconv.Itoa(want+2) || w.Header().Get("Cache-Status") != "cache; fwd="+test.fwd+"; detail="+test.rule {
					t.Errorf("%q %v", w.Body, w.Header())
				}
			}
			want := "1"
			if test.rule == "method" {
				want = "4" // what is not known to be safe has changed it
			}
			if w := do(h, "GET", "/"); w.Body.String() != want {
				t.Errorf("what was kept became %q, want %q", w.Body, want)
			}
		})
	}
}

func TestHandlerKeepsOnlyWhatItMay(t *testing.T) {
	set := func(name, value string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) { w.Header().Set(name, value) }
	}
	status := func(code int) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for _, test := range []struct {
		desc   string
		answer func(http.ResponseWriter, *http.Request)
		kept   bool
	}{
		{"nothing said", nil, true},
		{"max-age", set("Cache-Control", "public, max-age=5"), true},
		{"max-age=0", set("Cache-Control", "max-age=0"), false},
		{"s-maxage over max-age", set("Cache-Control", "max-age=0, s-maxage=5"), true},
		{"a max-age that is none", set("Cache-Control", "max-age=soon"), false},
		{"no-store", set("Cache-Control", "no-store"), false},
		{"no-cache", set("Cache-Control", "no-cache"), false},
		{"private", set("Cache-Control", "private, max-age=60"), false},
		{"a private field", set("Cache-Control", `private="x"`), true},
		{"a cookie", set("Set-Cookie", "a=b"), false},
		{"Expires alone", set("Expires", "0"), false},
		{"Age", set("Age", "59"), true},
		{"an Age that is past", set("Age", "60"), false},
		{"a Content-Length of another body", set("Content-Length", "1000"), false},
		{"Vary", set("Vary", "Accept"), true},
		{"Vary: *", set("Vary", "Accept, *"), false},
		{"404", status(404), false},
		{"500", status(500), false},
		{"206", status(206), false},
		{"a long body", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1000)) }, false},
	} {
		t.Run(test.desc, func(t *testing.T) {
			var far storetest.Memory
			o := &origin{answer: test.answer}
			h := newCache(t, &far, cache.Options{TTL: time.Minute, Limits: cache.Limits{Body: 999}}).Handler(o)
			first, second := do(h, "GET", "/"), do(h, "GET", "/")
			if kept := o.asked.Load() == 1; kept != test.kept {
				t.Errorf("asked %d times, far tier %q; kept should be %t", o.asked.Load(), far.Keys(), test.kept)
			}
			if stored := strings.HasSuffix(first.Header().Get("Cache-Status"), "stored"); stored != test.kept {
				t.Errorf("Cache-Status: %s", first.Header().Get("Cache-Status"))
			}
			if first.Code != second.Code {
				t.Errorf("%d, then %d", first.Code, second.Code)
			}
		})
	}
}

// Followers of an answer that is the leader's alone run their own (nobody gets another's cookie).
func TestHandlerSharesNoCookies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &origin{}
		o.answer = func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			w.Header().Set("Set-Cookie", "user="+r.Header.Get("X-User"))
		}
		h := newCache(t, nil, cache.Options{TTL: time.Minute}).Handler(o)
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				user := strconv.Itoa(i)
				if got := do(h, "GET", "/", "X-User", user).Header().Get("Set-Cookie"); got != "user="+user {
					t.Errorf("user %s got %q", user, got)
				}
			})
		}
		all.Wait()
		if n := o.asked.Load(); n != 20 {
			t.Errorf("asked %d times, want 20", n)
		}
	})
}

func TestHandlerKeepsNothingOfOneExchange(t *testing.T) {
	o := &origin{answer: func(w http.ResponseWriter, _ *http.Request) {
		for _, name := range []string{"Server-Timing", "Traceresponse", "X-Request-Id", "Connection", "Keep-Alive"} {
			w.Header().Set(name, "one")
		}
	}}
	h := newCache(t, nil, cache.Options{TTL: time.Minute}).Handler(o)
	do(h, "GET", "/")
	for name := range do(h, "GET", "/").Header() {
		switch name {
		case "Age", "Cache-Status", "Content-Length", "Content-Type", "Date", "Etag":
		default:
			t.Errorf("a hit carries %s", name)
		}
	}
}

// TestHandlerDate: a hit has the Date of when it was made, so that Age counts from there (RFC 9111, section 4.2.3).
func TestHandlerDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newCache(t, nil, cache.Options{TTL: time.Hour}).Handler(new(origin))
		made := time.Now().UTC().Format(http.TimeFormat)
		for _, after := range []time.Duration{0, 10 * time.Minute} {
			time.Sleep(after)
			if w := do(h, "GET", "/"); w.Header().Get("Date") != made {
				t.Errorf("Date %s after %v, want %s", w.Header().Get("Date"), after, made)
			}
		}
	})
}

func TestHandlerFillsWithWholeAnswers(t *testing.T) {
	o := &origin{answer: func(w http.ResponseWriter, r *http.Request) {
		if len(r.Header) > 0 || r.Method != "GET" {
			w.WriteHeader(http.StatusTeapot)
		}
	}}
	h := newCache(t, nil, cache.Options{TTL: time.Minute}).Handler(o)
	w := do(h, "HEAD", "/", "Range", "bytes=0-0", "If-None-Match", `"x"`, "If-Modified-Since", "now")
	if w.Code != 200 || o.asked.Load() != 1 {
		t.Errorf("%d", w.Code)
	}
	if w := do(h, "GET", "/"); w.Body.String() != "1" {
		t.Errorf("%q", w.Body)
	}
}

func TestHandlerOriginThatFails(t *testing.T) {
	for _, test := range []struct {
		desc   string
		answer func(http.ResponseWriter, *http.Request)
		status int
	}{
		{"a panic", func(http.ResponseWriter, *http.Request) { panic("boom") }, 500},
		{"a deaf handler", func(http.ResponseWriter, *http.Request) { time.Sleep(time.Hour) }, 504},
		{"one that gives up halfway", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "half")
			<-r.Context().Done()
		}, 504},
		{"one that gives up", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 504},
	} {
		t.Run(test.desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newCache(t, nil, cache.Options{TTL: time.Minute, Limits: cache.Limits{LoadTimeout: time.Second}}).Handler(http.HandlerFunc(test.answer))
				if w := do(h, "GET", "/"); w.Code != test.status || strings.Contains(w.Body.String(), "boom") {
					t.Errorf("%d %q, want %d", w.Code, w.Body, test.status)
				}
				time.Sleep(2 * time.Hour)
				if w := do(h, "GET", "/"); w.Code != test.status {
					t.Errorf("then %d %q: what failed was kept", w.Code, w.Body)
				}
			})
		})
	}
}

func TestHandlerPassesAnAbortOn(t *testing.T) {
	h := newCache(t, nil, cache.Options{TTL: time.Minute}).Handler(&origin{answer: func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler)
	}})
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("recovered %v", p)
		}
	}()
	do(h, "GET", "/")
	t.Error("no panic")
}

func TestHandlerAcrossReplicas(t *testing.T) {
	var far storetest.Memory
	o := new(origin)
	one := newCache(t, &far, cache.Options{TTL: time.Minute}).Handler(o)
	two := newCache(t, &far, cache.Options{TTL: time.Minute}).Handler(o)
	first, second := do(one, "GET", "/"), do(two, "GET", "/")
	if status := second.Header().Get("Cache-Status"); second.Body.String() != first.Body.String() || !strings.HasSuffix(status, "detail=far") {
		t.Errorf("%q, %s", second.Body, status)
	}
}

func TestEachAnswerCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		o := &origin{answer: func(http.ResponseWriter, *http.Request) { time.Sleep(2 * time.Second) }}
		c := newCache(t, nil, cache.Options{Name: "c", TTL: time.Minute, Registerer: registry})
		h := c.Handler(o)
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() { do(h, "GET", "/") })
		}
		time.Sleep(time.Second)
		if now := c.Stats(); now.Loading != 1 {
			t.Errorf("%d loads are under way, want 1", now.Loading)
		}
		all.Wait()
		do(h, "GET", "/")
		do(h, "HEAD", "/")
		do(h, "POST", "/")
		err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP cache_requests_total Answers by outcome and tier, one each.
# TYPE cache_requests_total counter
cache_requests_total{cache="c",outcome="bypass",tier="none"} 1
cache_requests_total{cache="c",outcome="coalesced",tier="none"} 9
cache_requests_total{cache="c",outcome="hit",tier="far"} 0
cache_requests_total{cache="c",outcome="hit",tier="near"} 2
cache_requests_total{cache="c",outcome="miss",tier="none"} 1
cache_requests_total{cache="c",outcome="rejected",tier="none"} 0
cache_requests_total{cache="c",outcome="revalidated",tier="far"} 0
cache_requests_total{cache="c",outcome="revalidated",tier="near"} 0
cache_requests_total{cache="c",outcome="stale",tier="far"} 0
cache_requests_total{cache="c",outcome="stale",tier="near"} 0
cache_requests_total{cache="c",outcome="stale_error",tier="far"} 0
cache_requests_total{cache="c",outcome="stale_error",tier="near"} 0
# HELP cache_saved_seconds_total Seconds of the origin that hits did not spend: the sum of what their loads had taken.
# TYPE cache_saved_seconds_total counter
cache_saved_seconds_total{cache="c"} 4
`), "cache_requests_total", "cache_saved_seconds_total")
		if err != nil {
			t.Error(err)
		}
		want := cache.Stats{Saved: 4 * time.Second, Answers: map[cache.Outcome]int64{
			cache.Hit: 2, cache.Stale: 0, cache.StaleError: 0, cache.Miss: 1, cache.Coalesced: 9, cache.Revalidated: 0, cache.Bypass: 1, cache.Rejected: 0,
		}}
		if got := c.Stats(); !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}

// A client that left is no success, and one whose own time is up is told.
func TestHandlerCallerThatLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newCache(t, nil, cache.Options{TTL: time.Minute}).Handler(&origin{answer: func(http.ResponseWriter, *http.Request) {
			time.Sleep(10 * time.Second)
		}})
		timed, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil).WithContext(timed))
		if w.Code != http.StatusGatewayTimeout {
			t.Errorf("a request with a deadline got %d", w.Code)
		}
		gone, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, leave)
		defer func() {
			if p := recover(); p != http.ErrAbortHandler {
				t.Errorf("recovered %v, want ErrAbortHandler", p)
			}
		}()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil).WithContext(gone))
	})
}

// What stands around the handler sees the origin's fields replace its own, as without a cache.
func TestHandlerReplacesFieldsAroundIt(t *testing.T) {
	h := newCache(t, nil, cache.Options{TTL: time.Minute}).Handler(&origin{answer: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		w.Header().Set("Link", "<inner>")
	}})
	for range 2 {
		w := httptest.NewRecorder()
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Link", "<outer>")
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if got := w.Header(); len(got["Content-Type"]) != 1 || got.Get("Content-Type") != "image/png" || len(got["Link"]) != 2 {
			t.Errorf("%v", got)
		}
	}
}

// TestHandlerQuery: what is no part of the key is not shown to the handler, in whatever form.
func TestHandlerQuery(t *testing.T) {
	for _, test := range []struct {
		desc   string
		query  []string
		target string
		shown  string
	}{
		{"all", nil, "/a?b=2&a=1&b=1", "/a?a=1&b=2&b=1"},
		{"some", []string{"b"}, "/a?a=1&b=2", "/a?b=2"},
		{"none", []string{}, "/a?a=1&b=2", "/a"},
		{"none, of one that does not parse", []string{}, "/a?%zz", "/a"},
		{"all, of one that does not parse", nil, "/a?%zz", "/a?%zz"},
		{"a path in another spelling", nil, "/%61%2fb", "/a%2Fb"},
	} {
		t.Run(test.desc, func(t *testing.T) {
			var shown string
			h := newCache(t, nil, cache.Options{TTL: time.Hour, HTTP: cache.HTTP{Query: test.query}}).Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				shown = r.RequestURI
				if r.URL.RequestURI() != r.RequestURI {
					t.Errorf("URL %s, RequestURI %s", r.URL, r.RequestURI)
				}
			}))
			do(h, "GET", test.target)
			if shown != test.shown {
				t.Errorf("the handler sees %s, want %s", shown, test.shown)
			}
			if w := do(h, "GET", test.shown); w.Header().Get("Age") == "" {
				t.Errorf("%s is no hit: %v", test.shown, w.Header())
			}
		})
	}
}

// TestHandlerIsShownTheKey: of host and target, however they are written, a handler sees what is part of the key.
func TestHandlerIsShownTheKey(t *testing.T) {
	for _, target := range []string{"http://HOST/a?", "https://user:pw@host/a", "//host/a", "ftp://Host/a"} {
		var seen []string
		h := newCache(t, nil, cache.Options{TTL: time.Hour}).Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			seen = []string{r.Host, r.RequestURI, r.URL.String()}
		}))
		u, err := url.Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		h.ServeHTTP(httptest.NewRecorder(), &http.Request{Method: "GET", URL: u, Host: u.Host, RequestURI: target, Header: http.Header{}})
		if got := strings.Join(seen, " "); got != "host /a /a" {
			t.Errorf("%s is shown as %s", target, got)
		}
	}
}
