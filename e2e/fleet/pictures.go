package main

import (
	"fmt"
	"math"
	"time"

	"vitrine/e2e/fleet/forecast"
	"vitrine/e2e/markdown"
)

// pictures are those of docs/scaling.md, by the names of their files.
func pictures(c forecast.Constants, s forecast.Simulations) map[string]string {
	return map[string]string{
		"scaling-fleet.svg": growth(s).svg(), "scaling-coherence.svg": coherence(c, s).svg(), "scaling-redis.svg": redisShare(c).svg(),
	}
}

// fleets are sizes from 1 to 1,000 that are about evenly far apart on a logarithmic axis.
func fleets() (all []int) {
	const steps = 60
	for i := range steps + 1 {
		if n := int(math.Round(math.Pow(1000, float64(i)/steps))); len(all) == 0 || n > all[len(all)-1] {
			all = append(all, n)
		}
	}
	return all
}

var replicasAxis = axis{label: "replicas", from: 1, to: 1000, log: true}

// growth shows how often things happen as the simulated fleet grows.
func growth(s forecast.Simulations) chart {
	picture := chart{
		title: "What happens in a fleet: predicted (lines), simulated (circles)", x: replicasAxis,
		y: axis{label: "a second, in the whole fleet", from: .1, to: 100_000, log: true},
	}
	for _, each := range []struct {
		name      string
		below     bool
		predicted func(forecast.Counts) float64
		simulated func(forecast.Simulation) int
	}{
		{"messages delivered", false, func(n forecast.Counts) float64 { return n.Delivered }, func(s forecast.Simulation) int { return s.Delivered }},
		{"lookups in Redis", true, func(n forecast.Counts) float64 { return n.Gets }, func(s forecast.Simulation) int { return s.Gets }},
		{"leases refused", false, func(n forecast.Counts) float64 { return n.Refused }, func(s forecast.Simulation) int { return s.Refused }},
		{"loads", true, func(n forecast.Counts) float64 { return n.Loads }, func(s forecast.Simulation) int { return s.Loads }},
		{"requests", false, func(n forecast.Counts) float64 { return n.Requests }, func(s forecast.Simulation) int { return s.Requests }},
	} {
		one := series{name: each.name, below: each.below}
		for _, n := range fleets() {
			one.line = append(one.line, [2]float64{float64(n), each.predicted(forecast.SimulatedFleet(n).Count())})
		}
		for _, run := range s.Fleets {
			one.points = append(one.points, [2]float64{float64(run.Replicas), float64(each.simulated(run)) / run.Lasts.Seconds()})
		}
		picture.each = append(picture.each, one)
	}
	return picture
}

// coherence shows how long a purge takes to reach half of a hundred replicas, and all of them.
func coherence(c forecast.Constants, s forecast.Simulations) chart {
	percent := func(v float64) string { return fmt.Sprintf("%.0f %%", v*100) }
	picture := chart{
		title: "Purges as Redis gets busy: predicted (lines), simulated (circles)",
		x:     axis{label: "Redis' main thread is busy", from: 0, to: 1, step: .2, mark: percent},
		y:     axis{label: "ms until a hundred replicas have heard", from: .1, to: 100, log: true},
	}
	last, mean := series{name: "the last"}, series{name: "the mean", below: true}
	for busy := .02; busy < .99; busy += .01 {
		p := c.Predict(forecast.SimulatedPurges(c, busy))
		last.line = append(last.line, [2]float64{busy, milliseconds(p.Last)})
		mean.line = append(mean.line, [2]float64{busy, milliseconds(p.Coherent)})
	}
	for _, run := range s.Saturated {
		busy := run.Busy.Seconds() / run.Lasts.Seconds()
		last.points = append(last.points, [2]float64{busy, milliseconds(run.Last)})
		mean.points = append(mean.points, [2]float64{busy, milliseconds(run.Coherent)})
	}
	picture.each = []series{last, mean}
	return picture
}

// redisShare shows what takes Redis' time as the fleet of the example grows.
func redisShare(c forecast.Constants) chart {
	picture := chart{
		title: "Redis' main thread, as the fleet of the example grows (predicted)", x: replicasAxis,
		y: axis{label: "share of its time", from: .0001, to: 10, log: true, mark: func(v float64) string { return markdown.Number(v*100) + " %" }},
	}
	for _, each := range []struct {
		name   string
		below  bool
		dashed bool
		share  func(forecast.Prediction) float64
	}{
		{"all", false, false, func(p forecast.Prediction) float64 { return p.Redis }},
		{"messages", true, false, func(p forecast.Prediction) float64 { return p.Telling }},
		{"lookups and loads", true, false, func(p forecast.Prediction) float64 { return p.Redis - p.Telling - p.Idle }},
		{"messages gathered", true, true, func(p forecast.Prediction) float64 { return p.Telling * c.Gathered(math.Inf(1)) / c.Delivery }},
		{"pings, accounts", false, false, func(p forecast.Prediction) float64 { return p.Idle }},
	} {
		one := series{name: each.name, dashed: each.dashed, below: each.below}
		for _, n := range fleets() {
			one.line = append(one.line, [2]float64{float64(n), each.share(c.Predict(forecast.Example(n)))})
		}
		picture.each = append(picture.each, one)
	}
	return picture
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
