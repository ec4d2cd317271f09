package forecast_test

import (
	"math"
	"testing"
	"time"

	"vitrine/e2e/fleet/forecast"
)

func wants(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within*math.Abs(want)+1e-12) {
		t.Errorf("%s: %g, want %g", what, got, want)
	}
}

// One key has all requests, so that the counts can be said without the formulae.
func TestCountOfOneKey(t *testing.T) {
	hot := forecast.Workload{Replicas: 10, Rate: 1e6, Keys: 1, TTL: time.Minute, NearTTL: 20 * time.Second, Load: time.Second}
	cold := hot
	cold.Rate = 1e-6
	purged := hot
	purged.Purges, purged.TTL = 10, time.Hour
	for _, test := range []struct {
		desc                                   string
		w                                      forecast.Workload
		cycle, loads, gets, refused, delivered float64 // of each cycle, which takes so many seconds
	}{
		// All wait for the load, and look again after 20 s and after 40.
		{"hot", hot, 61, 1, 30, 9, 10},
		// Nobody asks twice while there is a value; a minute is nothing.
		{"cold", cold, 1e5, 1, 1, 0, 10},
		// Each purge ends a value, which lives for a tenth of a second; then it is loaded for one.
		{"purged", purged, 1.1, 1, 10, 9, 10 + 10*11},
	} {
		n := test.w.Count()
		wants(t, test.desc+": loads", n.Loads*test.cycle, test.loads, .001)
		wants(t, test.desc+": lookups", n.Gets*test.cycle, test.gets, .001)
		if test.desc != "cold" {
			wants(t, test.desc+": refused", n.Refused*test.cycle, test.refused, .001)
		}
		wants(t, test.desc+": delivered", n.Delivered*test.cycle, test.delivered, .001)
		if n.Copies > float64(test.w.Replicas) || n.Needed > n.Delivered || n.Misses > n.Gets {
			t.Errorf("%s: %+v contradicts itself", test.desc, n)
		}
	}
}

// What Redis' time is made of can be said for messages of one kind: M/D/1.
func TestPredictWait(t *testing.T) {
	c := forecast.Constants{Invalidate: 100, Delivery: 10}
	w := forecast.Workload{Replicas: 40, Rate: 1e-9, Keys: 1, Purges: 1000, TTL: time.Hour, NearTTL: time.Hour, Latency: time.Millisecond}
	p := c.Predict(w) // half a millisecond each
	wants(t, "busy", p.Redis, .5, .001)
	wants(t, "wait", p.Wait.Seconds(), .5*.0005/(2*.5), .001)
	wants(t, "last", p.Last.Seconds(), .002+.00025+.0005, .001)
	wants(t, "mean", p.Coherent.Seconds(), .002+.00025+.0001+.000205, .001)
	w.Purges = 2001
	if p := c.Predict(w); p.Redis <= 1 || p.Last != 0 {
		t.Errorf("%+v: a Redis that falls behind has no time to say", p)
	}
}

func TestGathered(t *testing.T) {
	c := forecast.Constants{Delivery: 5, DeliveryBusy: .5}
	wants(t, "alone", c.Gathered(1), 5, 1e-9)
	wants(t, "as many as were measured", c.Gathered(16), .5, 1e-9)
	wants(t, "any number", c.Gathered(math.Inf(1)), .2, 1e-9)
}

func TestLimit(t *testing.T) {
	for _, test := range []struct{ from, want int }{{1, 0}, {2, 1}, {77, 76}, {1000, 999}, {1001, 1000}} {
		got := forecast.Limit(forecast.Workload{}, 1000, func(w forecast.Workload) bool { return w.Replicas >= test.from })
		if got != test.want {
			t.Errorf("bad from %d on: the limit is %d, want %d", test.from, got, test.want)
		}
	}
}

// What was measured is there and makes sense: no step is free, and what finds something costs more than what does not.
func TestMeasured(t *testing.T) {
	c, err := forecast.Measured()
	if err != nil {
		t.Fatal(err)
	}
	if !(c.Miss > 0 && c.Acquire > c.Ping && c.Delivery > c.DeliveryBusy && c.DeliveryBusy > 0 && c.FarHit > c.NearHit && c.Origin > c.FarHit && c.Connections(1, 2) > 10) {
		t.Errorf("%+v", c)
	}
}

// Keys are taken together where there are many, which must not show.
func TestCountOfManyKeys(t *testing.T) {
	for _, skew := range []float64{.7, 1, 1.2} {
		w := forecast.Workload{Replicas: 3, Rate: 100, Keys: 50_000, Skew: skew, TTL: time.Minute, NearTTL: time.Minute}
		loads := 0.0
		for share := range forecast.Zipf(w.Keys, skew) {
			loads += 1 / (60 + 1/(300*share))
		}
		wants(t, "loads", w.Count().Loads, loads, 1e-4)
	}
}
