package cache_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// browser is what one says that knows all codings.
const browser = "gzip, deflate, br, zstd"

var bothCodings = cache.HTTP{Encodings: []string{"zstd", "gzip"}}

// page is a body that can be compressed, of the nth load.
func page(n int64) string {
	return fmt.Sprintf("load %d\n%s", n, strings.Repeat("What can be said once is said again. ", 100))
}

// pages is an origin of pages.
type pages struct {
	asked  atomic.Int64
	header http.Header // of its answers, beside text/plain and an ETag
	answer func(w http.ResponseWriter, r *http.Request) (done bool)
}

func (o *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := o.asked.Add(1)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Etag", `"v"`)
	maps.Copy(w.Header(), o.header)
	if o.answer != nil && o.answer(w, r) {
		return
	}
	_, _ = io.WriteString(w, page(n))
}

// decoded is w's body without its coding. It is an error if the header does not fit it.
func decoded(t *testing.T, w *httptest.ResponseRecorder) (coding, body string) {
	t.Helper()
	h := w.Result().Header
	if h.Get("Content-Length") != strconv.Itoa(w.Body.Len()) {
		t.Errorf("%d bytes with %v", w.Body.Len(), h)
	}
	var from io.Reader = bytes.NewReader(w.Body.Bytes())
	var err error
	switch coding = h.Get("Content-Encoding"); coding {
	case "gzip":
		from, err = gzip.NewReader(from)
	case "zstd":
		from, err = zstd.NewReader(from, zstd.WithDecoderConcurrency(1))
	case "":
		coding = "identity"
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(from)
	if err != nil {
		t.Errorf("%s: %v", coding, err)
	}
	return coding, string(b)
}

// expectPage is of an answer that has the nth page in this coding, and what belongs to that.
func expectPage(t *testing.T, w *httptest.ResponseRecorder, n int64, coding string) {
	t.Helper()
	got, body := decoded(t, w)
	if w.Code != 200 || got != coding || body != page(n) {
		t.Errorf("%d, page %.8q in %s, want %d in %s: %v", w.Code, body, got, n, coding, w.Header())
	}
	if vary := strings.Join(w.Header()["Vary"], ", "); vary != "Accept-Encoding" {
		t.Errorf("in %s: Vary: %q", coding, vary)
	}
}

// TestEncodings: who gets which coding, and that HEAD says what GET does. One load serves all.
func TestEncodings(t *testing.T) {
	for _, test := range []struct {
		accept []string // lines; none: no field
		coding string
		gzip   string // where gzip is preferred; empty: the same
	}{
		{nil, "identity", ""},
		{[]string{""}, "identity", ""},
		{[]string{browser}, "zstd", "gzip"},
		{[]string{"gzip, deflate, br"}, "gzip", ""},
		{[]string{"br", "gzip"}, "gzip", ""},
		{[]string{"br"}, "identity", ""},
		{[]string{"GZip"}, "gzip", ""},
		{[]string{"x-gzip"}, "gzip", ""},
		{[]string{"gzip, zstd;q=0.9"}, "gzip", ""},
		{[]string{"gzip;q=0.001"}, "gzip", ""},
		{[]string{"gzip;q=0"}, "identity", ""},
		{[]string{"gzip;q=0, *"}, "zstd", ""},
		{[]string{"zstd;q=0", "*;q=0.5"}, "gzip", ""},
		{[]string{"*"}, "zstd", "gzip"},
		{[]string{"*;q=0"}, "identity", ""}, // nothing is: then it is as if nobody had asked (section 12.1)
		{[]string{"gzip, *;q=0"}, "gzip", ""},
		{[]string{"identity"}, "identity", ""},
		{[]string{"identity, gzip"}, "gzip", ""},
		{[]string{"identity, gzip;q=0.5"}, "identity", ""},
		{[]string{"identity;q=0.5, gzip;q=0.5, zstd;q=0.4"}, "gzip", ""},
		{[]string{"gzip;q=0.5, *"}, "zstd", ""},
		{[]string{"gzip;q=0.5, zstd;q=0.5, *"}, "identity", ""}, // that is what * stands for
		{[]string{"identity;q=0"}, "identity", ""},
		{[]string{"identity;q=0, gzip;q=0.1"}, "gzip", ""},
		{[]string{"identity;q=0, *;q=0.1"}, "zstd", "gzip"},
		{[]string{"gzip;q=2, zstd;q=x, br;q=nan"}, "identity", ""}, // no weights
		{[]string{"gzip;level=9"}, "identity", ""},
		{[]string{strings.Repeat("a, ", 100) + "gzip"}, "gzip", ""},
	} {
		for i, preferred := range [][]string{{"zstd", "gzip"}, {"gzip", "zstd"}} {
			want := test.coding
			if i == 1 && test.gzip != "" {
				want = test.gzip
			}
			synctest.Test(t, func(t *testing.T) {
				o := new(pages)
				h := newCache(t, nil, cache.Options{Name: "c", TTL: time.Minute, HTTP: cache.HTTP{Encodings: preferred}}).Handler(o)
				var header []string
				for _, line := range test.accept {
					header = append(header, "Accept-Encoding", line)
				}
				for range 3 { // loaded, kept, and read from memory
					w := do(h, "GET", "/", header...)
					expectPage(t, w, 1, want)
					head := do(h, "HEAD", "/", header...)
					kept := do(h, "GET", "/", header...)
					if head.Body.Len() > 0 || fmt.Sprint(head.Header()) != fmt.Sprint(kept.Header()) {
						t.Errorf("%q: HEAD has %v, GET %v", test.accept, head.Header(), kept.Header())
					}
				}
				if t.Failed() {
					t.Errorf("%q of %q", test.accept, preferred)
				}
			})
		}
	}
}

// TestEncodingsOff: without the option nothing is said and nothing done.
func TestEncodingsOff(t *testing.T) {
	h := newCache(t, nil, cache.Options{TTL: time.Minute}).Handler(new(pages))
	for range 2 {
		w := do(h, "GET", "/", "Accept-Encoding", browser)
		if coding, body := decoded(t, w); coding != "identity" || body != page(1) || w.Header()["Vary"] != nil || w.Header().Get("Etag") != `"v"` {
			t.Errorf("%s %v", coding, w.Header())
		}
	}
}

// TestEligible: what is compressed, and what as it came, without a word of codings.
func TestEligible(t *testing.T) {
	h := func(fields ...string) http.Header {
		all := http.Header{}
		for i := 0; i < len(fields); i += 2 {
			all.Add(fields[i], fields[i+1])
		}
		return all
	}
	long := func(w http.ResponseWriter, n int) bool {
		_, _ = io.WriteString(w, strings.Repeat("a", n))
		return true
	}
	noise := make([]byte, 2000)
	for i, x := 0, uint32(1); i < len(noise); i++ {
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	for _, test := range []struct {
		desc   string
		header http.Header
		answer func(w http.ResponseWriter, r *http.Request) bool
		yes    bool
	}{
		{"text", nil, nil, true},
		{"HTML", h("Content-Type", "text/html"), nil, true},
		{"JSON", h("Content-Type", "Application/JSON ; charset=utf-8"), nil, true},
		{"a kind of JSON", h("Content-Type", "application/problem+json"), nil, true},
		{"a drawing", h("Content-Type", "image/svg+xml"), nil, true},
		{"WebAssembly", h("Content-Type", "application/wasm"), nil, true},
		{"a picture", h("Content-Type", "image/png"), nil, false},
		{"a film", h("Content-Type", "video/mp4"), nil, false},
		{"an archive", h("Content-Type", "application/zip"), nil, false},
		{"something", h("Content-Type", "application/octet-stream"), nil, false},
		{"two types", http.Header{"Content-Type": {"text/plain", "text/html"}}, nil, false},
		{"what is compressed", h("Content-Encoding", "br"), nil, false},
		{"what is not to be", h("Cache-Control", "max-age=60, No-Transform"), nil, false},
		{"what this cache is not to", h("CDN-Cache-Control", "max-age=60, no-transform"), nil, false},
		{"what others are not to, by the word of those who do not speak to this cache", h("CDN-Cache-Control", "max-age=60", "Cache-Control", "no-transform"), nil, false},
		{"a digest of the representation", h("Repr-Digest", "sha-256=:d435Qo+nKZ+gLcUHn7GQtQ72hiBVAgqoLsZnZPiTGPk=:"), nil, false},
		{"a digest of the content", h("Content-Digest", "sha-256=:d435Qo+nKZ+gLcUHn7GQtQ72hiBVAgqoLsZnZPiTGPk=:"), nil, false},
		{"a digest of old", h("Digest", "md5=d435Qo"), nil, false},
		{"another", h("Content-Md5", "d435Qo"), nil, false},
		{"a signature", h("Signature", "sig1=:d435Qo:"), nil, false},
		{"what is no ETag", h("Etag", "v"), nil, false},
		{"nor that", h("Etag", `"v"w"`), nil, false},
		{"nor two", http.Header{"Etag": {`"v"`, `"w"`}}, nil, false},
		{"a weak ETag", h("Etag", `W/"v"`), nil, true},
		{"a short body", nil, func(w http.ResponseWriter, _ *http.Request) bool { return long(w, 1023) }, false},
		{"not so short", nil, func(w http.ResponseWriter, _ *http.Request) bool { return long(w, 1024) }, true},
		{"noise", nil, func(w http.ResponseWriter, _ *http.Request) bool { _, _ = w.Write(noise); return true }, false},
		{"noise and a sixth of silence", nil, func(w http.ResponseWriter, _ *http.Request) bool { _, _ = w.Write(noise); return long(w, 400) }, true},
		{"noise and less silence than that", nil, func(w http.ResponseWriter, _ *http.Request) bool { _, _ = w.Write(noise); return long(w, 150) }, false},
		{"another status", h("Cache-Control", "max-age=60"), func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(404); return false }, false},
		{"what is not kept", h("Cache-Control", "no-store"), nil, false},
		{"what is nobody else's", h("Set-Cookie", "a=b"), nil, false},
		{"what is not fresh for a moment", http.Header{"Cache-Control": {"max-age=0"}, "Etag": nil}, nil, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := &pages{header: test.header, answer: test.answer}
			handler := newCache(t, nil, cache.Options{TTL: time.Minute, HTTP: bothCodings}).Handler(o)
			for _, accept := range []string{browser, "gzip", "identity"} {
				w := do(handler, "GET", "/", "Accept-Encoding", accept)
				vary, coding := w.Header()["Vary"], w.Header()["Content-Encoding"]
				if want := map[string]string{browser: "[zstd]", "gzip": "[gzip]", "identity": "[]"}[accept]; test.yes && (fmt.Sprint(coding) != want || len(vary) != 1) ||
					!test.yes && (len(vary) > 0 || fmt.Sprint(coding) != fmt.Sprint(test.header["Content-Encoding"])) {
					t.Errorf("%s, to %q: %v", test.desc, accept, w.Header())
				}
			}
		})
	}
}

