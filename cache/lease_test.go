package cache_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// replicas are caches over one store.
func replicas(t *testing.T, n int, far cache.Store, o cache.Options) (all []*cache.Cache) {
	for range n {
		all = append(all, newCache(t, far, o))
	}
	return all
}

// TestOneReplicaLoads, whatever comes of it: a value, one that is not kept, or an error.
func TestOneReplicaLoads(t *testing.T) {
	for _, test := range []struct {
		desc  string
		load  func(context.Context) (string, error)
		value string
		err   bool
	}{
		{"a value", func(context.Context) (string, error) { return "v", nil }, "v", false},
		{"an empty value", func(context.Context) (string, error) { return "", nil }, "", false},
		{"a value that is not kept", func(ctx context.Context) (string, error) { cache.SetTTL(ctx, 0); return "v", nil }, "v", false},
		{"an error", func(context.Context) (string, error) { return "", errOrigin }, "", true},
		{"a panic", func(context.Context) (string, error) { panic("boom") }, "", true},
	} {
		for _, cut := range []bool{false, true} {
			t.Run(test.desc+map[bool]string{true: ", without messages"}[cut], func(t *testing.T) {
				if cut && test.desc != "a value" && test.desc != "an empty value" {
					t.Skip("nothing is kept that would tell the others")
				}
				both(t, func(t *testing.T, ask asker) {
					synctest.Test(t, func(t *testing.T) {
						var far storetest.Memory
						far.Cut(cut)
						var n origins
						var all sync.WaitGroup
						for _, c := range replicas(t, 3, &far, cache.Options{TTL: time.Minute}) {
							for range 5 {
								all.Go(func() {
									v, r, err := ask(t, c, "key", func(ctx context.Context) (string, error) {
										n.asked.Add(1)
										time.Sleep(5 * time.Second)
										return test.load(ctx)
									})
									if v != test.value || (err != nil) != test.err || r.Outcome != cache.Miss && r.Outcome != cache.Coalesced && r.Outcome != cache.Hit {
										t.Errorf("%q, %+v, %v", v, r, err)
									}
									if r.Outcome == cache.Coalesced && r.Forward != "uri-miss" {
										t.Errorf("whoever waited says %s", r.CacheStatus())
									}
								})
							}
						}
						all.Wait()
						if loads := n.asked.Load(); loads != 1 {
							t.Errorf("%d loads, want 1", loads)
						}
					})
				})
			})
		}
	}
}

// TestResponsesOfAnotherReplica: which of them its waiters are given, and which they ask for themselves.
func TestResponsesOfAnotherReplica(t *testing.T) {
	for _, test := range []struct {
		desc   string
		answer func(http.ResponseWriter)
		asked  int64 // by 2 replicas with 3 requests each
	}{
		{"200", func(http.ResponseWriter) {}, 1},
		{"404", func(w http.ResponseWriter) { w.WriteHeader(404) }, 1},
		{"503", func(w http.ResponseWriter) { w.WriteHeader(503) }, 1},
		{"what is stale at once", func(w http.ResponseWriter) { w.Header().Set("Cache-Control", "max-age=0") }, 1},
		{"a cookie", func(w http.ResponseWriter) { w.Header().Set("Set-Cookie", "a=b") }, 6},
		{"private", func(w http.ResponseWriter) { w.Header().Set("Cache-Control", "private") }, 6},
		{"Vary: *", func(w http.ResponseWriter) { w.Header().Set("Vary", "*") }, 6},
		{"Vary, of one variant", func(w http.ResponseWriter) { w.Header().Set("Vary", "Cookie") }, 1},
	} {
		t.Run(test.desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var far storetest.Memory
				o := &origin{answer: func(w http.ResponseWriter, _ *http.Request) {
					time.Sleep(time.Second)
					test.answer(w)
				}}
				var all sync.WaitGroup
				var mu sync.Mutex
				bodies := map[string]bool{}
				for _, c := range replicas(t, 2, &far, cache.Options{TTL: time.Minute}) {
					for range 3 {
						all.Go(func() {
							w := do(c.Handler(o), "GET", "/")
							mu.Lock()
							defer mu.Unlock()
							bodies[w.Body.String()] = true
						})
					}
					synctest.Wait()
				}
				start := time.Now()
				all.Wait()
				if n := o.asked.Load(); n != test.asked || len(bodies) != int(test.asked) {
					t.Errorf("asked %d times, %d bodies; want %d", n, len(bodies), test.asked)
				}
				if took := time.Since(start); took > 3*time.Second { // for a replica's first caller, and the rest after it
					t.Errorf("after %s: what may not be shared must not be asked for one after the other", took)
				}
			})
		})
	}
}

