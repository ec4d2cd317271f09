package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"vitrine/e2e/markdown"
)

const (
	entryBytes   = 1 << 10
	entriesKept  = 50_000
	nearSmall    = 64 << 20
	nearLarge    = 1 << 30
	roomVariable = "BENCH_ROOM" // bytes that a holder has room for
)

// memoryContenders hold entries of 1 KiB.
var memoryContenders = func() []contender {
	var all []contender
	for _, h := range holders {
		all = append(all, contender{name: h.name, work: h.work, asks: holding})
	}
	return enlist("memory", all...)
}()

// held is what a holder was found to hold.
type held struct {
	heap    float64 // bytes that live, without those of before
	entries float64
	peak    float64 // bytes of the process that were resident at once
	own     float64 // of these, all but the pages of its binary
	cpu     float64 // ns of an entry that was put in
}

// hold has a holder take so many entries, and looks at it then.
func (c contender) hold(callers, entries int, env ...string) (h held, err error) {
	w, err := startWorkers([]contender{c}, 1, 0, env...)
	defer func() { err = errors.Join(err, w.stop()) }()
	if err != nil {
		return h, err
	}
	before, err := w[0].order(0, 0)
	if err != nil {
		return h, err
	}
	after, err := w[0].order(callers, entries)
	return held{
		heap: after.Figures["heap"], entries: after.Figures["entries"], peak: after.Figures["peak"], own: after.Figures["peak"] - after.Figures["binary"],
		cpu: float64(after.CPU-before.CPU) / float64(entries),
	}, err
}

func memorySuite(_ context.Context, b *bench) (r report, err error) {
	room := func(bytes int) string { return roomVariable + "=" + strconv.Itoa(bytes) }
	kept := max(b.ops(entriesKept), 5000) // freecache keeps nothing that is a thousandth of it
	small, large := b.ops(nearSmall), b.ops(nearLarge)
	container := 4 * small
	limit := int(.85 * float64(container)) // as the program sets it
	fetch, handler := memoryContenders[0], memoryContenders[1]
	each := make([][]held, len(memoryContenders))
	var full [3][]held
	var loaded []held
	for range min(b.rounds, 3) { // they hardly differ
		for i, c := range memoryContenders {
			h, err := c.hold(1, kept, room(int(holders[i].room*float64(kept*entryBytes))))
			if err != nil {
				return r, err
			}
			each[i] = append(each[i], h)
		}
		for i, f := range []struct {
			contender
			bytes int
		}{{fetch, small}, {handler, small}, {fetch, large}} {
			h, err := f.hold(1, f.bytes*3/4/entryBytes, room(f.bytes)) // more than fit
			if err != nil {
				return r, err
			}
			full[i] = append(full[i], h)
		}
		h, err := fetch.hold(64, 4*small/entryBytes, room(2*small), "GOMEMLIMIT="+strconv.Itoa(limit))
		if err != nil {
			return r, err
		}
		loaded = append(loaded, h)
	}
	r.memoryOfEntries(each)
	r.memoryOfTiers([]nearRow{{"`Fetch`, full near tier", small, full[0]}, {"`Handler`, full near tier", small, full[1]}, {"`Fetch`, full near tier", large, full[2]}})
	r.memoryUnderLoad(2*small, limit, container, loaded)
	r.Notes = append(r.Notes,
		fmt.Sprintf("%s entries with keys of 24 bytes and values, or bodies, of 1 KiB; live is what the collector leaves, without what was there before", markdown.Number(float64(kept))),
		"The bound of a near tier is its own account, of entries with all that they take; what-if has up to 12 MiB beside it",
		"freecache and bigcache keep bytes in a few large slices: freecache makes them at once, so that room that is not used counts; what is had of either is a copy, and not decoded",
		"Full tiers were given more entries than they hold, by a quarter or more; the time of `Handler` is with requests and recorders for it (httptest)",
		"Under load, 64 callers ask for new keys only, with `GOMEMLIMIT` as the program sets it: 85 % of a container of 256 MiB. Both are the most that there was at once. Go's limit is of its own memory, without the binary's pages: the 30 MiB of this program, in which all the libraries are, or 20 MiB of the service",
	)
	return r, nil
}

// memoryOfEntries adds what an entry takes to the report.
func (r *report) memoryOfEntries(each [][]held) {
	r.Head = []string{"entries of 1 KiB", "bound", "entries", "live heap an entry", "against a map", "of the bound", "own memory, of `GOMEMLIMIT`", "resident, of the container", "CPU an entry"}
	a := func(h held) float64 { return h.heap / h.entries }
	for i, h := range holders {
		r.Rows = append(r.Rows, []string{
			h.name, "", markdown.Number(heldOf(each[i], func(h held) float64 { return h.entries }).Median), markdown.Number(heldOf(each[i], a).Median) + " B",
			"× " + markdown.Number(heldOf(each[i], a).Median/heldOf(each[len(holders)-1], a).Median), "", "", "",
			duration(heldOf(each[i], func(h held) float64 { return h.cpu }).Median),
		})
	}
}

// nearRow is a full near tier.
type nearRow struct {
	name  string
	bytes int
	held  []held
}

func (r *report) memoryOfTiers(rows []nearRow) {
	worst := make([]float64, len(rows[0].held))
	for _, row := range rows {
		of := func(h held) float64 { return h.heap / float64(row.bytes) }
		for i, h := range row.held {
			worst[i] = max(worst[i], of(h))
		}
		r.Rows = append(r.Rows, []string{
			row.name, mebibytes(float64(row.bytes)), markdown.Number(heldOf(row.held, func(h held) float64 { return h.entries }).Median),
			markdown.Number(heldOf(row.held, func(h held) float64 { return h.heap / h.entries }).Median) + " B", "", "× " + ranged(heldOf(row.held, of)), "", "",
			duration(heldOf(row.held, func(h held) float64 { return h.cpu }).Median),
		})
	}
	r.Goals = append(r.Goals, goal{Work: "live heap, entries of 1 KiB", Against: "the near tier's bound", Bound: 1.15, Unit: "× bytes", Got: figureOf(worst)})
}

func (r *report) memoryUnderLoad(bytes, limit, container int, loaded []held) {
	own := heldOf(loaded, func(h held) float64 { return h.own / float64(limit) })
	resident := heldOf(loaded, func(h held) float64 { return h.peak / float64(container) })
	r.Rows = append(r.Rows, []string{
		"`Fetch`, new keys all the time", mebibytes(float64(bytes)), markdown.Number(heldOf(loaded, func(h held) float64 { return h.entries }).Median),
		markdown.Number(heldOf(loaded, func(h held) float64 { return h.heap / h.entries }).Median) + " B", "",
		"× " + ranged(heldOf(loaded, func(h held) float64 { return h.heap / float64(bytes) })), "× " + ranged(own), "× " + ranged(resident),
		duration(heldOf(loaded, func(h held) float64 { return h.cpu }).Median),
	})
	r.Goals = append(r.Goals, goal{Work: "RSS under load", Against: "GOMEMLIMIT", Bound: 1, Unit: "× bytes", Got: own})
}

func heldOf(rounds []held, field func(held) float64) figure {
	var all []float64
	for _, h := range rounds {
		all = append(all, field(h))
	}
	return figureOf(all)
}
