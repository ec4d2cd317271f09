package main

import (
	"fmt"
	"math"
	"strconv"

	"vitrine/e2e/fleet/forecast"
	"vitrine/e2e/markdown"
)

func measuredTable(c forecast.Constants, rows []row) string {
	head := []string{"replicas"}
	for _, r := range rows {
		head = append(head, strconv.Itoa(r.Replicas))
	}
	var lines [][]string
	for _, each := range []struct {
		name  string
		of    func(row) float64
		ratio bool // to the first
		show  func(float64) string
	}{
		{"replicas' CPU a request, µs", func(r row) float64 { return r.Service }, true, markdown.Number},
		{"of that, by the steps below", func(r row) float64 {
			loads := r.Loads / float64(r.Requests)
			heard := r.Heard * (loads + float64(r.Purges)/float64(r.Requests))
			return (1-r.FarHits-loads)*c.NearHit + r.FarHits*c.FarHit + loads*c.Origin + heard*c.Hearing
		}, true, markdown.Number},
		{"Redis' CPU a request, µs", func(r row) float64 { return r.Redis }, true, markdown.Number},
		{"commands to Redis a request", func(r row) float64 { return r.Commands }, true, markdown.Number},
		{"answers from the near tier", func(r row) float64 { return r.NearHits }, false, percent},
		{"answers from Redis", func(r row) float64 { return r.FarHits }, false, percent},
		{"answers that waited for another's load", func(r row) float64 { return r.Coalesced }, false, percent},
		{"loads", func(r row) float64 { return r.Loads }, false, markdown.Number},
		{"loads for each version of a key", func(r row) float64 { return r.Loads / r.IdealLoads }, false, markdown.Number},
		{"messages for each value kept, or purge", func(r row) float64 { return r.Published }, false, markdown.Number},
		{"other replicas that heard each", func(r row) float64 { return r.Heard }, false, markdown.Number},
		{"leases that were refused, a load", func(r row) float64 { return r.Refused }, false, markdown.Number},
		{"until a message was heard, ms", func(r row) float64 { return r.Lag }, false, markdown.Number},
		{"connections to Redis", func(r row) float64 { return r.Clients }, false, markdown.Number},
	} {
		cells := []string{each.name}
		for _, r := range rows {
			text := each.show(each.of(r))
			if each.ratio {
				text += fmt.Sprintf(" (× %.2f)", each.of(r)/each.of(rows[0]))
			}
			cells = append(cells, text)
		}
		lines = append(lines, cells)
	}
	return fmt.Sprintf("%s requests of %s keys and %d purges, at each size; medians of rounds.\n\n", markdown.Number(float64(rows[0].Requests)), markdown.Number(keys), rows[0].Purges) + markdown.Table(head, lines)
}

func constantsTable(c forecast.Constants) string {
	us := func(v float64) string { return markdown.Number(v) + " µs" }
	redis := markdown.Table([]string{"Redis' main thread", "CPU"}, [][]string{
		{"`GET` of 1 KiB; each further KiB", us(c.Get) + "; " + us(c.GetPerKiB)},
		{"`GET` of nothing", us(c.Miss)},
		{"acquire: granted, refused, there is a value", us(c.Acquire) + ", " + us(c.Refused) + ", " + us(c.AcquireValue)},
		{"fill, without its deliveries", us(c.Fill)},
		{"purge of a key, of a tag, without deliveries", us(c.Invalidate) + ", " + us(c.Void)},
		{"a message to one subscriber, alone", us(c.Delivery)},
		{"the same, with fifteen others at once; with any number, were it so", us(c.DeliveryBusy) + "; " + us(c.Gathered(math.Inf(1)))},
		{"ping; comparison of an account", us(c.Ping) + "; " + us(c.Account)},
	})
	return redis + "\n" + markdown.Table([]string{"a replica", ""}, [][]string{
		{"near hit, far hit, miss with its load", us(c.NearHit) + ", " + us(c.FarHit) + ", " + us(c.Origin)},
		{"another's message", us(c.Hearing)},
		{"idle: pings, comparisons a second", markdown.Number(c.IdlePings) + ", " + markdown.Number(c.IdleAccounts)},
		{"connections to Redis at most", fmt.Sprintf("%s a processor + %s", markdown.Number(c.Pool), markdown.Number(c.Others))},
	}) + fmt.Sprintf("\nRedis %s, %s; a message is %s bytes on the wire, a connection takes %s KiB of Redis' memory.\n",
		c.Redis, c.Go, markdown.Number(c.DeliveryBytes), markdown.Number(c.Connection/1024))
}

