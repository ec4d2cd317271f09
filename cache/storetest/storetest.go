// Package storetest holds a cache.Store to its contract, and has one in memory for tests.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"vitrine/cache"
)

// Run runs the suite on stores that open makes, an empty one each time, and holds those that are a cache.Leaser or
// a cache.Invalidator to that as well. wait lets time pass: a store on another machine needs time.Sleep, one with
// a clock of its own may do better.
func Run(t *testing.T, open func(*testing.T) cache.Store, wait func(time.Duration)) {
	for _, test := range []struct {
		desc string
		run  func(*testing.T, cache.Store)
	}{
		{"a key that was never set is not found", func(t *testing.T, s cache.Store) {
			wantMissing(t, s, "never")
		}},
		{"what was set is found, whatever its bytes", func(t *testing.T, s cache.Store) {
			for i, value := range [][]byte{{}, {0}, []byte("text"), {0xff, 0, '\r', '\n'}, bytes.Repeat([]byte("x"), 1<<20)} {
				key := fmt.Sprintf("key %d", i)
				set(t, s, key, value, time.Minute)
				want(t, s, key, value)
			}
		}},
		{"keys may hold anything", func(t *testing.T, s cache.Store) {
			for _, key := range []string{"", " ", "a:b", "{a}b", "ü/?&=%", "a\nb", strings.Repeat("k", 4096)} {
				set(t, s, key, []byte(key), time.Minute)
			}
			for _, key := range []string{"", " ", "a:b", "{a}b", "ü/?&=%", "a\nb", strings.Repeat("k", 4096)} {
				want(t, s, key, []byte(key))
			}
		}},
		{"a second value replaces the first, and its time", func(t *testing.T, s cache.Store) {
			set(t, s, "key", []byte("first"), 50*time.Millisecond)
			set(t, s, "key", []byte("second"), time.Minute)
			wait(100 * time.Millisecond)
			want(t, s, "key", []byte("second"))
		}},
		{"a value is gone after its time", func(t *testing.T, s cache.Store) {
			set(t, s, "key", []byte("value"), 50*time.Millisecond)
			wait(150 * time.Millisecond)
			wantMissing(t, s, "key")
		}},
		{"the shortest time is a time, and not for ever", func(t *testing.T, s cache.Store) {
			set(t, s, "key", []byte("value"), time.Nanosecond)
			wait(50 * time.Millisecond)
			wantMissing(t, s, "key")
		}},
		{"what was deleted is gone, and only that", func(t *testing.T, s cache.Store) {
			for _, key := range []string{"a", "b", "c"} {
				set(t, s, key, []byte(key), time.Minute)
			}
			if err := s.Delete(t.Context(), "a", "b", "never"); err != nil {
				t.Fatal(err)
			}
			wantMissing(t, s, "a")
			wantMissing(t, s, "b")
			want(t, s, "c", []byte("c"))
		}},
		{"deleting nothing deletes nothing", func(t *testing.T, s cache.Store) {
			set(t, s, "key", []byte("value"), time.Minute)
			if err := s.Delete(t.Context()); err != nil {
				t.Fatal(err)
			}
			want(t, s, "key", []byte("value"))
		}},
		{"an ended context ends the call", func(t *testing.T, s cache.Store) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := s.Get(ctx, "key"); !errors.Is(err, context.Canceled) {
				t.Errorf("Get: %v, want context.Canceled", err)
			}
			if err := s.Set(ctx, "key", nil, time.Minute); !errors.Is(err, context.Canceled) {
				t.Errorf("Set: %v, want context.Canceled", err)
			}
			if err := s.Delete(ctx, "key"); !errors.Is(err, context.Canceled) {
				t.Errorf("Delete: %v, want context.Canceled", err)
			}
		}},
		{"many may use it at once", func(t *testing.T, s cache.Store) {
			var all sync.WaitGroup
			for i := range 16 {
				all.Go(func() {
					key, value := fmt.Sprint(i%4), fmt.Append(nil, i%4)
					for range 50 {
						if err := s.Set(t.Context(), key, value, time.Minute); err != nil {
							t.Error(err)
						}
						if got, err := s.Get(t.Context(), key); err != nil || !bytes.Equal(got, value) {
							t.Errorf("Get(%q) = %q, %v", key, got, err)
						}
					}
				})
			}
			all.Wait()
		}},
	} {
		t.Run(test.desc, func(t *testing.T) { test.run(t, open(t)) })
	}
	t.Run("leaser", func(t *testing.T) {
		for _, test := range leaserTests(wait) {
			t.Run(test.desc, func(t *testing.T) {
				s, ok := open(t).(cache.Leaser)
				if !ok {
					t.Skip("it is none")
				}
				test.run(t, s)
			})
		}
	})
	t.Run("invalidator", func(t *testing.T) {
		for _, test := range invalidatorTests {
			t.Run(test.desc, func(t *testing.T) {
				s, ok := open(t).(cache.Invalidator)
				if !ok {
					t.Skip("it is none")
				}
				test.run(t, s)
			})
		}
	})
}

func set(t *testing.T, s cache.Store, key string, value []byte, ttl time.Duration) {
	t.Helper()
	if err := s.Set(t.Context(), key, value, ttl); err != nil {
		t.Fatalf("Set(%.20q): %v", key, err)
	}
}

func want(t *testing.T, s cache.Store, key string, value []byte) {
	t.Helper()
	if got, err := s.Get(t.Context(), key); err != nil || !bytes.Equal(got, value) {
		t.Errorf("Get(%.20q) = %.20q, %v, want %.20q", key, got, err, value)
	}
}

func wantMissing(t *testing.T, s cache.Store, key string) {
	t.Helper()
	if got, err := s.Get(t.Context(), key); !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("Get(%.20q) = %.20q, %v, want ErrNotFound", key, got, err)
	}
}
