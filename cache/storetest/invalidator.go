package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"vitrine/cache"
)

type invalidatorTest struct {
	desc string
	run  func(*testing.T, cache.Invalidator)
}

// invalidatorTests hold an Invalidator to its contract.
var invalidatorTests = []invalidatorTest{
	{"what is invalidated is gone, and its lease", func(t *testing.T, s cache.Invalidator) {
		set(t, s, "key", []byte("value"), time.Minute)
		set(t, s, "another", []byte("value"), time.Minute)
		if l, ok := s.(cache.Leaser); ok {
			acquired(t, l, "key", []byte("value"), tokenA, nil)
			defer filled(t, l, "key", tokenA, []byte("late"), time.Minute, false)
		}
		for _, key := range []string{"key", "never"} {
			if err := s.Invalidate(t.Context(), key, []byte("message")); err != nil {
				t.Error(err)
			}
		}
		wantMissing(t, s, "key")
		want(t, s, "another", []byte("value"))
	}},
	{"what is amended begins otherwise, and has lost its lease", func(t *testing.T, s cache.Invalidator) {
		set(t, s, "key", []byte("old\x00value"), time.Minute)
		if l, ok := s.(cache.Leaser); ok {
			acquired(t, l, "key", []byte("old"), tokenA, nil)
			defer filled(t, l, "key", tokenA, []byte("late"), time.Minute, false)
		}
		amend(t, s, "key", "old\x00", "new\xff")
		want(t, s, "key", []byte("new\xffvalue"))
	}},
	{"what begins otherwise already is not amended", func(t *testing.T, s cache.Invalidator) {
		set(t, s, "key", []byte("value"), time.Minute)
		if l, ok := s.(cache.Leaser); ok {
			acquired(t, l, "key", []byte("value"), tokenA, nil)
			defer filled(t, l, "key", tokenA, []byte("late"), time.Minute, false)
		}
		amend(t, s, "key", "old", "new")
		amend(t, s, "key", "value and more", "other and more")
		amend(t, s, "never", "old", "new")
		want(t, s, "key", []byte("value"))
		wantMissing(t, s, "never")
	}},
	{"an amended value keeps its time", func(t *testing.T, s cache.Invalidator) {
		l, ok := s.(cache.Leaser)
		if !ok {
			t.Skip("it takes a lease to find out")
		}
		set(t, s, "key", []byte("old"), time.Minute)
		amend(t, s, "key", "old", "new")
		if got, err := l.Acquire(t.Context(), "key", nil, tokenA, nil, time.Minute); err != nil || string(got.Value) != "new" {
			t.Errorf("%+v, %v", got, err)
		}
	}},
	{"to amend is to put as much in its place", func(t *testing.T, s cache.Invalidator) {
		for _, each := range [][2]string{{"", ""}, {"old", "newer"}, {"", "new"}} {
			if err := s.Amend(t.Context(), "key", []byte(each[0]), []byte(each[1]), nil); err == nil {
				t.Errorf("%q for %q: no error", each[1], each[0])
			}
		}
	}},
	{"an account begins with whoever asks first", func(t *testing.T, s cache.Invalidator) {
		for _, era := range []string{"one", "two"} {
			if a := purges(t, s, "scope", era); a.Mark != (cache.Mark{Era: "one"}) || a.All+a.SoftAll+a.Floor != 0 || len(a.Tags)+len(a.SoftTags) != 0 {
				t.Errorf("%+v, want an empty account of era one", a)
			}
		}
		void(t, s, "another", "three", cache.Mark{Era: "three", Seq: 1}, cache.Purge{})
	}},
	{"an account that has less than is known of it is another's", func(t *testing.T, s cache.Invalidator) {
		void(t, s, "scope", "one", cache.Mark{Era: "one", Seq: 1}, cache.Purge{Tags: []string{"a"}})
		for _, known := range []cache.Mark{{Era: "one", Seq: 1}, {Era: "another", Seq: 7}} {
			if a, err := s.Purges(t.Context(), "scope", known, "two"); err != nil || a.Mark != (cache.Mark{Era: "one", Seq: 1}) {
				t.Errorf("%+v, %v, where %+v is known; want era one", a, err, known)
			}
		}
		if a, err := s.Purges(t.Context(), "scope", cache.Mark{Era: "one", Seq: 2}, "two"); err != nil || a.Mark != (cache.Mark{Era: "two"}) || len(a.Tags) != 0 {
			t.Errorf("%+v, %v; want an empty account of era two", a, err)
		}
		m, err := s.Void(t.Context(), "scope", cache.Mark{Era: "two", Seq: 5}, "three", cache.Purge{}, nil)
		if want := (cache.Mark{Era: "three", Seq: 1}); err != nil || m != want {
			t.Errorf("%+v, %v; want %+v", m, err, want)
		}
	}},
	{"purges are numbered and noted, by what they name", func(t *testing.T, s cache.Invalidator) {
		for i, p := range []cache.Purge{
			{Tags: []string{"a", "b"}}, {}, {Soft: true}, {Soft: true, Tags: []string{"b", "c"}}, {Tags: []string{"a", "ü {x}:\n"}}, {Tags: []string{""}},
		} {
			void(t, s, "scope", fmt.Sprint(i), cache.Mark{Era: "0", Seq: uint64(i + 1)}, p)
		}
		want := cache.Account{
			Mark: cache.Mark{Era: "0", Seq: 6}, All: 2, SoftAll: 3,
			Tags: map[string]uint64{"a": 5, "b": 1, "ü {x}:\n": 5, "": 6}, SoftTags: map[string]uint64{"b": 4, "c": 4},
		}
		if got := purges(t, s, "scope", "another"); !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, want %+v", got, want)
		}
		if got := purges(t, s, "other scope", "another"); got.Seq != 0 {
			t.Errorf("%+v in a scope where nothing was purged", got)
		}
	}},
	{"what was forgotten of an account is below its floor", func(t *testing.T, s cache.Invalidator) {
		const n = 150 // purges of 100 tags each
		for i := range n {
			var tags []string
			for j := range 100 {
				tags = append(tags, fmt.Sprint(i, " ", j))
			}
			void(t, s, "scope", "era", cache.Mark{Era: "era", Seq: uint64(i + 1)}, cache.Purge{Tags: tags})
		}
		a := purges(t, s, "scope", "era")
		if a.Seq != n || a.Floor >= n {
			t.Errorf("seq %d, floor %d; want %d, and less", a.Seq, a.Floor, n)
		}
		for i := range n {
			if seq := a.Tags[fmt.Sprint(i, " ", 99)]; seq != uint64(i+1) && !(seq == 0 && a.Floor >= uint64(i+1)) {
				t.Errorf("tag of purge %d has %d, floor %d", i+1, seq, a.Floor)
			}
		}
	}},
	{"a listener is connected when it is there, and hears all", func(t *testing.T, s cache.Invalidator) {
		h := listen(t, s)
		select {
		case <-h.connected:
		default:
			t.Error("not connected")
		}
		set(t, s, "key", []byte("old value"), time.Minute)
		wanted := []string{"invalidate\x00\xff", "amend", "void: era 1", "void: era 2"}
		if err := s.Invalidate(t.Context(), "another", []byte(wanted[0])); err != nil {
			t.Fatal(err)
		}
		if err := s.Amend(t.Context(), "key", []byte("old"), []byte("new"), []byte(wanted[1])); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := s.Void(t.Context(), "scope", cache.Mark{}, "era", cache.Purge{Tags: []string{"a"}}, []byte("void: ")); err != nil {
				t.Fatal(err)
			}
		}
		if l, ok := s.(cache.Leaser); ok {
			for _, ttl := range []time.Duration{time.Minute, 0} {
				acquired(t, l, "filled", []byte("v"), tokenA, nil)
				if held, err := l.Fill(t.Context(), "filled", tokenB, []byte("v"), ttl, []byte("of no lease")); held || err != nil {
					t.Errorf("%t, %v", held, err)
				}
				if held, err := l.Fill(t.Context(), "filled", tokenA, []byte("v"), ttl, []byte("fill")); !held || err != nil {
					t.Errorf("%t, %v", held, err)
				}
				wanted = append(wanted, "fill")
			}
		}
		// In a cluster nodes send each its own: only what is of one key or scope has an order.
		got := h.hear(t, len(wanted))
		if slices.Index(got, "void: era 1") > slices.Index(got, "void: era 2") {
			t.Errorf("heard %q, of one scope in another order", got)
		}
		slices.Sort(got)
		slices.Sort(wanted)
		if !slices.Equal(got, wanted) {
			t.Errorf("heard %q, want %q", got, wanted)
		}
	}},
	{"all listeners hear, until they stop", func(t *testing.T, s cache.Invalidator) {
		one, two := listen(t, s), listen(t, s)
		say := func(text string) {
			if err := s.Invalidate(t.Context(), "key", []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		say("first")
		for _, h := range []*hearing{one, two} {
			if got := h.hear(t, 1); !slices.Equal(got, []string{"first"}) {
				t.Errorf("heard %q", got)
			}
		}
		one.stop()
		say("second")
		if got := two.hear(t, 1); !slices.Equal(got, []string{"second"}) {
			t.Errorf("heard %q", got)
		}
		two.stop()
		three := listen(t, s)
		say("third")
		if got := three.hear(t, 1); !slices.Equal(got, []string{"third"}) {
			t.Errorf("heard %q", got)
		}
		if len(one.messages)+len(two.messages) > 0 {
			t.Error("who had stopped heard more")
		}
	}},
	{"an ended context ends its calls", func(t *testing.T, s cache.Invalidator) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for name, err := range map[string]error{
			"Invalidate": s.Invalidate(ctx, "key", nil),
			"Amend":      s.Amend(ctx, "key", []byte("a"), []byte("b"), nil),
		} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v, want context.Canceled", name, err)
			}
		}
		if _, err := s.Void(ctx, "scope", cache.Mark{}, "era", cache.Purge{}, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("Void: %v, want context.Canceled", err)
		}
		if _, err := s.Purges(ctx, "scope", cache.Mark{}, "era"); !errors.Is(err, context.Canceled) {
			t.Errorf("Purges: %v, want context.Canceled", err)
		}
	}},
}

