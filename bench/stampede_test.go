package main

import (
	"slices"
	"testing"
	"time"
)

func TestStampedeSuite(t *testing.T) {
	r := try(t, suite{"stampede", stampedeSuite}, "redis-server")
	checkGoals(t, r, "1 load", "0.1 Redis commands a request", "the origin's time")
	for i, want := range []float64{1, .1} {
		if g := r.Goals[i]; g.Got.High > want {
			t.Errorf("%v %s, want %v at most", g.Got.High, g.Unit, want)
		}
	}
	for i := 0; i < len(r.Rows); i += len(stampeders) {
		if got := r.Rows[i][2]; got != "1" {
			t.Errorf("%s, the origin takes %s: %s loads, want 1", r.Rows[i][0], r.Rows[i][1], got)
		}
	}
}

// TestRush: loads and CPU are summed over processes, and how long requests took is told over all of them.
func TestRush(t *testing.T) {
	use := func(cpu time.Duration, loads float64, took ...time.Duration) used {
		return used{CPU: cpu, Took: took, Figures: map[string]float64{"origin": loads}}
	}
	var s rush
	s.add([]used{use(1, 5), use(2, 7)}, []used{use(5, 6, 300, 100), use(10, 9, 200, 400)}, 100)
	if want := (rush{loads: 3, cpu: 3, p50: 3, p99: 4}); s != want {
		t.Errorf("%+v, want %+v", s, want)
	}
}

func TestStampedeReport(t *testing.T) {
	var r report
	all := [][]rush{{{1, .1, 1, 1.2, 9}, {3, .2, 1, 1.4, 9}, {2, .3, 1, 1.3, 7}}, {{loads: 5}}, {{loads: 6}}}
	r.stampedes(time.Second, all)
	r.stampedes(time.Millisecond, [][]rush{all[1], all[2], all[0]})
	for i, want := range []figure{{2, 1, 3}, {.2, .1, .3}, {1.3, 1.2, 1.4}} {
		if got := r.Goals[i].Got; got != want || len(r.Goals) != 3 {
			t.Errorf("%s is %v of %d, want %v of 3", r.Goals[i].Against, got, len(r.Goals), want)
		}
	}
	if want := []string{"`Fetch`", "1 s", "2 (1 to 3)", "0.2 (0.1 to 0.3)", "× 1", "× 1.3 (1.2 to 1.4)", "9 ns"}; !slices.Equal(r.Rows[0], want) {
		t.Errorf("the row is %q, want %q", r.Rows[0], want)
	}
}
