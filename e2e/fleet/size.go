package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"vitrine/e2e/redisserver"
)

// row is what the traffic cost a fleet of one size.
type row struct {
	Replicas   int     `json:"replicas"`
	Requests   int     `json:"requests"`
	Purges     int     `json:"purges"`
	Service    float64 `json:"service_cpu_us_per_request"` // of all replicas
	Redis      float64 `json:"redis_cpu_us_per_request"`
	Commands   float64 `json:"redis_commands_per_request"`
	NearHits   float64 `json:"near_hits_per_request"`
	FarHits    float64 `json:"far_hits_per_request"`
	IdealFar   float64 `json:"ideal_far_hits_per_request"`
	Loads      float64 `json:"loads"`
	IdealLoads float64 `json:"ideal_loads"`
	Refused    float64 `json:"refused_per_load"` // asked for a lease that another replica held
	Coalesced  float64 `json:"coalesced_per_request"`
	Published  float64 `json:"messages_per_write"`     // a write is a value that was kept, or a purge
	Heard      float64 `json:"deliveries_per_message"` // to other replicas
	Lag        float64 `json:"lag_ms"`                 // of these, the mean
	Clients    float64 `json:"redis_connections"`
}

// measureSize has a new fleet of that size answer the traffic.
func measureSize(ctx context.Context, binary string, server *redisserver.Server, t traffic, replicas int) (r row, err error) {
	if err := server.Client.FlushAll(ctx).Err(); err != nil {
		return r, err
	}
	fleet, stop, err := startFleet(binary, server.Addr, replicas)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	// Connections, scripts and pools are there, and no key of the traffic is.
	warm := traffic{requests: 100 * replicas, keys: 50 * replicas, skew: 1, purgeEvery: 100, strip: 1}.steps(replicas)
	if err := drive(ctx, fleet, warm, atOnce); err != nil {
		return r, err
	}
	for _, each := range fleet {
		if err := each.slow(ctx, originTakes); err != nil {
			return r, err
		}
	}
	all := t.steps(replicas)
	before, err := readFleet(ctx, fleet, server)
	if err != nil {
		return r, err
	}
	if err := drive(ctx, fleet, all, atOnce); err != nil {
		return r, err
	}
	time.Sleep(200 * time.Millisecond) // the last messages
	after, err := readFleet(ctx, fleet, server)
	if err != nil {
		return r, err
	}
	return rowOf(t, all, replicas, before, after)
}

func rowOf(t traffic, all []step, replicas int, before, after reading) (row, error) {
	grown := func(name string, labels ...string) float64 {
		return after.metrics.sum(name, labels...) - before.metrics.sum(name, labels...)
	}
	calls := func(name string) float64 { return after.redis.Calls[name] - before.redis.Calls[name] }
	const stats = `cache="stats"`
	if n := grown("cache_store_duration_seconds_count", `result="error"`); n > 0 {
		return row{}, fmt.Errorf("%w: %.0f calls of Redis failed", errBusy, n)
	}
	loads, farHits := ideal(all)
	requests := float64(t.requests)
	r := row{
		Replicas: replicas, Requests: t.requests, Purges: len(all) - t.requests,
		Service:  (after.cpu - before.cpu) / requests,
		Redis:    (after.redis.CPU() - before.redis.CPU()) / requests,
		Commands: grown("db_client_operation_duration_seconds_count") / requests, // what scripts call is not among these
		NearHits: grown("cache_requests_total", stats, `outcome="hit"`, `tier="near"`) / requests,
		FarHits:  grown("cache_requests_total", stats, `outcome="hit"`, `tier="far"`) / requests,
		IdealFar: float64(farHits) / requests,
		Loads:    grown("cache_load_duration_seconds_count", stats), IdealLoads: float64(loads),
		Coalesced: grown("cache_requests_total", stats, `outcome="coalesced"`) / requests,
		Clients:   after.redis.Number("connected_clients") - ownConnections,
	}
	published := calls("publish")
	fills := grown("cache_store_duration_seconds_count", `op="fill"`, `result="ok"`)
	r.Refused = calls("pttl") / r.Loads // which a script asks for those alone that have to wait
	r.Published = published / (fills + float64(r.Purges))
	heard := grown("cache_coherence_lag_seconds_count")
	r.Heard = heard / published
	r.Lag = 1e3 * grown("cache_coherence_lag_seconds_sum") / max(heard, 1)
	return r, nil
}

// errBusy is that the machine was too busy: calls of Redis that take 50 ms are given up, and then replicas load alone.
var errBusy = errors.New("too busy to measure")

// reading are all counters of a fleet.
type reading struct {
	cpu     float64 // of all replicas, µs
	redis   redisserver.Info
	metrics metrics // of all replicas, added up
}

// ownConnections is how many this program has to Redis.
const ownConnections = 1

func readFleet(ctx context.Context, fleet []*replica, server *redisserver.Server) (r reading, err error) {
	r.metrics = metrics{}
	for _, each := range fleet {
		m, err := each.metrics(ctx)
		if err != nil {
			return r, err
		}
		for series, v := range m {
			r.metrics[series] += v
		}
	}
	for _, each := range fleet {
		cpu, err := each.cpu()
		if err != nil {
			return r, err
		}
		r.cpu += cpu
	}
	r.redis, err = server.Info(ctx)
	return r, err
}

func startFleet(binary, redisAddr string, n int) (fleet []*replica, stop func() error, err error) {
	stop = func() error {
		var all errgroup.Group
		for _, r := range fleet {
			all.Go(r.stop)
		}
		return all.Wait()
	}
	for range n {
		r, err := startReplica(binary, redisAddr)
		if err != nil {
			return nil, nil, errors.Join(err, stop())
		}
		fleet = append(fleet, r)
	}
	return fleet, stop, nil
}

// medianOf has the rounds' median in each field that is a number: they differ by what else the machine does.
func medianOf[T any](rounds []T) (m T) {
	m = rounds[0]
	into := reflect.ValueOf(&m).Elem()
	for i := range into.NumField() {
		if into.Field(i).Kind() != reflect.Float64 {
			continue
		}
		var values []float64
		for _, r := range rounds {
			values = append(values, reflect.ValueOf(r).Field(i).Float())
		}
		slices.Sort(values)
		into.Field(i).SetFloat(math.Round(values[len(values)/2]*1e4) / 1e4)
	}
	return m
}
