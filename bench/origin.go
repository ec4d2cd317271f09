package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"vitrine/e2e/markdown"
)

// seahorses is the tile that the goal is for, by its benchmark's name: of that valley, as deep as people soon get.
const seahorses = "seahorses_z=12"

func originSuite(ctx context.Context, b *bench) (r report, err error) {
	m, err := b.goBenchmarks(ctx, "./service", "^BenchmarkTile$", 200*time.Millisecond)
	if err != nil {
		return r, err
	}
	return tileReport(m)
}

// tileReport compares each tile's benchmark with that of the first version.
func tileReport(m measured) (r report, err error) {
	r.Head = []string{"a tile", "time", "at first", "against that", "allocations", "at first", "bytes of PNG", "at first"}
	for _, name := range m.names {
		tile, found := strings.CutPrefix(name, "Tile/now/")
		if !found {
			continue
		}
		first := "Tile/first/" + tile
		took, before := m.values[name]["ns/op"], m.values[first]["ns/op"]
		if len(took) != len(before) {
			return r, fmt.Errorf("%s was measured %d times, and %s %d times", name, len(took), first, len(before))
		}
		against := ratio(took, before)
		r.Rows = append(r.Rows, []string{
			strings.ReplaceAll(tile, "_", ", "), m.middle(name, "ns/op", duration), m.middle(first, "ns/op", duration), "× " + ranged(against),
			m.middle(name, "allocs/op", markdown.Number), m.middle(first, "allocs/op", markdown.Number),
			m.middle(name, "png-B", markdown.Number), m.middle(first, "png-B", markdown.Number),
		})
		if tile == seahorses {
			r.Goals = append(r.Goals, goal{
				Work: "tile of the seahorse valley", Against: "the first version", Bound: .5, Unit: "× time", Got: against,
			})
		}
	}
	if len(r.Goals) == 0 {
		return r, fmt.Errorf("there is no benchmark of %s", seahorses)
	}
	r.Notes = []string{"Tiles are computed and encoded on one processor; whoever else uses that adds to the time"}
	return r, nil
}
