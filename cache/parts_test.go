package cache_test

import (
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

// TestParts: where ranges are passed on, the last part of a URL is kept, and purged with it.
func TestParts(t *testing.T) {
	whole := "0123456789"
	o := new(origin)
	serve := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.asked.Add(1)
		w.Header().Set("Cache-Control", "max-age=60")
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(whole))
	})
	c := newCache(t, nil, cache.Options{Name: "c", HTTP: cache.HTTP{Ranges: true}})
	h := c.Handler(serve)
	for _, test := range []struct {
		spec, body, at string
		asked          int64
	}{
		{"bytes=2-6", "23456", "bytes 2-6/10", 1},
		{"bytes=2-6", "23456", "bytes 2-6/10", 1},
		{"bytes=3-4", "34", "bytes 3-4/10", 1},
		{"bytes=4-", "456", "bytes 4-6/10", 1}, // less than it may have, which it says
		{"bytes=-4", "6789", "bytes 6-9/10", 2},
		{"bytes=-1", "9", "bytes 9-9/10", 2},
		{"bytes=9-20", "9", "bytes 9-9/10", 3},
		{"bytes=0-1,4-5", "", "", 4}, // asks for the whole
		{"bytes=0-0", "0", "bytes 0-0/10", 4},
	} {
		w := do(h, "GET", "http://host/", "Range", test.spec)
		if w.Code != 206 || test.body != "" && (w.Body.String() != test.body || w.Header().Get("Content-Range") != test.at) || o.asked.Load() != test.asked {
			t.Errorf("%s: %d %q %v, asked %d times", test.spec, w.Code, w.Body, w.Header(), o.asked.Load())
		}
		for name := range w.Header() {
			if strings.HasPrefix(name, "\x00") {
				t.Errorf("%q was sent", name)
			}
		}
	}
	whole = "abcdefghij"
	if err := c.PurgeKey(t.Context(), cache.Hard, "r:host/"); err != nil {
		t.Error(err)
	}
	if w := do(h, "GET", "http://host/", "Range", "bytes=3-4"); w.Body.String() != "de" {
		t.Errorf("%q after a purge", w.Body)
	}
}

// TestRangeOfALongBody: it is not sent whole for a part's sake, nor kept.
func TestRangeOfALongBody(t *testing.T) {
	body := strings.Repeat("0123456789", 1000)
	h := newCache(t, nil, cache.Options{Name: "c", TTL: time.Minute, Limits: cache.Limits{Body: 1000}}).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(body))
	}))
	for range 3 {
		if w := do(h, "GET", "/", "Range", "bytes=5-6"); w.Code != 206 || w.Body.String() != "56" {
			t.Errorf("%d, %d bytes", w.Code, w.Body.Len())
		}
	}
	if w := do(h, "GET", "/"); w.Body.Len() != len(body) || w.Header().Get("Cache-Status") != "c; fwd=uri-miss; detail=too-large" {
		t.Errorf("%d bytes, %v", w.Body.Len(), w.Header())
	}
}

// file is an origin of 1000 bytes, a hundred of each letter, that knows ranges and takes a second.
type file struct {
	asked  atomic.Int64
	down   atomic.Bool
	header []string
}

var inFile = func() (s string) {
	for _, letter := range "abcdefghij" {
		s += strings.Repeat(string(letter), 100)
	}
	return s
}()

func (f *file) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.asked.Add(1)
	time.Sleep(time.Second)
	if f.down.Load() {
		w.WriteHeader(503)
		return
	}
	for i := 0; i < len(f.header); i += 2 {
		w.Header().Set(f.header[i], f.header[i+1])
	}
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(inFile))
}

// asksPart asks for the bytes from first to last, and wants them. It returns the Cache-Status.
func asksPart(t *testing.T, h http.Handler, first, last int) string {
	t.Helper()
	span := strconv.Itoa(first) + "-" + strconv.Itoa(last)
	w := do(h, "GET", "http://host/", "Range", "bytes="+span)
	if w.Code != 206 || w.Body.String() != inFile[first:last+1] || w.Header().Get("Content-Range") != "bytes "+span+"/1000" {
		t.Errorf("%s: %d, %d bytes of %.1q, %v", span, w.Code, w.Body.Len(), w.Body, w.Header())
	}
	return w.Header().Get("Cache-Status")
}

// TestPartIsNotProvenForAnother: a 304 is about the part that is kept, and answers those who ask for it, or for some of it.
func TestPartIsNotProvenForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newCache(t, nil, cache.Options{Name: "c", TTL: time.Minute, HTTP: cache.HTTP{Ranges: true}}).Handler(&file{header: []string{"Etag", `"a"`}})
		for _, test := range []struct {
			after       time.Duration
			first, last int
			status      string
		}{
			{0, 0, 99, "c; fwd=uri-miss; stored"},
			{0, 500, 599, "c; fwd=partial; stored"},
			{0, 500, 599, "c; hit; ttl=60; detail=near"},
			{2 * time.Minute, 510, 519, "c; fwd=stale; fwd-status=304; stored"},
			{0, 500, 599, "c; hit; ttl=60; detail=near"},
			{2 * time.Minute, 0, 99, "c; fwd=stale; stored"},
		} {
			time.Sleep(test.after)
			if status := asksPart(t, h, test.first, test.last); status != test.status {
				t.Errorf("%d-%d: %s, want %s", test.first, test.last, status, test.status)
			}
		}
	})
}