// TestLeaseWait: who has waited long enough loads by itself.
func TestLeaseWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var far storetest.Memory
		all := replicas(t, 2, &far, cache.Options{TTL: time.Minute, Tuning: cache.Tuning{LeaseWait: 4 * time.Second}})
		go fetch(t, all[0], "key", (&origins{takes: 20 * time.Second}).load)
		synctest.Wait()
		start := time.Now()
		v, r, err := fetch(t, all[1], "key", func(context.Context) (string, error) { return "mine", nil })
		if v != "mine" || err != nil || r.Outcome != cache.Miss || time.Since(start) != 4*time.Second {
			t.Errorf("%q, %+v, %v after %s; want its own load after 4s", v, r, err, time.Since(start))
		}
		time.Sleep(time.Minute)
	})
}

// TestLeaseOfADeadReplica runs out, and one of those who wait loads.
func TestLeaseOfADeadReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var far storetest.Memory
		dies := &shaky{Memory: &far}
		o := cache.Options{TTL: time.Minute, Tuning: cache.Tuning{Lease: 3 * time.Second}}
		one, others := newCache(t, dies, o), replicas(t, 2, &far, o)
		go fetch(t, one, "key", (&origins{takes: 25 * time.Second}).load)
		synctest.Wait()
		time.Sleep(5 * time.Second) // of which it renewed the lease
		dies.is(refuses)
		var n origins
		var all sync.WaitGroup
		start := time.Now()
		for _, c := range others {
			all.Go(func() {
				if v, _, err := fetch(t, c, "key", n.load); v != "1" || err != nil {
					t.Errorf("%q, %v", v, err)
				}
			})
		}
		all.Wait()
		if took := time.Since(start); n.asked.Load() != 1 || took > 3*time.Second+20*time.Millisecond {
			t.Errorf("%d loads after %s; want one after the lease", n.asked.Load(), took)
		}
		time.Sleep(30 * time.Second)
	})
}

// TestLoadsOfAReplicaThatGivesUp are another's: that it has no room, or closes, is no answer to others.
func TestLoadsOfAReplicaThatGivesUp(t *testing.T) {
	for _, closes := range []bool{false, true} {
		t.Run(map[bool]string{false: "no room", true: "closes"}[closes], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var far storetest.Memory
				one, err := cache.New(&far, cache.Options{TTL: time.Minute, Limits: cache.Limits{Loads: 1, LoadTimeout: 10 * time.Second}})
				if err != nil {
					t.Fatal(err)
				}
				two := newCache(t, &far, cache.Options{TTL: time.Minute})
				until := func(ctx context.Context) (string, error) { <-ctx.Done(); return "", context.Cause(ctx) }
				key := "first"
				go cache.Fetch(t.Context(), one, "first", until)
				synctest.Wait()
				if !closes {
					key = "second" // queues until its time is up
					go cache.Fetch(t.Context(), one, "third", until)
					synctest.Wait()
					go cache.Fetch(t.Context(), one, "second", until) // turned away
				}
				done := make(chan error)
				go func() {
					_, err := cache.Fetch(t.Context(), two, key, (&origins{}).load)
					done <- err
				}()
				synctest.Wait()
				ctx, cancel := context.WithCancel(t.Context())
				if closes {
					cancel()
					_ = one.Close(ctx)
				}
				if err := <-done; err != nil {
					t.Errorf("%v, want its own load", err)
				}
				cancel()
				if !closes {
					if err := one.Close(context.Background()); err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}

// TestErrorOfAnotherReplica is its text, and still a timeout if it was one.
func TestErrorOfAnotherReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var far storetest.Memory
		all := replicas(t, 2, &far, cache.Options{TTL: time.Minute, Limits: cache.Limits{LoadTimeout: time.Second}, Tuning: cache.Tuning{LeaseWait: time.Minute}})
		for i, load := range []func(context.Context) (string, error){
			func(context.Context) (string, error) { time.Sleep(500 * time.Millisecond); return "", errOrigin },
			func(ctx context.Context) (string, error) { <-ctx.Done(); return "", context.Cause(ctx) },
		} {
			key := strconv.Itoa(i)
			go cache.Fetch(t.Context(), all[0], key, load)
			synctest.Wait()
			_, r, err := fetch(t, all[1], key, load)
			if remote, ok := errors.AsType[*cache.RemoteError](err); !ok || r.Outcome != cache.Coalesced || errors.Is(err, cache.ErrLoadTimeout) != (i == 1) {
				t.Errorf("%+v, %v (%+v)", r, err, remote)
			}
		}
	})
}

// TestKeysDoNotWaitForEachOther: what excludes others is a key's own.
func TestKeysDoNotWaitForEachOther(t *testing.T) {
	for _, far := range []cache.Store{nil, new(storetest.Memory), plain{new(storetest.Memory)}} {
		synctest.Test(t, func(t *testing.T) {
			c := newCache(t, far, cache.Options{TTL: time.Minute})
			var all sync.WaitGroup
			start := time.Now()
			for i := range 100 {
				all.Go(func() {
					if _, _, err := fetch(t, c, strconv.Itoa(i%50), (&origins{takes: time.Second}).load); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if took := time.Since(start); took != time.Second {
				t.Errorf("50 keys took %s, want a second", took)
			}
		})
	}
}
