package main

import (
	"slices"
	"strconv"
	"testing"
)

func TestMemorySuite(t *testing.T) {
	checkGoals(t, try(t, suite{"memory", memorySuite}), "the near tier's bound", "GOMEMLIMIT")
}

// TestHolders: what is looked at is as many entries of 1 KiB as were put in, and little else.
func TestHolders(t *testing.T) {
	const entries = 5000
	for i, c := range memoryContenders {
		t.Run(c.name, func(t *testing.T) {
			h, err := c.hold(1, entries, roomVariable+"="+strconv.Itoa(int(holders[i].room*entries*entryBytes)))
			if err != nil {
				t.Fatal(err)
			}
			if h.entries < .95*entries || h.entries > entries {
				t.Errorf("%v entries, want %d", h.entries, entries)
			}
			if each := h.heap / h.entries; each < entryBytes || each > 3*entryBytes {
				t.Errorf("%v bytes an entry", each)
			}
			if h.peak < h.heap || h.own >= h.peak || h.own < h.heap {
				t.Errorf("%v bytes were resident, %v without the binary, of which %v live", h.peak, h.own, h.heap)
			}
		})
	}
}

func TestMemoryReport(t *testing.T) {
	var r report
	each := slices.Repeat([][]held{{{heap: 300, entries: 10, cpu: 7}}}, len(holders))
	each[len(each)-1] = []held{{heap: 200, entries: 10}}
	r.memoryOfEntries(each)
	r.memoryOfTiers([]nearRow{{"one", 1 << 20, []held{{heap: 1 << 19, entries: 1 << 10}, {heap: 1 << 20, entries: 1 << 10}}}, {"other", 1 << 21, []held{{heap: 1 << 21}, {heap: 1 << 19}}}})
	r.memoryUnderLoad(1<<20, 200, 400, []held{{peak: 100, own: 50, heap: 1 << 19, entries: 1 << 10}})
	for i, want := range []figure{{1, 1, 1}, {.25, .25, .25}} {
		if got := r.Goals[i].Got; got != want {
			t.Errorf("%s is %v, want %v", r.Goals[i].Work, got, want)
		}
	}
	n := len(holders)
	for i, want := range map[int][]string{
		0:     {"`Fetch`", "", "10", "30 B", "× 1.5", "", "", "", "7 ns"},
		n:     {"one", "1 MiB", "1,024", "1,024 B", "", "× 1 (0.5 to 1)", "", "", "0 ns"},
		n + 2: {"`Fetch`, new keys all the time", "1 MiB", "1,024", "512 B", "", "× 0.5", "× 0.25", "× 0.25", "0 ns"},
	} {
		if !slices.Equal(r.Rows[i], want) || len(want) != len(r.Head) {
			t.Errorf("row %d is %q, want %q", i, r.Rows[i], want)
		}
	}
}
