package main

import (
	"math"
	"net/http"
	"testing"
	"time"
)

func TestCollectorSuite(t *testing.T) {
	r := try(t, suite{"collector", collectorSuite})
	checkGoals(t, r, "3 allocations")
	if g := r.Goals[0]; g.Got.Median > 3*g.Bound {
		t.Errorf("it leaves %v allocations, as if it were no hit", g.Got)
	}
}

// TestCollected tells what happened since it was last asked.
func TestCollected(t *testing.T) {
	p, err := collectorContenders[0].start(entriesVariable+"=1", "GOGC=off") // nothing is collected but what is asked for
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := p.order(0, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := http.Post("http://"+p.addr+"/collect", "", nil); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; {
		u, err := p.order(0, 0)
		if err != nil {
			t.Fatal(err)
		}
		f := u.Figures
		if f["cycles"] > 0 {
			if f["cycles"] > 1 || f["busy"] <= 0 || f["live"] <= 0 || f["pause"] <= 0 {
				t.Errorf("a collection is told as %v", f)
			}
			if u, err = p.order(0, 0); err != nil || u.Figures["cycles"] != 0 {
				t.Errorf("it is told twice, now as %v (%v)", u.Figures, err)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatal("nothing is collected")
		}
	}
}

func TestQuantile(t *testing.T) {
	bounds := []float64{0, 1, 2, 4, math.Inf(1)}
	for _, test := range []struct {
		desc   string
		q      float64
		counts []uint64
		want   float64
	}{
		{"nothing", .99, []uint64{0, 0, 0, 0}, 0},
		{"half lie below", .5, []uint64{1, 1, 0, 0}, 1},
		{"past half", .51, []uint64{1, 1, 0, 0}, 2},
		{"an empty bucket has none", .5, []uint64{0, 0, 1, 0}, 4},
		{"without a bound", .99, []uint64{1, 0, 0, 99}, 4},
	} {
		if got := quantile(test.q, test.counts, bounds); got != test.want {
			t.Errorf("%s: %v, want %v", test.desc, got, test.want)
		}
	}
}

// TestTierRow: medians of rounds, the highest of the slowest, and shares of all.
func TestTierRow(t *testing.T) {
	tier := tier{name: "a", rounds: []tierRound{
		{cost: cost{cpu: 1e3, p99: 4e3}, p50: 2e3, p999: 5e3, slowest: 9e6, cycles: 1, pause: 10, collecting: 1, busy: 4, live: 1 << 20},
		{cost: cost{cpu: 3e3, p99: 6e3}, p50: 4e3, p999: 7e3, slowest: 1e6, cycles: 2, pause: 30, collecting: 1, busy: 4, live: 3 << 20},
		{cost: cost{cpu: 2e3, p99: 5e3}, p50: 3e3, p999: 6e3, slowest: 2e6, cycles: 0, pause: 20, live: 2 << 20},
	}}
	want := []string{"a", "2 µs", "3 µs", "5 µs", "6 µs", "9 ms", "3", "25 %", "20 ns", "2 MiB"}
	got := tier.row()
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("column %d is %s, want %s", i, got[i], want[i])
		}
	}
	tier.rounds = tier.rounds[2:]
	if got := tier.row()[7]; got != "–" {
		t.Errorf("without a collection its share is %s", got)
	}
}