// TestHandlersOwnCoding: who depends on Accept-Encoding itself is asked for each, and what it answers is sent as it is.
func TestHandlersOwnCoding(t *testing.T) {
	o := &pages{header: http.Header{"Vary": {"Accept-Encoding"}}}
	o.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Accept-Encoding") == "" {
			return false
		}
		w.Header().Set("Content-Encoding", "mine")
		_, _ = io.WriteString(w, r.Header.Get("Accept-Encoding"))
		return true
	}
	h := newCache(t, nil, cache.Options{TTL: time.Minute, HTTP: bothCodings}).Handler(o)
	for range 2 {
		for _, accept := range []string{browser, "gzip"} {
			if w := do(h, "GET", "/", "Accept-Encoding", accept); w.Body.String() != accept || w.Header().Get("Content-Encoding") != "mine" || w.Header().Get("Etag") != `"v"` {
				t.Errorf("%q %v", w.Body, w.Header())
			}
		}
		if w := do(h, "GET", "/"); w.Header()["Content-Encoding"] != nil || len(w.Header()["Vary"]) != 1 {
			t.Errorf("%v", w.Header())
		}
	}
	if n := o.asked.Load(); n != 3 {
		t.Errorf("asked %d times", n)
	}
}

// TestVaryIsMerged with what the handler, and whoever stands around it, say; each variant has its codings.
func TestVaryIsMerged(t *testing.T) {
	o := &pages{header: http.Header{"Vary": {"X-A"}}}
	h := newCache(t, nil, cache.Options{TTL: time.Minute, HTTP: bothCodings}).Handler(o)
	around := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Origin")
		h.ServeHTTP(w, r)
	})
	for range 2 {
		for n, a := range []string{"1", "2"} {
			for _, coding := range []string{"zstd", "identity", "gzip"} {
				w := do(around, "GET", "/", "Accept-Encoding", coding, "X-A", a)
				if got, body := decoded(t, w); got != coding || body != page(int64(n+1)) || strings.Join(w.Header()["Vary"], ", ") != "Origin, X-A, Accept-Encoding" {
					t.Errorf("%s to %s: %v", got, coding, w.Header())
				}
			}
		}
	}
}

