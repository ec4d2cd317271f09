package forecast

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"time"
)

// Simulation is what came of a simulated fleet: of real caches, in virtual time, over a Redis that costs what the
// constants say. cache's tests run it, hold it against Predict, and want it to be the same each time.
type Simulation struct {
	Replicas int           `json:"replicas"`
	Lasts    time.Duration `json:"lasts_ns"`

	Requests  int `json:"requests"`
	Loads     int `json:"loads"`
	Gets      int `json:"gets"`
	Misses    int `json:"misses"`
	Refused   int `json:"refused"`
	Purges    int `json:"purges"`
	Messages  int `json:"messages"`
	Delivered int `json:"delivered"`
	Commands  int `json:"commands"` // of all kinds, idle replicas' included

	Busy     time.Duration `json:"busy_ns"`     // of the server
	Wait     time.Duration `json:"wait_ns"`     // of a command for its turn, the mean
	Coherent time.Duration `json:"coherent_ns"` // from a purge until a replica had heard of it, the mean
	Last     time.Duration `json:"last_ns"`     // until all had, the mean
}

// Simulations are those that the tests keep.
type Simulations struct {
	Fleets    []Simulation `json:"fleets"`    // of SimulatedFleet
	Saturated []Simulation `json:"saturated"` // of SimulatedPurges
}

// SimulatedFleet is what is simulated to see how counts grow with a fleet: a small catalogue, of which each replica is
// asked for a little.
func SimulatedFleet(replicas int) Workload {
	return Workload{
		Replicas: replicas, Rate: 5, Keys: 200, Skew: 1, Purges: 2,
		TTL: 12 * time.Second, NearTTL: 4 * time.Second, Load: 50 * time.Millisecond, Value: 1024, Latency: 250 * time.Microsecond,
	}
}

// PredictFleet is what the simulation of a SimulatedFleet should have brought. There are as many purges as chance had: too few to be those
// of the mean. A cache compares its account; the pings are the service's, and of connections that are not simulated.
func (c Constants) PredictFleet(s Simulation) Prediction {
	w := SimulatedFleet(s.Replicas)
	w.Purges = float64(s.Purges) / s.Lasts.Seconds()
	c.IdlePings, c.IdleAccounts = 0, 1/w.NearTTL.Seconds()
	return c.Predict(w)
}

// SimulatedPurges is what is simulated to see how long messages take as Redis gets busy: a hundred replicas, and so many
// purges that these keep it busy for this share of the time.
func SimulatedPurges(c Constants, busy float64) Workload {
	const replicas = 100
	return Workload{
		Replicas: replicas, Rate: .01, Keys: 1, Purges: busy / (micro * (c.Invalidate + replicas*c.Delivery)),
		TTL: time.Minute, NearTTL: time.Minute, Load: time.Millisecond, Value: 1024, Latency: 250 * time.Microsecond,
	}
}

//go:embed simulated.json
var simulated []byte

// Simulated is what is in simulated.json.
func Simulated() (s Simulations, err error) {
	if err := json.Unmarshal(simulated, &s); err != nil {
		return s, fmt.Errorf("simulated.json: %w", err)
	}
	return s, nil
}
