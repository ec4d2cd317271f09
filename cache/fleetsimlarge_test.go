//go:build !race

// The race detector makes a simulation ten times as slow, and has found what there is in the smaller ones.

package cache_test

import (
	"testing"
	"time"

	"vitrine/e2e/fleet/forecast"
)

// TestThousandReplicas is TestFleetSimulation with as many as that.
func TestThousandReplicas(t *testing.T) { checkFleet(t, 1000) }

// TestFleetSaturates: how long messages take as Redis gets busy, and that they take longer and longer once there are too many.
func TestFleetSaturates(t *testing.T) {
	costs := constantsMeasured(t)
	for i, busy := range []float64{.2, .4, .6, .8} {
		w := forecast.SimulatedPurges(costs, busy)
		// Chance decides for longer the busier it is.
		r := simRun{Workload: w, seed: 1, warm: 200 * time.Millisecond, lasts: time.Duration(i+1) * time.Second}
		got, want := r.run(t, costs), costs.Predict(w)
		near(t, "busy", got.Busy.Seconds()/r.lasts.Seconds(), busy, .1)
		near(t, "seconds to coherence", got.Coherent.Seconds(), want.Coherent.Seconds(), .15)
		checkSimulated(t, got, func(s *forecast.Simulations) *[]forecast.Simulation { return &s.Saturated })
	}
	const over = 1.3
	w := forecast.SimulatedPurges(costs, over)
	r := simRun{Workload: w, seed: 1, lasts: 2 * time.Second}
	got := r.run(t, costs)
	if want := costs.Predict(w); want.Coherent != 0 {
		t.Errorf("predicted %s where no time is enough", want.Coherent)
	}
	// What is not done waits: after two seconds 0.3 × 2 s of work, and half of that in the middle.
	near(t, "seconds to coherence, falling behind", got.Coherent.Seconds(), (over-1)*r.lasts.Seconds()/2, .15)
}