// TestConditionsOfCodings: a condition is about what the client would get, and a part is of the body as it came.
func TestConditionsOfCodings(t *testing.T) {
	for _, test := range []struct {
		etag           string // the handler's
		accept         string
		field, value   string
		field2, value2 string
		status         int
		sent           string // ETag
		coding         string
	}{
		{`"v"`, browser, "", "", "", "", 200, `"v-zstd"`, "zstd"},
		{`"v"`, "gzip", "", "", "", "", 200, `"v-gzip"`, "gzip"},
		{`"v"`, "", "", "", "", "", 200, `"v"`, ""},
		{`W/"v"`, browser, "", "", "", "", 200, `W/"v"`, "zstd"},
		{`"v"`, browser, "If-None-Match", `"v-zstd"`, "", "", 304, `"v-zstd"`, ""},
		{`"v"`, browser, "If-None-Match", `"x", W/"v-zstd"`, "", "", 304, `"v-zstd"`, ""},
		{`"v"`, browser, "If-None-Match", `"v"`, "", "", 200, `"v-zstd"`, "zstd"},
		{`"v"`, "gzip", "If-None-Match", `"v-zstd"`, "", "", 200, `"v-gzip"`, "gzip"},
		{`"v"`, "", "If-None-Match", `"v-zstd"`, "", "", 200, `"v"`, ""},
		{`"v"`, "", "If-None-Match", `"v"`, "", "", 304, `"v"`, ""},
		{`"v"`, browser, "If-None-Match", "*", "", "", 304, `"v-zstd"`, ""},
		{`W/"v"`, browser, "If-None-Match", `W/"v"`, "", "", 304, `W/"v"`, ""},
		{`"v"`, browser, "Range", "bytes=0-5", "", "", 206, `"v"`, ""},
		{`"v"`, browser, "Range", "bytes=0-5", "If-Range", `"v"`, 206, `"v"`, ""},
		{`"v"`, browser, "Range", "bytes=0-5", "If-Range", `"v-zstd"`, 200, `"v"`, ""},
		{`"v"`, browser, "Range", "bytes=99999-", "", "", 416, "", ""},
		{`"v"`, browser, "Range", "lines=0-5", "", "", 200, `"v-zstd"`, "zstd"},
		{`"v"`, browser, "If-Match", `"x"`, "", "", 200, `"v-zstd"`, "zstd"}, // for origins
	} {
		o := &pages{header: http.Header{"Etag": {test.etag}}}
		h := newCache(t, nil, cache.Options{TTL: time.Minute, HTTP: bothCodings}).Handler(o)
		header := []string{"Accept-Encoding", test.accept}
		for _, f := range [][2]string{{test.field, test.value}, {test.field2, test.value2}} {
			if f[0] != "" {
				header = append(header, f[0], f[1])
			}
		}
		for range 2 {
			w := do(h, "GET", "/", header...)
			got := w.Result().Header
			if w.Code != test.status || got.Get("Etag") != test.sent || got.Get("Content-Encoding") != test.coding || got.Get("Vary") != "Accept-Encoding" {
				t.Errorf("%q: %d %v; want %d %s %q", header, w.Code, got, test.status, test.sent, test.coding)
			}
			switch {
			case w.Code == 206 && w.Body.String() != page(1)[:6], w.Code == 304 && w.Body.Len() > 0:
				t.Errorf("%q: %d %q", header, w.Code, w.Body)
			case w.Code == 200:
				expectPage(t, w, 1, map[string]string{"": "identity"}[test.coding]+test.coding)
			}
		}
	}
}

