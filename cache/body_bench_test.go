package cache

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/gzhttp"
)

var someWords = strings.Fields(`the cache answers what it may and asks for what it must a response that was kept is served again until its time is
	over then one request of many goes to the origin and all others wait for what comes of that or are given what was there before
	freshness validation representation replica connection latency handler identity encoding preference window variant`)

// likeJSON and likeHTML are bodies of n bytes such as services send. They are always the same.
func likeJSON(n int) []byte {
	r, b := rand.New(rand.NewPCG(1, 2)), bytes.NewBufferString("[")
	word := func() string { return someWords[r.IntN(len(someWords))] }
	for b.Len() < n {
		fmt.Fprintf(b, `{"id":%d,"name":"%s %s","price":%.2f,"in_stock":%t,"updated":"2026-11-%02dT%02d:%02d:%02dZ"},`,
			r.IntN(1e6), word(), word(), r.Float64()*100, r.IntN(2) == 0, 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60))
	}
	return b.Bytes()[:n]
}

func likeHTML(n int) []byte {
	r, b := rand.New(rand.NewPCG(1, 2)), bytes.NewBufferString("<!doctype html><title>Entries</title>")
	word := func() string { return someWords[r.IntN(len(someWords))] }
	for b.Len() < n {
		fmt.Fprintf(b, "<article class=\"entry\"><h2><a href=\"/entries/%d\">%s %s</a></h2>\n<p>", r.IntN(1e5), word(), word())
		for range 40 {
			b.WriteString(word() + " ")
		}
		b.WriteString("</p></article>\n")
	}
	return b.Bytes()[:n]
}

// BenchmarkBody says of bodies what each coding saves on the wire and what a hit in it costs, beside compressing for each
// client anew (as gzhttp does around the same hit), and what it costs to make the copies, once. Time is the process's CPU.
func BenchmarkBody(b *testing.B) {
	for _, kind := range []struct {
		name, mime string
		make       func(int) []byte
	}{{"json", "application/json", likeJSON}, {"html", "text/html; charset=utf-8", likeHTML}} {
		for _, size := range []int{1, 8, 64} {
			body := kind.make(size << 10)
			name := fmt.Sprintf("%s/%dKiB/", kind.name, size)
			handler := func(encodings ...string) http.Handler {
				c, err := New(nil, Options{TTL: time.Hour, HTTP: HTTP{Encodings: encodings}})
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { _ = c.Close(context.Background()) })
				return c.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", kind.mime)
					_, _ = w.Write(body)
				}))
			}
			several, one := handler("zstd", "gzip"), handler()
			b.Run(name+"hit/none", func(b *testing.B) { benchmarkHit(b, one, "gzip, deflate, br, zstd", "") })
			b.Run(name+"hit/identity", func(b *testing.B) { benchmarkHit(b, several, "identity", "") })
			b.Run(name+"hit/zstd", func(b *testing.B) { benchmarkHit(b, several, "gzip, deflate, br, zstd", "zstd") })
			b.Run(name+"hit/gzip", func(b *testing.B) { benchmarkHit(b, several, "gzip, deflate, br", "gzip") })
			b.Run(name+"each-time/gzip", func(b *testing.B) { benchmarkHit(b, gzhttp.GzipHandler(one), "gzip, deflate, br", "gzip") })
			for _, c := range codings {
				b.Run(name+"once/"+c.name, func(b *testing.B) {
					b.ReportAllocs()
					before := processCPU(b)
					for b.Loop() {
						c.compress(body)
					}
					b.ReportMetric(float64(processCPU(b)-before)/float64(b.N), "cpu-ns/op")
				})
			}
		}
	}
}

func benchmarkHit(b *testing.B, h http.Handler, accept, coding string) {
	r, err := http.NewRequest(http.MethodGet, "http://host/", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", accept)
	w := &sink{h: http.Header{}}
	h.ServeHTTP(w, r) // fills the cache
	b.ReportAllocs()
	before := processCPU(b)
	for b.Loop() {
		clear(w.h)
		w.n = 0
		h.ServeHTTP(w, r)
	}
	b.ReportMetric(float64(processCPU(b)-before)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(w.n), "wire-B")
	if got := w.h.Get("Content-Encoding"); got != coding || w.h["Age"] == nil {
		b.Fatalf("%q, want a hit in %q: %v", got, coding, w.h)
	}
}

// sink is a ResponseWriter that counts bytes, and whose header map is not allocated anew.
type sink struct {
	h http.Header
	n int
}

func (w *sink) Header() http.Header         { return w.h }
func (w *sink) WriteHeader(int)             {}
func (w *sink) Write(b []byte) (int, error) { w.n += len(b); return len(b), nil }

// processCPU is what the process has used.
func processCPU(t testing.TB) time.Duration {
	t.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		t.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
