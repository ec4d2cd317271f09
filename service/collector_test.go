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
		{"tiny: what follows must not run away from a heap that grows", 1, 16 << 20, 400},
		{"before the first collection", 0, 16 << 20, 100},
	} {
		if got := growth(test.live, test.floor); got != test.want {
			t.Errorf("%s: %d %%, want %d %%", test.desc, got, test.want)
		}
	}
}

// TestPaceAfter: what is set after each collection is by what lives then.
func TestPaceAfter(t *testing.T) {
	runtime.GC()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem) // other tests have left something
	floor := 4 * mem.HeapAlloc
	set := make(chan int, 1) // the first comes before anybody reads
	paceAfter(floor, func(percent int) int {
		select {
		case set <- percent:
		case <-t.Context().Done(): // it goes on for as long as the process does
		}
		return 0
	})
	becomes := func(desc string, is func(percent int) bool) {
		t.Helper()
		for range 1000 {
			runtime.GC() // one may come too early for the finalizer of the last
			select {
			case percent := <-set:
				if is(percent) {
					return
				}
			default:
				runtime.Gosched()
			}
		}
		t.Errorf("%s, how far it may grow does not change", desc)
	}
	becomes("with a small heap", func(percent int) bool { return percent > 200 })
	held := make([]byte, floor)
	becomes("with one beyond half of the floor", func(percent int) bool { return percent == 100 })
	runtime.KeepAlive(held)
	becomes("with one that is small again", func(percent int) bool { return percent > 200 })
}
