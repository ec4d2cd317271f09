package main

import (
	"runtime"
	"testing"
)

func TestGrowth(t *testing.T) {
	for _, test := range []struct {
		desc        string
		live, floor uint64
		want        int
	}{
		{"small: to the floor", 4 << 20, 16 << 20, 300},
		{"half of the floor", 8 << 20, 16 << 20, 100},
		{"above it: doubled", 64 << 20, 16 << 20, 100},
		{"tiny: what follows must not run away from a heap that grows", 1, 16 << 20, 1000},
		{"before the first collection", 0, 16 << 20, 100},
	} {
		if got := growth(test.live, test.floor); got != test.want {
			t.Errorf("%s: %d %%, want %d %%", test.desc, got, test.want)
		}
	}
}

// TestPaceAfter: what is set after each collection is by what lives then.
func TestPaceAfter(t *testing.T) {
	set := make(chan int, 1)
	paceAfter(64<<20, func(percent int) int {
		select {
		case set <- percent:
		case <-t.Context().Done(): // it goes on for as long as the process does
		}
		return 0
	})
	collect := func() int {
		for {
			runtime.GC() // one may come too early for the finalizer of the last
			select {
			case percent := <-set:
				return percent
			default:
				runtime.Gosched()
			}
		}
	}
	if small := collect(); small <= 100 {
		t.Errorf("a small heap may grow by %d %%", small)
	}
	held := make([]byte, 48<<20)
	if full := collect(); full != 100 {
		t.Errorf("a heap beyond half of the floor may grow by %d %%, want 100 %%", full)
	}
	runtime.KeepAlive(held)
	if empty := collect(); empty <= 100 {
		t.Errorf("a heap that is small again may grow by %d %%", empty)
	}
}