func amend(t *testing.T, s cache.Invalidator, key, old, now string) {
	t.Helper()
	if err := s.Amend(t.Context(), key, []byte(old), []byte(now), []byte("message")); err != nil {
		t.Errorf("Amend(%q): %v", key, err)
	}
}

func void(t *testing.T, s cache.Invalidator, scope, era string, want cache.Mark, p cache.Purge) {
	t.Helper()
	if got, err := s.Void(t.Context(), scope, cache.Mark{}, era, p, []byte("message")); err != nil || got != want {
		t.Errorf("Void(%q, %.100v) = %+v, %v; want %+v", scope, p, got, err, want)
	}
}

func purges(t *testing.T, s cache.Invalidator, scope, era string) cache.Account {
	t.Helper()
	a, err := s.Purges(t.Context(), scope, cache.Mark{}, era)
	if err != nil {
		t.Fatalf("Purges(%q): %v", scope, err)
	}
	return a
}

// hearing is what a listener has heard.
type hearing struct {
	connected chan struct{}
	messages  chan string
	stop      func()
}

func listen(t *testing.T, s cache.Invalidator) *hearing {
	t.Helper()
	h := &hearing{connected: make(chan struct{}, 100), messages: make(chan string, 100)}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	stop := s.Listen(ctx, cache.Listener{
		Connected:    func() { h.connected <- struct{}{} },
		Disconnected: func() {},
		Message:      func(b []byte) { h.messages <- string(bytes.Clone(b)) },
	})
	stopped := false
	h.stop = func() {
		if !stopped {
			stopped = true
			stop()
		}
	}
	t.Cleanup(h.stop)
	return h
}

// hear returns the next n messages.
func (h *hearing) hear(t *testing.T, n int) (heard []string) {
	t.Helper()
	late := time.After(5 * time.Second)
	for range n {
		select {
		case m := <-h.messages:
			heard = append(heard, m)
		case <-late:
			t.Errorf("heard %q, and no more", heard)
			return heard
		}
	}
	return heard
}