// TestETagOfTheCachesOwn: also that of a hash tells codings apart.
func TestETagOfTheCachesOwn(t *testing.T) {
	for _, no := range []bool{false, true} {
		h := newCache(t, nil, cache.Options{TTL: time.Minute, HTTP: cache.HTTP{Encodings: bothCodings.Encodings, NoETag: no}}).Handler(
			&pages{answer: func(w http.ResponseWriter, _ *http.Request) bool { w.Header().Del("Etag"); return false }})
		tags := map[string]bool{}
		for _, accept := range []string{browser, "gzip", ""} {
			tags[do(h, "GET", "/", "Accept-Encoding", accept).Header().Get("Etag")] = true
		}
		if len(tags) != 3 && !no || no && (len(tags) != 1 || !tags[""]) {
			t.Errorf("%v", tags)
		}
	}
}

// TestEncodingsAreProven: the origin is asked about its own ETag, and what it proves is served in its codings as before,
// unless it says no-transform now.
func TestEncodingsAreProven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var conditions []string
		o := new(pages)
		o.answer = func(w http.ResponseWriter, r *http.Request) bool {
			condition := r.Header.Get("If-None-Match")
			conditions = append(conditions, condition)
			if len(conditions) == 3 {
				w.Header().Set("Cache-Control", "no-transform")
			}
			if condition == `"v"` {
				w.WriteHeader(http.StatusNotModified)
			}
			return condition != ""
		}
		h := newCache(t, nil, cache.Options{Name: "c", TTL: time.Minute, HTTP: bothCodings}).Handler(o)
		first := do(h, "GET", "/", "Accept-Encoding", browser)
		time.Sleep(2 * time.Minute)
		w := do(h, "GET", "/", "Accept-Encoding", browser, "If-None-Match", `"x"`)
		expectPage(t, w, 1, "zstd")
		if !bytes.Equal(w.Body.Bytes(), first.Body.Bytes()) || w.Header().Get("Cache-Status") != "c; fwd=stale; fwd-status=304; stored" || w.Header().Get("Etag") != `"v-zstd"` {
			t.Errorf("%v", w.Header())
		}
		expectPage(t, do(h, "GET", "/", "Accept-Encoding", "gzip"), 1, "gzip")
		time.Sleep(2 * time.Minute)
		for range 2 {
			w = do(h, "GET", "/", "Accept-Encoding", browser)
			if coding, body := decoded(t, w); coding != "identity" || body != page(1) || w.Header()["Vary"] != nil {
				t.Errorf("%s %v", coding, w.Header())
			}
		}
		if got := strings.Join(conditions, " "); got != ` "v" "v"` {
			t.Errorf("conditions %q", got)
		}
	})
}

