package storetest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vitrine/cache"
)

// Tokens, which are of 22 characters.
const (
	tokenA = "aaaaaaaaaaaaaaaaaaaaaa"
	tokenB = "bbbbbbbbbbbbbbbbbbbbbb"
)

type leaserTest struct {
	desc string
	run  func(*testing.T, cache.Leaser)
}

// leaserTests hold a Leaser to its contract.
func leaserTests(wait func(time.Duration)) []leaserTest {
	return []leaserTest{
		{"a lease is one caller's, and others are told of its holder", func(t *testing.T, s cache.Leaser) {
			acquired(t, s, "key", nil, tokenA, []byte("note\x00\xff"))
			got, err := s.Acquire(t.Context(), "key", nil, tokenB, nil, time.Minute)
			if err != nil || got.Held || got.Value != nil || string(got.Note) != "note\x00\xff" || got.Left <= 0 || got.Left > time.Minute {
				t.Errorf("%+v, %v; want the holder's note and time", got, err)
			}
			acquired(t, s, "another", nil, tokenB, nil)
		}},
		{"to ask twice under one token is to ask once", func(t *testing.T, s cache.Leaser) {
			acquired(t, s, "key", nil, tokenA, []byte("note"))
			acquired(t, s, "key", nil, tokenA, []byte("note"))
			if got, err := s.Acquire(t.Context(), "key", nil, tokenB, nil, time.Minute); err != nil || got.Held || string(got.Note) != "note" {
				t.Errorf("%+v, %v; want the holder's note", got, err)
			}
		}},
		{"who holds a lease may have the value be forgotten", func(t *testing.T, s cache.Leaser) {
			set(t, s, "key", []byte("value"), time.Minute)
			acquired(t, s, "key", []byte("value"), tokenA, nil)
			filled(t, s, "key", tokenB, nil, -1, false)
			want(t, s, "key", []byte("value"))
			filled(t, s, "key", tokenA, nil, -1, true)
			wantMissing(t, s, "key")
		}},
		{"of many that ask at once one holds it", func(t *testing.T, s cache.Leaser) {
			var all sync.WaitGroup
			var held atomic.Int64
			for i := range 16 {
				all.Go(func() {
					got, err := s.Acquire(t.Context(), "key", nil, tokenA[:21]+string(rune('a'+i)), nil, time.Minute)
					if err != nil {
						t.Error(err)
					}
					if got.Held {
						held.Add(1)
					}
				})
			}
			all.Wait()
			if n := held.Load(); n != 1 {
				t.Errorf("%d hold it", n)
			}
		}},
		{"where there is a value there is no lease", func(t *testing.T, s cache.Leaser) {
			set(t, s, "key", []byte("value"), time.Minute)
			for _, seen := range []string{"", "other", "values", "value and more"} {
				if got, err := s.Acquire(t.Context(), "key", []byte(seen), tokenA, nil, time.Minute); err != nil || got.Held || string(got.Value) != "value" {
					t.Errorf("seen %q: %+v, %v; want the value", seen, got, err)
				}
			}
		}},
		{"but for a value that was seen, or is empty", func(t *testing.T, s cache.Leaser) {
			for key, value := range map[string]string{"whole": "seen", "begins": "seen\x00 and more", "empty": ""} {
				set(t, s, key, []byte(value), time.Minute)
				acquired(t, s, key, []byte("seen"), tokenA, nil)
			}
			set(t, s, "empty too", nil, time.Minute)
			acquired(t, s, "empty too", nil, tokenA, nil)
		}},
		{"what fills a key gives its lease back", func(t *testing.T, s cache.Leaser) {
			value := []byte{0, 0xff, '\r', '\n', 'x'}
			acquired(t, s, "key", nil, tokenA, nil)
			filled(t, s, "key", tokenA, value, time.Minute, true)
			want(t, s, "key", value)
			filled(t, s, "key", tokenA, []byte("again"), time.Minute, false)
			want(t, s, "key", value)
			acquired(t, s, "key", value, tokenB, nil)
		}},
		{"a fill without time keeps nothing, and leaves what is there", func(t *testing.T, s cache.Leaser) {
			acquired(t, s, "key", nil, tokenA, nil)
			filled(t, s, "key", tokenA, nil, 0, true)
			wantMissing(t, s, "key")
			set(t, s, "key", []byte("value"), time.Minute)
			acquired(t, s, "key", []byte("value"), tokenA, nil)
			filled(t, s, "key", tokenA, []byte("none"), 0, true)
			want(t, s, "key", []byte("value"))
		}},
		{"a filled value is gone after its time", func(t *testing.T, s cache.Leaser) {
			acquired(t, s, "key", nil, tokenA, nil)
			filled(t, s, "key", tokenA, []byte("value"), 50*time.Millisecond, true)
			wait(150 * time.Millisecond)
			wantMissing(t, s, "key")
		}},
		{"who does not hold the lease fills nothing, and renews nothing", func(t *testing.T, s cache.Leaser) {
			filled(t, s, "key", tokenA, []byte("value"), time.Minute, false)
			renewed(t, s, "key", tokenA, time.Minute, false)
			acquired(t, s, "key", nil, tokenA, nil)
			filled(t, s, "key", tokenB, []byte("value"), time.Minute, false)
			renewed(t, s, "key", tokenB, time.Minute, false)
			wantMissing(t, s, "key")
			filled(t, s, "key", tokenA, []byte("value"), time.Minute, true)
		}},
		{"a lease runs out, and is another's then", func(t *testing.T, s cache.Leaser) {
			if got, err := s.Acquire(t.Context(), "key", nil, tokenA, nil, 50*time.Millisecond); err != nil || !got.Held {
				t.Fatalf("%+v, %v", got, err)
			}
			wait(150 * time.Millisecond)
			renewed(t, s, "key", tokenA, time.Minute, false)
			filled(t, s, "key", tokenA, []byte("late"), time.Minute, false)
			acquired(t, s, "key", nil, tokenB, nil)
			filled(t, s, "key", tokenA, []byte("later"), time.Minute, false)
			wantMissing(t, s, "key")
		}},
		{"unless it is renewed", func(t *testing.T, s cache.Leaser) {
			if got, err := s.Acquire(t.Context(), "key", nil, tokenA, []byte("note"), 200*time.Millisecond); err != nil || !got.Held {
				t.Fatalf("%+v, %v", got, err)
			}
			renewed(t, s, "key", tokenA, time.Minute, true)
			wait(300 * time.Millisecond)
			got, err := s.Acquire(t.Context(), "key", nil, tokenB, nil, time.Minute)
			if err != nil || got.Held || string(got.Note) != "note" || got.Left < 30*time.Second {
				t.Errorf("%+v, %v; want it held for a minute", got, err)
			}
			filled(t, s, "key", tokenA, []byte("value"), time.Minute, true)
		}},
		{"leases and values are kept apart, whatever their keys", func(t *testing.T, s cache.Leaser) {
			for _, key := range []string{"", "a", "a:lease", "{a}", "{a}:lease"} {
				acquired(t, s, key, nil, tokenA, nil)
			}
			for _, key := range []string{"", "a", "a:lease", "{a}", "{a}:lease"} {
				wantMissing(t, s, key)
				filled(t, s, key, tokenA, []byte(key+"."), time.Minute, true)
				want(t, s, key, []byte(key+"."))
			}
		}},
		{"an ended context ends its calls", func(t *testing.T, s cache.Leaser) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := s.Acquire(ctx, "key", nil, tokenA, nil, time.Minute); !errors.Is(err, context.Canceled) {
				t.Errorf("Acquire: %v, want context.Canceled", err)
			}
			if _, err := s.Renew(ctx, "key", tokenA, time.Minute); !errors.Is(err, context.Canceled) {
				t.Errorf("Renew: %v, want context.Canceled", err)
			}
			if _, err := s.Fill(ctx, "key", tokenA, nil, time.Minute, nil); !errors.Is(err, context.Canceled) {
				t.Errorf("Fill: %v, want context.Canceled", err)
			}
		}},
		{"it keeps nothing that is the caller's to change", func(t *testing.T, s cache.Leaser) {
			note, value := []byte("note"), []byte("value")
			acquired(t, s, "key", nil, tokenA, note)
			note[0] = 'x'
			if got, err := s.Acquire(t.Context(), "key", nil, tokenB, nil, time.Minute); err != nil || string(got.Note) != "note" {
				t.Errorf("%+v, %v", got, err)
			}
			filled(t, s, "key", tokenA, value, time.Minute, true)
			if !bytes.Equal(value, []byte("value")) {
				t.Errorf("the value became %q", value)
			}
			value[0] = 'x'
			want(t, s, "key", []byte("value"))
		}},
	}
}

func acquired(t *testing.T, s cache.Leaser, key string, seen []byte, token string, note []byte) {
	t.Helper()
	if got, err := s.Acquire(t.Context(), key, seen, token, note, time.Minute); err != nil || !got.Held {
		t.Fatalf("Acquire(%q, %q) = %+v, %v; want it held", key, seen, got, err)
	}
}

func renewed(t *testing.T, s cache.Leaser, key, token string, ttl time.Duration, want bool) {
	t.Helper()
	if ok, err := s.Renew(t.Context(), key, token, ttl); err != nil || ok != want {
		t.Errorf("Renew(%q) = %t, %v; want %t", key, ok, err, want)
	}
}

func filled(t *testing.T, s cache.Leaser, key, token string, value []byte, ttl time.Duration, want bool) {
	t.Helper()
	if ok, err := s.Fill(t.Context(), key, token, value, ttl, []byte("message")); err != nil || ok != want {
		t.Errorf("Fill(%q, %q) = %t, %v; want %t", key, value, ok, err, want)
	}
}