// stages are the sizes of the forecast.
var stages = []int{10, 100, 1000}

func forecastTable(c forecast.Constants) string {
	head := []string{"replicas"}
	var all []forecast.Prediction
	for _, n := range stages {
		head = append(head, markdown.Number(float64(n)))
		all = append(all, c.Predict(forecast.Example(n)))
	}
	rate := func(v float64) string { return markdown.Number(v) }
	milli := func(v float64) string {
		if v == 0 {
			return "falls behind"
		}
		return markdown.Number(v*1e3) + " ms"
	}
	var lines [][]string
	for _, each := range []struct {
		name string
		of   func(forecast.Prediction) float64
		show func(float64) string
	}{
		{"requests a second", func(p forecast.Prediction) float64 { return p.Requests }, rate},
		{"loads a second", func(p forecast.Prediction) float64 { return p.Loads }, rate},
		{"lookups in Redis a second", func(p forecast.Prediction) float64 { return p.Gets }, rate},
		{"lookups a request", func(p forecast.Prediction) float64 { return p.Gets / p.Requests }, percent},
		{"leases refused, a load", func(p forecast.Prediction) float64 { return p.Refused / p.Loads }, rate},
		{"commands a second", func(p forecast.Prediction) float64 { return p.Commands }, rate},
		{"messages a second", func(p forecast.Prediction) float64 { return p.Counts.Messages }, rate},
		{"deliveries a second", func(p forecast.Prediction) float64 { return p.Delivered }, rate},
		{"of these, told the replica nothing", func(p forecast.Prediction) float64 { return p.Redundant }, percent},
		{"Redis' main thread is busy", func(p forecast.Prediction) float64 { return p.Redis }, percent},
		{"of that, with deliveries", func(p forecast.Prediction) float64 { return p.Telling }, percent},
		{"with deliveries gathered, busy", func(p forecast.Prediction) float64 { return gathered(c, p) }, percent},
		{"until the last replica has heard of a purge", func(p forecast.Prediction) float64 { return p.Last.Seconds() }, milli},
		{"Redis sends, MB/s", func(p forecast.Prediction) float64 { return p.Sent / 1e6 }, rate},
		{"copies of a value in near tiers, weighted by requests", func(p forecast.Prediction) float64 { return p.Copies }, rate},
		{"a replica's processor for messages", func(p forecast.Prediction) float64 { return p.Hearing }, percent},
	} {
		cells := []string{each.name}
		for _, p := range all {
			cells = append(cells, each.show(each.of(p)))
		}
		lines = append(lines, cells)
	}
	connections, memory := []string{"connections to Redis, at most"}, []string{"Redis' memory for them, MiB"}
	for _, n := range stages {
		most := c.Connections(n, processors)
		connections, memory = append(connections, markdown.Number(most)), append(memory, markdown.Number(most*c.Connection/(1<<20)))
	}
	return markdown.Table(head, append(lines, connections, memory))
}

// gathered is Redis' share where it has fallen behind, so that messages leave together.
func gathered(c forecast.Constants, p forecast.Prediction) float64 {
	return p.Redis - p.Telling*(1-c.Gathered(math.Inf(1))/c.Delivery)
}

