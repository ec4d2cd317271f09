package cache_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"vitrine/cache"
	"vitrine/e2e/component"
)

// TestFleetRecursion: a load needs others, of the next replica, and each replica runs one at a time. Were a place
// kept, or a lease waited for with one, all would wait for each other.
func TestFleetRecursion(t *testing.T) {
	t.Parallel()
	const replicas, depth, children = 3, 3, 3
	server := component.Redis(t)
	limits := cache.Limits{Loads: 1, Queue: 10000, LoadTimeout: 2 * time.Minute, StoreTimeout: patient}
	var loads atomic.Int64
	servers, caches := make([]*httptest.Server, replicas), make([]*cache.Cache, replicas)
	// tile is how many tiles lie below one, itself included.
	var tile func(ctx context.Context, replica int, name string) (int, error)
	get := func(ctx context.Context, replica int, name string) (int, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, servers[replica].URL+"/"+name, nil)
		if err != nil {
			return 0, err
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0, err
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err == nil && answer.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s", name, body)
		}
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(string(body))
	}
	tile = func(ctx context.Context, replica int, name string) (int, error) {
		return cache.Fetch(ctx, caches[replica], name, func(ctx context.Context) (int, error) {
			loads.Add(1)
			time.Sleep(time.Millisecond) // what drawing takes
			if len(name) > depth {
				return 1, nil
			}
			counts := make([]int, children)
			err := cache.Yield(ctx, func() error {
				all, ctx := errgroup.WithContext(ctx)
				for i := range children {
					all.Go(func() (err error) {
						counts[i], err = get(ctx, (replica+1)%replicas, name+strconv.Itoa(i))
						return err
					})
				}
				return all.Wait()
			})
			sum := 1
			for _, n := range counts {
				sum += n
			}
			return sum, err
		})
	}
	for i := range replicas {
		caches[i] = newCache(t, cache.Redis(patientClient(t, server.Addr), ""), cache.Options{TTL: time.Minute, Limits: limits})
		servers[i] = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n, err := tile(r.Context(), i, r.URL.Path[1:])
			if err != nil {
				w.WriteHeader(http.StatusInternalServerError)
				fmt.Fprint(w, err)
				return
			}
			fmt.Fprint(w, n)
		}))
		t.Cleanup(servers[i].Close)
	}

	start := time.Now()
	var all sync.WaitGroup
	names := []string{"t"}
	for below := names; len(below[0]) <= depth; names = append(names, below...) {
		var next []string
		for _, name := range below {
			for i := range children {
				next = append(next, name+strconv.Itoa(i))
			}
		}
		below = next
	}
	size := map[int]int{4: 1, 3: 4, 2: 13, 1: 40}
	for _, name := range names {
		for replica := range replicas {
			all.Go(func() {
				if n, err := get(t.Context(), replica, name); err != nil || n != size[len(name)] {
					t.Errorf("%s of replica %d: %d, %v; want %d", name, replica, n, err, size[len(name)])
				}
			})
		}
	}
	all.Wait()
	took := time.Since(start)
	t.Logf("%d tiles asked of each of %d replicas at once, one load at a time in each: %d loads in %s; a load may take %s",
		len(names), replicas, loads.Load(), took, limits.LoadTimeout)
	if n := loads.Load(); n != int64(len(names)) {
		t.Errorf("%d loads of %d tiles", n, len(names))
	}
	if took > limits.LoadTimeout/2 {
		t.Errorf("it took %s", took)
	}
}
