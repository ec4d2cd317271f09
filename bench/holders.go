package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/Yiling-J/theine-go"
	"github.com/allegro/bigcache/v3"
	"github.com/coocood/freecache"
	"github.com/dgraph-io/ristretto/v2"
	"github.com/maypok86/otter/v2"
	"github.com/prometheus/client_golang/prometheus"

	"vitrine/cache"
)

// holder keeps entries of 1 KiB, with keys of 24 bytes.
type holder struct {
	name string
	room float64 // that it is to have, as a multiple of the values; enough for all entries
	// open returns what puts an entry in, and what tells how many there are. It has room for so many bytes.
	open func(room int) (put func(key string) error, entries func() int, err error)
}

// holders end with the map that others are compared with.
var holders = []holder{
	{"`Fetch`", 3, func(room int) (func(string) error, func() int, error) {
		c, err := holdingCache(room)
		if err != nil {
			return nil, nil, err
		}
		return func(key string) error {
			_, err := cache.Fetch(context.Background(), c, key, func(context.Context) (string, error) { return kibibyte(), nil })
			return err
		}, func() int { return c.Fill().Entries }, nil
	}},
	{"`Handler`", 3, func(room int) (func(string) error, func() int, error) {
		c, err := holdingCache(room)
		if err != nil {
			return nil, nil, err
		}
		h := c.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(kibibyte())) }))
		return func(key string) error {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/"+key[len("example.com/"):], nil))
			if w.Body.Len() != entryBytes {
				return fmt.Errorf("a body of %d bytes", w.Body.Len())
			}
			return nil
		}, func() int { return c.Fill().Entries }, nil
	}},
	{"otter, bare", 3, func(room int) (func(string) error, func() int, error) {
		c, err := otter.New(&otter.Options[string, string]{
			MaximumWeight: uint64(room), Weigher: func(key, v string) uint32 { return uint32(len(key) + len(v)) },
			ExpiryCalculator: otter.ExpiryWritingFunc(func(otter.Entry[string, string]) time.Duration { return time.Hour }),
		})
		if err != nil {
			return nil, nil, err
		}
		return func(key string) error { c.Set(key, kibibyte()); return nil }, c.EstimatedSize, nil
	}},
	{"theine", 3, func(room int) (func(string) error, func() int, error) {
		c, err := theine.NewBuilder[string, string](int64(room)).Build()
		if err != nil {
			return nil, nil, err
		}
		return func(key string) error { c.SetWithTTL(key, kibibyte(), entryBytes, time.Hour); return nil }, c.Len, nil
	}},
	{"ristretto", 3, func(room int) (func(string) error, func() int, error) {
		c, err := ristretto.NewCache(&ristretto.Config[string, string]{
			NumCounters: 10 * int64(room/entryBytes), MaxCost: int64(room), BufferItems: 64, Metrics: true,
		})
		if err != nil {
			return nil, nil, err
		}
		return func(key string) error {
			c.SetWithTTL(key, kibibyte(), entryBytes, time.Hour)
			c.Wait()
			return nil
		}, func() int { return int(c.Metrics.KeysAdded() - c.Metrics.KeysEvicted()) }, nil
	}},
	{"bigcache", 1.2, func(room int) (func(string) error, func() int, error) {
		o := bigcache.DefaultConfig(time.Hour)
		o.Shards, o.HardMaxCacheSize, o.Verbose = 64, room>>20+1, false
		o.MaxEntriesInWindow, o.MaxEntrySize = room/entryBytes, entryBytes+len("example.com/000000000000")
		c, err := bigcache.New(context.Background(), o)
		if err != nil {
			return nil, nil, err
		}
		return func(key string) error { return c.Set(key, []byte(kibibyte())) }, c.Len, nil
	}},
	{"freecache", 1.2, func(room int) (func(string) error, func() int, error) {
		c := freecache.NewCache(room)
		return func(key string) error { return c.Set([]byte(key), []byte(kibibyte()), 3600) }, func() int { return int(c.EntryCount()) }, nil
	}},
	{"`map[string]string`", 0, func(int) (func(string) error, func() int, error) {
		m := map[string]string{}
		return func(key string) error { m[key] = kibibyte(); return nil }, func() int { return len(m) }, nil
	}},
}

func holdingCache(room int) (*cache.Cache, error) {
	return cache.New(nil, cache.Options{TTL: time.Hour, Near: int64(room), Registerer: prometheus.NewRegistry()})
}

// kibibyte is a value that nobody else has.
func kibibyte() string { return strings.Repeat("x", entryBytes) }

var (
	entriesHeld = func() int { return 0 }
	heapBefore  uint64
)

// work puts in the i-th entry.
func (h holder) work(context.Context) (func(int), error) {
	room, err := strconv.Atoi(os.Getenv(roomVariable))
	if err != nil {
		return nil, err
	}
	heapBefore = liveHeap()
	put, entries, err := h.open(room)
	entriesHeld = entries
	return func(i int) {
		if err := put(fmt.Sprintf("example.com/%012d", i)); err != nil {
			panic(err)
		}
	}, err
}

// liveHeap is what is left when what nobody needs is gone.
func liveHeap() uint64 {
	// The second frees what sync.Pools kept over the first.
	runtime.GC()
	runtime.GC()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	return mem.HeapAlloc
}

// holding looks at what the process holds.
func holding() map[string]float64 {
	figures := map[string]float64{"entries": float64(entriesHeld()), "heap": float64(liveHeap() - heapBefore)}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return figures
	}
	for name, field := range map[string]string{"peak": "VmHWM:", "binary": "RssFile:"} {
		if kib, err := numberAfter(string(status), field); err == nil {
			figures[name] = kib * (1 << 10)
		}
	}
	return figures
}
