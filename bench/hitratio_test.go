package main

import (
	"slices"
	"testing"

	"vitrine/e2e/markdown"
)

func TestHitratioSuite(t *testing.T) {
	checkGoals(t, try(t, suite{"hitratio", hitratioSuite}), "static top-K", "static top-K")
}

// TestPolicies: each of them keeps what fits, and is bounded.
func TestPolicies(t *testing.T) {
	const entries, times = 64, 50
	keys := make([]string, 0, entries/2*times)
	for i := range cap(keys) {
		keys = append(keys, streamKey(i%(entries/2)))
	}
	check := func(name string, few, many float64) {
		t.Helper()
		if want := 1 - 1./times; markdown.Number(few) != markdown.Number(want) {
			t.Errorf("%s: a hit ratio of %v where half the room is needed, want %v", name, few, want)
		}
		if many > .6 {
			t.Errorf("%s: a hit ratio of %v in a loop over ten times what fits", name, many)
		}
	}
	loop := make([]string, 0, 10*entries*times)
	for i := range cap(loop) {
		loop = append(loop, streamKey(i%(10*entries)))
	}
	var a [2]ratios
	for i, stream := range [][]string{keys, loop} {
		if err := a[i].round(t.Context(), policyTest, stream); err != nil {
			t.Fatal(err)
		}
	}
	check("Fetch", a[0].ours[0], a[1].ours[0])
	check("Fetch, back to back", a[0].hasty[0], a[1].hasty[0])
	for i, p := range policies {
		check(p.name, a[0].others[i][0], a[1].others[i][0])
	}
	// otter lets go of the last one behind.
	if beyond := a[1].fit - entries; beyond < 0 || beyond > 1 || a[1].top[0] != float64(a[1].fit)/(10*entries) || a[0].top[0] != 1 {
		t.Errorf("%d entries fit, and static tops are %v and %v; want %d, 1 and what fits of %d", a[1].fit, a[0].top, a[1].top, entries, 10*entries)
	}
}

var policyTest = stream{name: "test", entries: 64}

// TestStreams: a stream is the same for a seed, another for another, and as it is described.
func TestStreams(t *testing.T) {
	b := &bench{dir: ".."}
	for _, s := range streams {
		n := max(s.requests/10, 1)
		one, err := s.keys(t.Context(), b, n, 1)
		if err != nil {
			t.Fatal(err)
		}
		again, err := s.keys(t.Context(), b, n, 1)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(one, again) {
			t.Errorf("%s: a seed has two streams", s.name)
		}
		other, err := s.keys(t.Context(), b, n, 2)
		if err != nil {
			t.Fatal(err)
		}
		if recorded := s.requests == 0; slices.Equal(one, other) != recorded {
			t.Errorf("%s: is the stream of another seed the same? want %v", s.name, recorded)
		}
		counts := map[string]int{}
		for _, key := range one {
			if counts[key]++; len(key) != len(streamKey(0)) {
				t.Fatalf("%s: the key %q has another length", s.name, key)
			}
		}
		if s.name != "like a CDN's" {
			continue
		}
		once := 0
		for key, n := range counts {
			if key[0] == '1' { // of once
				if once++; n != 1 {
					t.Errorf("%s: %s is wanted %d times", s.name, key, n)
				}
			}
		}
		if share := float64(once) / float64(n); share < .2 || share > .3 {
			t.Errorf("%s: %.2f of the requests are for keys that nobody wants again, want a quarter", s.name, share)
		}
	}
	if keys, err := glimpse(t.Context(), b, 0, 0); err != nil || len(keys) != 6015 || len(slices.Compact(slices.Sorted(slices.Values(keys)))) != 2529 {
		t.Errorf("%d requests (%v); Glimpse has 6015, of 2529 keys", len(keys), err)
	}
}

func TestHitratioReport(t *testing.T) {
	all := make([]ratios, len(streams))
	for i := range all {
		all[i] = ratios{requests: 7, fit: 2, ours: []float64{.5}, hasty: []float64{.25}, top: []float64{.75}, others: [][]float64{{.1}, {.2}, {.3}, {.4}}}
	}
	all[0].ours, all[0].top = []float64{.5, .6, .55}, []float64{.52, .63, .56}
	var r report
	r.hitRatios(all)
	if got, want := r.Goals[0].Got, (figure{2, 1, 3}); len(r.Goals) != 2 || markdown.Number(got.Median) != "2" || markdown.Number(got.Low) != "1" || markdown.Number(got.High) != "3" {
		t.Errorf("%d goals, the first is %v, want %v", len(r.Goals), got, want)
	}
	if want := []string{"zipf 1.01, 1 %", "7", "2", "50 %", "25 %", "75 %", "10 %", "20 %", "30 %", "40 %"}; !slices.Equal(r.Rows[1], want) || len(r.Head) != len(want) {
		t.Errorf("the row is %q, want %q", r.Rows[1], want)
	}
}
