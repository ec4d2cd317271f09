package cache_test

import (
	"context"
	"math/rand/v2"
	"sort"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vitrine/cache"
	"vitrine/e2e/fleet/forecast"
)

// simRun is a simulation: what a fleet is asked, for how long, and from when on it is counted.
type simRun struct {
	forecast.Workload
	seed        uint64
	warm, lasts time.Duration
}

// run has a fleet of real caches asked, in virtual time, and counts what happens.
func (r simRun) run(t *testing.T, costs forecast.Constants) (counts forecast.Simulation) {
	synctest.Test(t, func(t *testing.T) {
		f := startSimFleet(t, r.Workload, costs, r.seed)
		rng := rand.New(rand.NewPCG(r.seed, 1))
		f.redis.from = time.Now().Add(r.warm)
		f.redis.to = f.redis.from.Add(r.lasts)
		// A key is not asked for before its time: else all would expire together for ever.
		born := make([]time.Time, r.Keys)
		for i := range born {
			born[i] = time.Now().Add(time.Duration(rng.Float64() * float64(min(r.TTL, r.warm))))
		}
		popular := zipfTable(r.Keys, r.Skew)
		rate := float64(r.Replicas)*r.Rate + r.Purges
		var before *forecast.Simulation
		for {
			time.Sleep(time.Duration(rng.ExpFloat64() / rate * float64(time.Second)))
			purges := rng.Float64()*rate < r.Purges
			key, replica, now := popular(rng.Float64()), rng.IntN(r.Replicas), time.Now()
			if before == nil && !now.Before(f.redis.from) {
				before = new(f.redis.counts())
			}
			if !now.Before(f.redis.to) {
				break
			}
			if !now.Before(born[key]) {
				f.work.Go(func() { f.ask(replica, key, purges) })
			}
		}
		counts = since(f.redis.counts(), *before)
		counts.Replicas, counts.Lasts = r.Replicas, r.lasts
		f.work.Wait()
		time.Sleep(time.Second) // the last messages
		heard := f.redis.counts()
		counts.Coherent, counts.Last = heard.Coherent, heard.Last
	})
	return counts
}

func since(n, before forecast.Simulation) forecast.Simulation {
	for _, each := range []struct {
		now    *int
		before int
	}{
		{&n.Requests, before.Requests}, {&n.Loads, before.Loads}, {&n.Gets, before.Gets}, {&n.Misses, before.Misses}, {&n.Refused, before.Refused},
		{&n.Purges, before.Purges}, {&n.Messages, before.Messages}, {&n.Delivered, before.Delivered}, {&n.Commands, before.Commands},
	} {
		*each.now -= each.before
	}
	n.Busy -= before.Busy
	n.Wait = (n.Wait - before.Wait) / time.Duration(max(n.Commands, 1))
	return n
}

// simFleet are replicas and what they share.
type simFleet struct {
	t      *testing.T
	redis  *simRedis
	caches []*cache.Cache
	load   time.Duration
	loads  []int // of each key, under redis.mu
	work   sync.WaitGroup
}

func startSimFleet(t *testing.T, w forecast.Workload, costs forecast.Constants, seed uint64) *simFleet {
	t.Helper()
	f := &simFleet{t: t, redis: newSimRedis(w, costs, seed), load: w.Load, loads: make([]int, w.Keys)}
	go f.redis.run()
	t.Cleanup(func() { close(f.redis.calls) })
	for i := range w.Replicas {
		time.Sleep(137 * time.Microsecond) // or all would look after themselves at the same instant, in any order
		f.caches = append(f.caches, newCache(t, simStore{f.redis, i}, cache.Options{
			Name: "sim", TTL: w.TTL, Near: 1 << 20,
			Limits: cache.Limits{StoreTimeout: time.Minute},
			Tuning: cache.Tuning{NearTTL: w.NearTTL, NoWhatIf: true},
		}))
	}
	return f
}

// ask asks a replica for a key, which tells how often it has been loaded, or has it purge that.
func (f *simFleet) ask(replica, key int, purges bool) (version int) {
	c, name := f.caches[replica], strconv.Itoa(key)
	if purges {
		if err := c.PurgeKey(context.Background(), cache.Hard, "v:"+name); err != nil {
			f.t.Error(err)
		}
		return 0
	}
	f.redis.count(func(n *forecast.Simulation) { n.Requests++ })
	version, err := cache.Fetch(context.Background(), c, name, func(context.Context) (version int, _ error) {
		f.redis.count(func(n *forecast.Simulation) {
			n.Loads++
			f.loads[key]++
			version = f.loads[key]
		})
		time.Sleep(f.load)
		return version, nil
	})
	if err != nil {
		f.t.Error(err)
	}
	return version
}

// askAll asks all replicas at once, and returns how many had which version.
func (f *simFleet) askAll(key int) map[int]int {
	var mu sync.Mutex
	versions := map[int]int{}
	for replica := range f.caches {
		f.work.Go(func() {
			version := f.ask(replica, key, false)
			mu.Lock()
			defer mu.Unlock()
			versions[version]++
		})
	}
	f.work.Wait()
	return versions
}

// zipfTable returns the key that a number from 0 to 1 stands for.
func zipfTable(keys int, skew float64) func(float64) int {
	var upTo []float64
	sum := 0.0
	for share := range forecast.Zipf(keys, skew) {
		sum += share
		upTo = append(upTo, sum)
	}
	return func(p float64) int { return min(sort.SearchFloat64s(upTo, p), keys-1) }
}