// TestWhoeverAnswersAnswersInTheCoding: stale, in place of an error, without the origin, purged softly, or to those who
// waited for another.
func TestWhoeverAnswersAnswersInTheCoding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fails atomic.Bool
		o := new(pages)
		o.answer = func(w http.ResponseWriter, _ *http.Request) bool {
			time.Sleep(time.Second)
			if fails.Load() {
				w.WriteHeader(503)
			}
			return fails.Load()
		}
		c := newCache(t, nil, cache.Options{
			Name: "c", TTL: time.Minute, HTTP: bothCodings, Stale: cache.Staleness{WhileRevalidate: time.Minute, IfError: time.Hour},
		})
		h := c.Handler(o)
		ask := func(n int64, status string, header ...string) { // status may be the end of it
			t.Helper()
			for _, coding := range []string{"zstd", "gzip", "identity"} {
				w := do(h, "GET", "http://host/", append(header, "Accept-Encoding", coding)...)
				expectPage(t, w, n, coding)
				if got := w.Header().Get("Cache-Status"); !strings.HasSuffix(got, status) {
					t.Errorf("%s, want %s", got, status)
				}
			}
		}
		var all sync.WaitGroup
		for i := range 9 {
			all.Go(func() {
				coding := []string{"zstd", "gzip", "identity"}[i%3]
				expectPage(t, do(h, "GET", "http://host/", "Accept-Encoding", coding), 1, coding)
			})
		}
		all.Wait()
		ask(1, "c; hit; ttl=60; detail=near")
		ask(1, "c; hit; ttl=60; detail=near", "Cache-Control", "only-if-cached")
		fails.Store(true)
		if err := c.PurgeKey(t.Context(), cache.Soft, "r:host/"); err != nil {
			t.Fatal(err)
		}
		ask(1, "c; hit; ttl=0; detail=stale")
		time.Sleep(5 * time.Minute)
		ask(1, "detail=stale_error")
		fails.Store(false)
		time.Sleep(time.Minute)
		expectPage(t, do(h, "GET", "http://host/", "Accept-Encoding", "gzip"), o.asked.Load(), "gzip")
	})
}