func limitsTable(c forecast.Constants) string {
	const most, full = 100_000, .7
	var lines [][]string
	for _, each := range []struct {
		name, formula string
		bad           func(n int, p forecast.Prediction) bool
	}{
		{"Redis' main thread at 70 %, each message alone", "Σ rate × cost", func(_ int, p forecast.Prediction) bool { return p.Redis > full }},
		{"the same, messages gathered", "likewise", func(_ int, p forecast.Prediction) bool { return gathered(c, p) > full }},
		{"its deliveries alone at 70 %", "messages/s × N × delivery", func(_ int, p forecast.Prediction) bool { return p.Telling > full }},
		{"its lookups and loads alone at 70 %", "lookups/s × `GET` + …", func(_ int, p forecast.Prediction) bool { return p.Redis-p.Telling-p.Idle > full }},
		{"10,000 connections, Redis' `maxclients`", "N × (10 × GOMAXPROCS + 11)", func(n int, _ forecast.Prediction) bool { return c.Connections(n, processors) > 10_000 }},
		{"1 Gbit/s from Redis at 70 %", "found × value + deliveries × message", func(_ int, p forecast.Prediction) bool { return p.Sent > full*125e6 }},
		{"messages take 5 % of a replica's processor", "messages/s × hearing", func(_ int, p forecast.Prediction) bool { return p.Hearing > .05 }},
		{"pings and accounts take 10 % of Redis", "N × idle", func(_ int, p forecast.Prediction) bool { return p.Idle > .1 }},
	} {
		n := forecast.Limit(forecast.Example(1), most, func(w forecast.Workload) bool { return each.bad(w.Replicas, c.Predict(w)) })
		text := markdown.Number(float64(n))
		if n == most {
			text = "never"
		}
		lines = append(lines, []string{each.name, each.formula, text})
	}
	return markdown.Table([]string{"limit", "of", "replicas"}, lines)
}

// changesTable says what Redis' share would be with a thousand replicas, were something changed.
func changesTable(c forecast.Constants) string {
	const n = 1000
	w := forecast.Example(n)
	p := c.Predict(w)
	longer := w
	longer.NearTTL = w.TTL
	byKey := w
	byKey.Replicas, byKey.Rate = 1, w.Rate*n // each key has one replica, as if there were one
	one := c.Predict(byKey)
	const every = .01
	together := p.Telling * c.Gathered(max(p.Counts.Messages*every, 1)) / c.Delivery
	return markdown.Table([]string{"a thousand replicas, and", "main thread busy", "with deliveries"}, [][]string{
		{"nothing changed", percent(p.Redis), percent(p.Telling)},
		{"`Tuning.NearTTL` as long as the TTL", percent(c.Predict(longer).Redis), percent(c.Predict(longer).Telling)},
		{"messages gathered for 10 ms before they are sent", percent(p.Redis - p.Telling + together), percent(together)},
		{"messages only to who waits or has a copy", percent(p.Redis - p.Telling*p.Redundant), percent(p.Telling * (1 - p.Redundant))},
		{"each key at one replica", percent(one.Redis - one.Telling - one.Idle + p.Telling + p.Idle), percent(p.Telling)},
		{"each key at one replica, and messages to it alone", percent(one.Redis - one.Telling - one.Idle + p.Idle), percent(0)},
		{"messages on a Redis of their own: the other one", percent(p.Redis - p.Telling), percent(0)},
		{"four shards, values and channels: each", percent((p.Redis-p.Idle)/4 + p.Idle), percent(p.Telling / 4)},
	})
}

func simulatedTable(c forecast.Constants, s forecast.Simulations) string {
	var lines [][]string
	for _, run := range s.Fleets {
		p := c.PredictFleet(run)
		for _, each := range []struct {
			name      string
			simulated int
			rate      float64
		}{
			{"loads", run.Loads, p.Loads}, {"lookups", run.Gets, p.Gets}, {"leases refused", run.Refused, p.Refused}, {"deliveries", run.Delivered, p.Delivered},
		} {
			predicted := each.rate * run.Lasts.Seconds()
			lines = append(lines, []string{markdown.Number(float64(run.Replicas)), each.name, markdown.Number(float64(each.simulated)), markdown.Number(predicted), difference(float64(each.simulated), predicted)})
		}
		for _, each := range []struct {
			name                 string
			simulated, predicted float64
		}{
			{"purge heard, the mean, ms", milliseconds(run.Coherent), milliseconds(p.Coherent)}, {"purge heard, the last, ms", milliseconds(run.Last), milliseconds(p.Last)},
		} {
			lines = append(lines, []string{markdown.Number(float64(run.Replicas)), each.name, markdown.Number(each.simulated), markdown.Number(each.predicted), difference(each.simulated, each.predicted)})
		}
	}
	return markdown.Table([]string{"replicas", "what", "simulated", "predicted", "off by"}, lines)
}

func difference(got, want float64) string { return fmt.Sprintf("%+.1f %%", 100*(got/want-1)) }
