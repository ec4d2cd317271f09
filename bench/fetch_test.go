package main

import (
	"math"
	"slices"
	"testing"
)

func TestFetchSuite(t *testing.T) {
	r := try(t, suite{"fetch", fetchSuite}, "redis-server")
	r.Goals = slices.DeleteFunc(r.Goals, func(g goal) bool { return g.Bound == 0 }) // it may be reached
	checkGoals(t, r, "otter bare", "otter `Get` with a loader", "theine, loading", "sturdyc `GetOrFetch`", "ttlcache `GetOrSetFunc`", "groupcache",
		"go-redis/cache `Once`")
}

// TestLibrariesHit: what is compared are hits.
func TestLibrariesHit(t *testing.T) {
	redis := startRedis(t)
	for _, c := range fetchContenders {
		t.Run(c.name, func(t *testing.T) {
			w, err := startWorkers([]contender{c}, 3, 3000, redisVariable+"="+redis.Addr)
			defer func() {
				if err := w.stop(); err != nil {
					t.Error(err)
				}
			}()
			if err != nil {
				t.Fatal(err)
			}
			u, err := w[0].order(1, 3000)
			if err != nil {
				t.Fatal(err)
			}
			if loads := u.Figures["origin"]; loads != pricesKept {
				t.Errorf("%v prices were loaded, want each once", loads)
			}
		})
	}
}

// TestFetchReport: goals are against those that load, and ratios round by round.
func TestFetchReport(t *testing.T) {
	of := func(ns ...float64) (c costs) {
		for _, n := range ns {
			c = append(c, cost{cpu: n, wall: n, allocs: n / 1e5})
		}
		return c
	}
	var r report
	r.fetch([]library{{name: "`Fetch`", loads: true}, {name: "otter, bare"}, {name: "bare"}, {name: "loading", loads: true}},
		[]costs{of(300, 200, 400), of(100, 200, 100), of(1, 1, 1), of(600, 800, 400)}, []costs{of(8), of(4), of(4), of(2)}, 4)
	want := []goal{
		{Work: "`Fetch` near hit", Against: "otter bare", Bound: 1.5, Unit: "× CPU", Got: figure{3, 1, 4}},
		{Work: "`Fetch` near hit", Against: "0 allocations", Unit: "allocations"},
		{Work: "`Fetch` near hit", Against: "loading", Bound: 1, Unit: "× CPU", Got: figure{.5, .25, 1}},
	}
	if !slices.Equal(r.Goals, want) {
		t.Errorf("goals are %+v, want %+v", r.Goals, want)
	}
	row := []string{"`Fetch`", "", "300 ns", "× 3 (1 to 4)", "0", "300 ns", "8 ns", "× 2", "8 ns"}
	if !slices.Equal(r.Rows[0], row) || len(r.Head) != len(row) {
		t.Errorf("the row is %q under %q, want %q", r.Rows[0], r.Head, row)
	}
}

// TestZipf: the second is asked for less than the first by the skew.
func TestZipf(t *testing.T) {
	for _, skew := range []float64{.7, 1.01, 1.5} {
		z, counts := newZipf(seeded(1), skew, 1000), make([]float64, 1000)
		for range 1_000_000 {
			counts[z.next()]++
		}
		for _, k := range []int{2, 10} {
			got, want := counts[0]/counts[k-1], math.Pow(float64(k), skew)
			if math.Abs(got/want-1) > .05 {
				t.Errorf("skew %v: the first is asked for %.2f times as often as number %d, want %.2f", skew, got, k, want)
			}
		}
	}
}
