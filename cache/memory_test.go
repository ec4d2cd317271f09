package cache_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"vitrine/cache"
)

// memoryUsed fills a near tier with n entries, and tells of one what it takes of the heap, what of that is neither its
// key nor its value, and how many bytes are accounted for it.
func memoryUsed(t testing.TB, way string, n, size int) (heap, beyond, accounted float64) {
	t.Helper()
	before := live()
	c := newCache(t, nil, cache.Options{TTL: time.Hour, Near: 1 << 40, Tuning: cache.Tuning{NoWhatIf: true}})
	key := 0
	h := c.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write(make([]byte, size))
	}))
	for i := range n {
		name := fmt.Sprintf("/tiles/20/%07d/%07d", i, i)
		switch way {
		case "Handler":
			do(h, "GET", "http://host"+name)
			key = len("host" + name)
		default:
			// What comes out of a decoder is a value of its own.
			if _, err := cache.Fetch(context.Background(), c, name, func(context.Context) (string, error) {
				return strings.Repeat("x", size), nil
			}); err != nil {
				t.Fatal(err)
			}
			key = len(name)
		}
	}
	accounted = float64(cache.NearBytes(c)) / float64(n)
	heap = float64(live()-before) / float64(n)
	if got := c.Fill().Entries; got != n {
		t.Fatalf("%d entries, want %d", got, n)
	}
	runtime.KeepAlive(c)
	return heap, heap - float64(key+size), accounted
}

// TestAccountedMemory: what is accounted for an entry is what it takes, or somewhat more.
func TestAccountedMemory(t *testing.T) {
	for way := range ways {
		for _, size := range []int{16, 4096} {
			heap, beyond, accounted := memoryUsed(t, way, 6000, size)
			t.Logf("%s of %d bytes: %.0f bytes of the heap, %.0f beyond key and value, %.0f accounted", way, size, heap, beyond, accounted)
			if ratio := accounted / heap; ratio < .97 || ratio > 1.6 {
				t.Errorf("%s of %d bytes: %.0f bytes of the heap are accounted as %.0f", way, size, heap, accounted)
			}
		}
	}
}

// BenchmarkNearMemory says what a million entries take. An operation is a near tier that is filled.
func BenchmarkNearMemory(b *testing.B) {
	for _, bench := range []struct {
		way     string
		n, size int
	}{{"Fetch", 300_000, 16}, {"Handler", 300_000, 16}, {"Fetch", 50_000, 4096}, {"Handler", 50_000, 4096}} {
		b.Run(fmt.Sprintf("%s/%d", bench.way, bench.size), func(b *testing.B) {
			var heap, beyond, accounted float64
			for range b.N {
				heap, beyond, accounted = memoryUsed(b, bench.way, bench.n, bench.size)
			}
			b.ReportMetric(heap*1e6/(1<<20), "MiB/million")
			b.ReportMetric(beyond, "B-beyond/entry")
			b.ReportMetric(accounted/heap, "accounted/heap")
		})
	}
}
