package main

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"vitrine/e2e/component"
	"vitrine/e2e/redisserver"
)

// TestDocumentIsCurrent holds docs/scaling.md and its pictures against what was measured and simulated.
func TestDocumentIsCurrent(t *testing.T) {
	if err := current("../.."); err != nil {
		t.Error(err)
	}
}

// TestFleet measures a fleet of two, with a real Redis.
func TestFleet(t *testing.T) {
	component.Command(t, "redis-server")
	component.Command(t, "go")
	binary, err := build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	server, err := redisserver.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	}()
	all := traffic{requests: 2000, keys: 200, skew: 1, purgeEvery: 100}
	var r row
	for range 5 {
		if r, err = measureSize(t.Context(), binary, server, all, 2); !errors.Is(err, errBusy) {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", r)
	// A purge that meets requests for its key may come before or after them: there are twenty. Without a lease there would
	// be nearly twice as many loads.
	if math.Abs(r.Loads-r.IdealLoads) > 10 {
		t.Errorf("%.0f loads, want %.0f: one of each version of a key", r.Loads, r.IdealLoads)
	}
	if r.Published != 1 || r.Heard != 1 {
		t.Errorf("%g messages for each write, each heard by %g others; want one, by one", r.Published, r.Heard)
	}
	if r.FarHits == 0 || r.FarHits > r.IdealFar || r.NearHits < .5 {
		t.Errorf("%+v: one of two replicas has about half of its keys from the other, the rest near", r)
	}
	if r.Service <= 0 || r.Redis <= 0 || r.Lag <= 0 || r.Clients < 4 {
		t.Errorf("%+v: nothing is measured", r)
	}
}

func TestSteps(t *testing.T) {
	all := traffic{requests: 1000, keys: 50, skew: 1, purgeEvery: 100}
	alone := all.steps(1)
	for _, replicas := range []int{1, 4} {
		steps := all.steps(replicas)
		asked, purges := make([]int, replicas), 0
		for i, s := range steps {
			if s.key != alone[i].key || s.purge != alone[i].purge {
				t.Fatalf("step %d of %d replicas is %+v, and of one %+v", i, replicas, s, alone[i])
			}
			if s.purge {
				purges++
			} else {
				asked[s.replica]++
			}
		}
		for _, n := range asked {
			if n != 1000/replicas {
				t.Errorf("%d replicas are asked %v times", replicas, asked)
			}
		}
		if purges != 10 {
			t.Errorf("%d purges, want 10", purges)
		}
	}
}

func TestIdeal(t *testing.T) {
	ask := func(replica int) step { return step{replica: replica, key: "k"} }
	purge := step{key: "k", purge: true}
	for _, test := range []struct {
		desc       string
		steps      []step
		loads, far int
	}{
		{"nothing", nil, 0, 0},
		{"one replica twice", []step{ask(0), ask(0)}, 1, 0},
		{"another finds it in Redis, once", []step{ask(0), ask(1), ask(1)}, 1, 1},
		{"a purge ends it everywhere", []step{ask(0), ask(1), purge, ask(1), ask(0), ask(0)}, 2, 2},
		{"a purge of what is not there", []step{purge, ask(0)}, 1, 0},
		{"keys are each for themselves", []step{ask(0), {replica: 0, key: "other"}, ask(0)}, 2, 0},
	} {
		if loads, far := ideal(test.steps); loads != test.loads || far != test.far {
			t.Errorf("%s: %d loads, %d answers from Redis; want %d and %d", test.desc, loads, far, test.loads, test.far)
		}
	}
}

func TestMetrics(t *testing.T) {
	m, err := parseMetrics(strings.NewReader("# HELP a b\na{x=\"1\",y=\"2\"} 3\na{x=\"1\",y=\"4\"} 5e0\nab 7\n"))
	if err != nil {
		t.Fatal(err)
	}
	got := []float64{m.sum("a"), m.sum("a", `x="1"`, `y="4"`), m.sum("a", `x="3"`), m.sum("ab")}
	if want := []float64{8, 5, 0, 7}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestMedianOf(t *testing.T) {
	m := medianOf([]row{{Replicas: 2, Service: 3, Lag: 9}, {Replicas: 2, Service: 1, Lag: 1}, {Replicas: 2, Service: 2, Lag: 5}})
	if want := (row{Replicas: 2, Service: 2, Lag: 5}); m != want {
		t.Errorf("%+v, want %+v", m, want)
	}
}

func TestChart(t *testing.T) {
	c := chart{title: "<t>", x: axis{from: 1, to: 100, log: true}, y: axis{from: 0, to: 10, step: 5}, each: []series{{
		name: "s", line: [][2]float64{{1, 0}, {10, 5}, {100, 20}}, points: [][2]float64{{10, 5}},
	}}}
	svg := c.svg()
	middle := fmt.Sprintf("%.1f %.1f", float64(left+(width-left-right)/2), float64(top+(height-top-bottom)/2))
	for _, want := range []string{"&lt;t&gt;", fmt.Sprintf(`d="M%.1f %.1fL%s"`, float64(left), float64(height-bottom), middle), "<circle"} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %q: what is beyond an axis is left out\n%s", want, svg)
		}
	}
}
