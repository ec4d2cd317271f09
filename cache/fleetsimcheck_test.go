package cache_test

import (
	"encoding/json"
	"flag"
	"math"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"vitrine/e2e/fleet/forecast"
)

// simulatedFile keeps what simulations brought, for docs/scaling.md. It changes with the constants, and where the cache
// asks Redis, or tells other replicas, otherwise than before.
const simulatedFile = "../e2e/fleet/forecast/simulated.json"

var updateSimulated = flag.Bool("update-simulated", false, "write "+simulatedFile+" anew")

func fleetRun(replicas int) simRun {
	w := forecast.SimulatedFleet(replicas)
	return simRun{Workload: w, seed: 1, warm: w.TTL * 3 / 2, lasts: 20 * time.Second}
}

// TestFleetSimulation holds a simulated fleet of real caches against the forecast. What comes of one seed is always the same, to
// the nanosecond. TestThousandReplicas has larger ones.
func TestFleetSimulation(t *testing.T) {
	for _, replicas := range []int{10, 100} {
		checkFleet(t, replicas)
	}
	again, other := fleetRun(10), fleetRun(10)
	other.seed = 2
	costs := constantsMeasured(t)
	if a, b := again.run(t, costs), other.run(t, costs); a == b {
		t.Errorf("another seed brings the same: %+v", a)
	}
}

func checkFleet(t *testing.T, replicas int) {
	t.Helper()
	costs, r := constantsMeasured(t), fleetRun(replicas)
	got := r.run(t, costs)
	want := costs.PredictFleet(got)
	for _, each := range []struct {
		what string
		got  int
		rate float64 // predicted
	}{
		{"requests", got.Requests, want.Requests}, {"loads", got.Loads, want.Loads}, {"GETs", got.Gets, want.Gets}, {"misses", got.Misses, want.Misses},
		{"refused leases", got.Refused, want.Refused}, {"messages", got.Messages, want.Counts.Messages}, {"deliveries", got.Delivered, want.Delivered},
	} {
		predicted := each.rate * r.lasts.Seconds()
		t.Logf("%4d replicas: %d %s, predicted %.1f", replicas, each.got, each.what, predicted)
		// 3 %, and what chance does: three times the square root of what is counted.
		if off := math.Abs(float64(each.got) - predicted); off > .03*predicted+3*math.Sqrt(predicted) {
			t.Errorf("%d replicas: %d %s, predicted %.1f", replicas, each.got, each.what, predicted)
		}
	}
	near(t, "busy", got.Busy.Seconds()/r.lasts.Seconds(), want.Redis, .15)
	near(t, "seconds to coherence", got.Coherent.Seconds(), want.Coherent.Seconds(), .1)
	// Of many ways through the network the slowest is half a mean longer than the mean, where that is what decides.
	if got.Last < want.Last*9/10 || got.Last > want.Last*11/10+r.Latency/2 {
		t.Errorf("%d replicas: the last had heard after %s, predicted %s", replicas, got.Last, want.Last)
	}
	checkSimulated(t, got, func(s *forecast.Simulations) *[]forecast.Simulation { return &s.Fleets })
}

// near wants got to be want, within that share of it.
func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	t.Logf("%s: %.4g, predicted %.4g", what, got, want)
	if math.Abs(got-want) > within*want {
		t.Errorf("%s: %.4g, predicted %.4g and %.0f %% at most off", what, got, want, within*100)
	}
}

func constantsMeasured(t *testing.T) forecast.Constants {
	t.Helper()
	costs, err := forecast.Measured()
	if err != nil {
		t.Fatal(err)
	}
	return costs
}

// checkSimulated wants got to be what was kept of it, or keeps it.
func checkSimulated(t *testing.T, got forecast.Simulation, in func(*forecast.Simulations) *[]forecast.Simulation) {
	t.Helper()
	b, err := os.ReadFile(simulatedFile)
	if err != nil {
		t.Fatal(err)
	}
	var kept forecast.Simulations
	if err := json.Unmarshal(b, &kept); err != nil {
		t.Fatal(err)
	}
	all := in(&kept)
	same := func(s forecast.Simulation) bool { return s.Replicas == got.Replicas && s.Lasts == got.Lasts }
	i := slices.IndexFunc(*all, same)
	if !*updateSimulated {
		if i < 0 || (*all)[i] != got {
			t.Errorf("simulated %+v, and %s has %+v: if that is right, make scaling writes it", got, simulatedFile, *all)
		}
		return
	}
	if i < 0 {
		*all = append(*all, got)
	} else {
		(*all)[i] = got
	}
	if b, err = json.MarshalIndent(kept, "", "  "); err == nil {
		err = os.WriteFile(simulatedFile, append(b, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestFleetSimulationCoherence: all replicas have a value, one purges it, and once the forecast says that the last has
// heard of that, none serves it any more; all ask at once, and one loads.
func TestFleetSimulationCoherence(t *testing.T) {
	costs, w := constantsMeasured(t), forecast.SimulatedFleet(100)
	predicted := costs.Predict(w)
	synctest.Test(t, func(t *testing.T) {
		f := startSimFleet(t, w, costs, 1)
		if got := f.askAll(0); len(got) != 1 || got[1] != w.Replicas {
			t.Fatalf("versions and how many replicas had them: %v, want the first everywhere", got)
		}
		began := time.Now()
		f.work.Go(func() { f.ask(7, 0, true) })
		time.Sleep(predicted.Last/2 - time.Since(began))
		early := 0
		for i := range w.Replicas {
			if f.caches[i].Fill().Entries > 0 {
				early++
			}
		}
		if early == 0 {
			t.Error("half of the time predicted is enough")
		}
		time.Sleep(predicted.Last + w.Latency*6/10 - time.Since(began))
		if got := f.askAll(0); len(got) != 1 || got[2] != w.Replicas {
			t.Errorf("versions and how many replicas had them: %v, want the second everywhere", got)
		}
		if n := f.redis.counts(); n.Loads != 2 || n.Misses > 2*w.Replicas {
			t.Errorf("%d loads, %d misses; want 2 and at most one of each replica each time", n.Loads, n.Misses)
		}
	})
}
