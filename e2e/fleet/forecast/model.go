// Package forecast says what a fleet of replicas over one Redis costs, from what single steps cost. docs/scaling.md
// has its formulae and figures; cache's TestFleetSimulation holds it against a thousand simulated replicas.
package forecast

import (
	"math"
	"time"
)

// Workload is what a fleet is asked for, and how it is set up.
type Workload struct {
	Replicas int
	Rate     float64       // requests a second and replica, evenly balanced
	Keys     int           // that are asked for, by Zipf's law
	Skew     float64       // its exponent
	Purges   float64       // of a key, a second, in the whole fleet: as popular as reads
	TTL      time.Duration // of a value
	NearTTL  time.Duration // after which a near copy is looked for in Redis again
	Load     time.Duration // what the origin takes
	Value    float64       // bytes of a value in Redis
	Latency  time.Duration // one way between a replica and Redis, the mean
}

// Counts are how often each thing happens in a second, in the whole fleet.
type Counts struct {
	Requests  float64
	Loads     float64
	Gets      float64 // looks into Redis: what the near tiers did not have, or have to ask about
	Misses    float64 // of these, found nothing
	Refused   float64 // asked for a lease that another held, and waited
	Purges    float64
	Messages  float64 // published: one a load, one a purge
	Delivered float64 // a message goes to every replica
	Needed    float64 // of these, told a replica something: it waited, or had a copy
	Copies    float64 // of a value in near tiers, weighted as they are asked for
}

// Count derives the counts of a fleet whose near tiers have room for all keys. Arrivals are Poisson.
//
// A value of a key that is asked for λ times a second, and purged w times, lives for τ = (1−e^(−w·TTL))/w, until its TTL
// or a purge; the next request then begins a load. So a key is loaded 1/(τ + Load + 1/λ) times a second, however many
// replicas there are. In each of these cycles a replica, which has a = λ/N of the requests, asks Redis at its first one
// and again at the first one NearTTL after each: see asks.
func (w Workload) Count() Counts {
	n, all := float64(w.Replicas), float64(w.Replicas)*w.Rate
	c := Counts{Requests: all, Purges: w.Purges}
	ttl, nearTTL := w.TTL.Seconds(), w.NearTTL.Seconds()
	asks := func(a, purges float64, held bool) float64 { return asks(a, purges, ttl, nearTTL, held) }
	wait := w.Load.Seconds() + 2*w.Latency.Seconds() // from a load's miss to its message, less one way
	for keys, share := range groups(w.Keys, w.Skew) {
		lambda, purges := all*share, w.Purges*share
		a := lambda / n
		life := ttl
		if purges > 0 {
			life = -math.Expm1(-purges*ttl) / purges
		}
		loads := 1 / (life + wait + 1/lambda)
		joins := -math.Expm1(-a * wait) // that another replica is asked while one loads
		waiters := (n - 1) * joins
		gets := loads * ((1+waiters)*(1+asks(a, purges, true)) + (n-1-waiters)*asks(a, purges, false))
		// Seen at any time: a replica has a copy if it was asked for since the value came.
		has := n * copies(a, purges, ttl, joins, n) * loads
		c.Loads += keys * loads
		c.Gets += keys * gets
		c.Misses += keys * loads * (1 + waiters)
		c.Refused += keys * loads * waiters
		c.Needed += keys * (loads*waiters + purges*has)
		c.Copies += keys * share * has
	}
	c.Messages = c.Loads + c.Purges
	c.Delivered = c.Messages * n
	return c
}

// asks is how often one replica asks Redis for a value of a given key, from its birth to its end: at its ttl, or by a
// purge. Requests come at rate a; from one that asks on, NearTTL passes before another may. So the (j+1)th comes an
// Erlang(j+1) time and j × nearTTL after the birth, and
//
//	Σ_j e^(−p·j·nearTTL) · (a/(a+p))^(j+1) · P(Erlang(j+1, a+p) ≤ ttl − j·nearTTL)
//
// are made before a purge, which comes at rate p. A replica that has held a copy from the birth on has the first behind it.
func asks(a, p, ttl, nearTTL float64, held bool) float64 {
	sum := 0.0
	for j := 0; float64(j)*nearTTL < ttl; j++ {
		stages := j + 1
		if held {
			if stages = j; j == 0 {
				continue
			}
		}
		after := float64(j) * nearTTL
		sum += math.Exp(-p*after) * math.Pow(a/(a+p), float64(stages)) * erlang(stages, (a+p)*(ttl-after))
	}
	return sum
}

// copies is for how many seconds one replica has a copy of a value, from its birth to its end.
func copies(a, p, ttl, joins, n float64) float64 {
	alive := func(rate float64) float64 { // ∫ e^(−rate·t), to the ttl
		if rate == 0 {
			return ttl
		}
		return -math.Expm1(-rate*ttl) / rate
	}
	held := joins + (1-joins)/n // from the birth on: it waited, or loaded
	return alive(p) - (1-held)*alive(a+p)
}

// erlang is the probability that k events of a Poisson process come before x were expected.
func erlang(k int, x float64) float64 {
	if x <= 0 {
		return 0
	}
	term, none := math.Exp(-x), 0.0
	for i := range k {
		none += term
		term *= x / float64(i+1)
	}
	return 1 - none
}

// groups yields keys of about one share, and that: of the first hundred each alone, then a hundredth of those before it at once.
func groups(keys int, skew float64) func(func(keys, share float64) bool) {
	// The sum of i^−skew, of which the integral is near enough beyond the first ranks.
	sum := func(from, to float64) float64 {
		if skew == 1 {
			return math.Log(to / from)
		}
		return (math.Pow(to, 1-skew) - math.Pow(from, 1-skew)) / (1 - skew)
	}
	each := func(yield func(n, weight float64) bool) {
		for i := 1; i <= keys; {
			n := min(max(i/100, 1), keys+1-i)
			weight := math.Pow(float64(i), -skew)
			if i > 100 {
				weight = sum(float64(i)-.5, float64(i+n)-.5) / float64(n)
			}
			if !yield(float64(n), weight) {
				return
			}
			i += n
		}
	}
	return func(yield func(float64, float64) bool) {
		total := 0.0
		for n, weight := range each {
			total += n * weight
		}
		for n, weight := range each {
			if !yield(n, weight/total) {
				return
			}
		}
	}
}

// Zipf yields the shares of keys in requests.
func Zipf(keys int, skew float64) func(func(float64) bool) {
	return func(yield func(float64) bool) {
		sum := 0.0
		for i := range keys {
			sum += math.Pow(float64(i+1), -skew)
		}
		for i := range keys {
			if !yield(math.Pow(float64(i+1), -skew) / sum) {
				return
			}
		}
	}
}