// TestPartStandsInForItself: where the origin fails, who asks for another part than is kept is told so.
func TestPartStandsInForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := new(file)
		h := newCache(t, nil, cache.Options{TTL: time.Minute, Stale: cache.Staleness{IfError: time.Hour}, HTTP: cache.HTTP{Ranges: true}}).Handler(o)
		asksPart(t, h, 0, 99)
		o.down.Store(true)
		for range 2 { // while it is fresh, and after
			if w := do(h, "GET", "http://host/", "Range", "bytes=500-599"); w.Code != 503 {
				t.Errorf("%d, %d bytes, %v", w.Code, w.Body.Len(), w.Header())
			}
			asksPart(t, h, 0, 99)
			time.Sleep(2 * time.Minute)
		}
	})
}

// TestPartIsPassedToThoseWhoAskForIt: what is not kept reaches nobody that waits for another part.
func TestPartIsPassedToThoseWhoAskForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &file{header: []string{"Cache-Control", "max-age=0"}}
		all := replicas(t, 2, new(storetest.Memory), cache.Options{TTL: time.Minute, HTTP: cache.HTTP{Ranges: true}})
		synctest.Wait()
		inTurn(
			func() { asksPart(t, all[0].Handler(o), 0, 99) },
			func() { asksPart(t, all[1].Handler(o), 500, 599) },
			func() { asksPart(t, all[0].Handler(o), 800, 899) },
		)
	})
}

// TestUnsatisfiableRange does not have others' ranges be asked for one by one, nor end what is kept.
func TestUnsatisfiableRange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := new(file)
		h := newCache(t, nil, cache.Options{TTL: time.Minute, HTTP: cache.HTTP{Ranges: true}}).Handler(o)
		asksPart(t, h, 0, 99)
		if w := do(h, "GET", "http://host/", "Range", "bytes=5000-"); w.Code != 416 {
			t.Errorf("%d %v", w.Code, w.Header())
		}
		synctest.Wait()
		asksPart(t, h, 0, 99)
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() { asksPart(t, h, 100, 199) })
		}
		all.Wait()
		if asksPart(t, h, 100, 199); o.asked.Load() != 3 {
			t.Errorf("asked %d times", o.asked.Load())
		}
	})
}

// TestPartsDoNotWaitForEachOther: many that ask for one part share a load; those that ask for others begin theirs at once.
func TestPartsDoNotWaitForEachOther(t *testing.T) {
	for _, test := range []struct {
		desc  string
		width int
		asked int64
	}{{"ten parts", 100, 10}, {"one part", 0, 1}} {
		t.Run(test.desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := new(file)
				h := newCache(t, nil, cache.Options{TTL: time.Minute, HTTP: cache.HTTP{Ranges: true}}).Handler(o)
				start := time.Now()
				var all sync.WaitGroup
				for i := range 10 {
					all.Go(func() { asksPart(t, h, i*test.width, i*test.width+99) })
				}
				all.Wait()
				if took := time.Since(start); took != time.Second || o.asked.Load() != test.asked {
					t.Errorf("asked %d times in %s", o.asked.Load(), took)
				}
			})
		})
	}
}

// TestConditionalRangeIsOfTheWhole: a condition is about all of it, which is asked for and kept; those that are for origins are
// not the cache's to apply.
func TestConditionalRangeIsOfTheWhole(t *testing.T) {
	for _, test := range []struct {
		name, value string
		status      int
	}{
		{"If-None-Match", `"a"`, 304}, {"If-None-Match", `"b"`, 206}, {"If-Match", `"b"`, 206},
		{"If-Unmodified-Since", "Sun, 01 Jan 2006 15:04:05 GMT", 206}, {"If-Range", `"a"`, 206}, {"If-Range", `"b"`, 200},
	} {
		t.Run(test.name+" "+test.value, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &file{header: []string{"Etag", `"a"`}}
				h := newCache(t, nil, cache.Options{TTL: time.Minute, HTTP: cache.HTTP{Ranges: true}}).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Header["Range"] != nil || r.Header[test.name] != nil {
						t.Errorf("the origin was asked %v", r.Header)
					}
					o.ServeHTTP(w, r)
				}))
				for range 2 {
					w := do(h, "GET", "http://host/", "Range", "bytes=100-109", test.name, test.value)
					if want := map[int]string{200: inFile, 206: inFile[100:110]}[test.status]; w.Code != test.status || w.Body.String() != want {
						t.Errorf("%d, %d bytes, %v", w.Code, w.Body.Len(), w.Header())
					}
				}
				asksPart(t, h, 500, 599)
				if n := o.asked.Load(); n != 1 {
					t.Errorf("asked %d times", n)
				}
			})
		})
	}
}
