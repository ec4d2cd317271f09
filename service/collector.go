package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// heapFloor is how far the heap may grow, in bytes, before it is collected at all.
const heapFloor = 16 << 20

// spareCollector has the garbage collector not begin before the heap is floor bytes, and otherwise when it has doubled, as
// is its way. Go itself begins at 4 MiB: a heap of a few megabytes, as that of hits is, would be collected dozens of
// times a second. Go has no setting for this; GOGC alone would multiply what a full cache takes. Who sets GOGC
// decides.
func spareCollector(floor uint64) {
	if os.Getenv("GOGC") == "" {
		paceAfter(floor, debug.SetGCPercent)
	}
}

// paceAfter sets, now and after each collection, how far the heap may grow until the next.
func paceAfter(floor uint64, set func(percent int) int) {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	now := 100 // Go's own
	pace := func() {
		metrics.Read(live)
		// Setting it stops the world for a moment.
		if next := growth(live[0].Value.Uint64(), floor); 10*max(next-now, now-next) > now {
			set(next)
			now = next
		}
	}
	pace()
	var again func(*collected)
	again = func(c *collected) {
		pace()
		runtime.SetFinalizer(c, again)
	}
	runtime.SetFinalizer(&collected{new(int)}, again)
}

// collected is garbage: its finalizer runs after each collection. It has a pointer, or it would share its memory with what
// lives on.
type collected struct{ _ *int }

// growth is by how much, in percent, a heap of live bytes may grow: to the floor, or to twice what it is.
func growth(live, floor uint64) int {
	const doubled = 100
	if live == 0 || floor/live < 2 {
		return doubled
	}
	const most = 400 // stacks and globals grow by as much
	return int(min(floor*100/live-doubled, most))
}