// TestEncodingsOfTheFleet: what one replica has compressed the others serve, also in a coding that they would not have made,
// and also when they have proven it.
func TestEncodingsOfTheFleet(t *testing.T) {
	for _, others := range [][]string{nil, {"gzip"}} {
		synctest.Test(t, func(t *testing.T) {
			var far storetest.Memory
			o := &pages{answer: func(w http.ResponseWriter, r *http.Request) bool {
				if r.Header.Get("If-None-Match") != "" {
					w.WriteHeader(http.StatusNotModified)
				}
				return r.Header.Get("If-None-Match") != ""
			}}
			opts := cache.Options{TTL: time.Minute, HTTP: bothCodings}
			one := newCache(t, &far, opts)
			opts.HTTP.Encodings = others
			two := newCache(t, &far, opts)
			synctest.Wait()
			first := do(one.Handler(o), "GET", "/", "Accept-Encoding", browser)
			for proven := range 2 {
				for range 2 {
					w := do(two.Handler(o), "GET", "/", "Accept-Encoding", browser)
					expectPage(t, w, 1, "zstd")
					if !bytes.Equal(w.Body.Bytes(), first.Body.Bytes()) || w.Header().Get("Etag") != `"v-zstd"` || o.asked.Load() != int64(1+proven) {
						t.Errorf("asked %d times: %v", o.asked.Load(), w.Header())
					}
				}
				expectPage(t, do(two.Handler(o), "GET", "/", "Accept-Encoding", "gzip"), 1, "gzip")
				expectPage(t, do(two.Handler(o), "GET", "/"), 1, "identity")
				if others == nil {
					break // who makes none drops them with the next that it brings
				}
				time.Sleep(2 * time.Minute)
			}
		})
	}
}

// TestCodedHitAllocates nothing more than one of the body as it came.
func TestCodedHitAllocates(t *testing.T) {
	h := newCache(t, nil, cache.Options{TTL: time.Hour, HTTP: bothCodings}).Handler(new(pages))
	allocations := func(accept string) float64 {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Encoding", accept)
		w := &discard{h: http.Header{}}
		return testing.AllocsPerRun(1000, func() {
			clear(w.h)
			h.ServeHTTP(w, r)
		})
	}
	as := allocations("")
	for _, accept := range []string{browser, "gzip", "gzip;q=0.5, identity;q=0.1, *;q=0"} {
		if n := allocations(accept); n > as {
			t.Errorf("%q: %g allocations, as it came %g", accept, n, as)
		}
	}
}

// TestCodingsAreAccounted: what is held of a response beside its body counts, and is what it takes.
func TestCodingsAreAccounted(t *testing.T) {
	const n = 500
	numbers := &pages{answer: func(w http.ResponseWriter, _ *http.Request) bool {
		for i := range 5000 {
			_, _ = fmt.Fprintln(w, i*i%9973)
		}
		return true
	}}
	held := func(o cache.HTTP) (heap, accounted float64) {
		before := live()
		c := newCache(t, nil, cache.Options{TTL: time.Hour, Near: 1 << 30, HTTP: o, Tuning: cache.Tuning{NoWhatIf: true}})
		h := c.Handler(numbers)
		for i := range n {
			do(h, "GET", fmt.Sprintf("http://host/%04d", i))
		}
		accounted = float64(cache.NearBytes(c)) / n
		heap = float64(live()-before) / n
		runtime.KeepAlive(c)
		return heap, accounted
	}
	heap, accounted := held(cache.HTTP{})
	heapWith, accountedWith := held(bothCodings)
	t.Logf("codings take %.0f bytes, and are accounted as %.0f; without them %.0f as %.0f", heapWith-heap, accountedWith-accounted, heap, accounted)
	if ratio := (accountedWith - accounted) / (heapWith - heap); ratio < .9 || ratio > 1.1 {
		t.Errorf("%.0f bytes more are accounted as %.0f", heapWith-heap, accountedWith-accounted)
	}
}

// TestEncodingsAreKnown: no other is accepted, nor one twice.
func TestEncodingsAreKnown(t *testing.T) {
	for _, names := range [][]string{{"br"}, {""}, {"gzip", "zstd", "gzip"}, {"GZIP"}, {"identity"}} {
		_, err := cache.New(nil, cache.Options{HTTP: cache.HTTP{Encodings: names}})
		if err == nil || !strings.Contains(err.Error(), "HTTP.Encodings") {
			t.Errorf("%q: %v", names, err)
		}
	}
}
