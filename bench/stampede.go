package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"vitrine/cache"
	"vitrine/e2e/markdown"
	"vitrine/e2e/redisserver"
)

const (
	stampedeCallers   = 1000 // of all processes
	stampedeProcesses = 3
	originTakes       = time.Second
	// takesVariable is how long it takes.
	takesVariable = "BENCH_ORIGIN_TAKES"
	// eachKey is how many operations have one key.
	eachKey = 1_000_000
)

// stampeders have callers in several processes want one key that nobody has.
var stampeders = enlist("stampede",
	contender{name: "`Fetch`", work: stampeding(fetched), asks: originAsked},
	contender{name: "singleflight in each process", work: stampeding(flown), asks: originAsked},
	contender{name: "each for itself", work: stampeding(each), asks: originAsked},
)

// loader is how a value comes from the origin, which counts.
type loader func(key string) (article, error)

// stampeding is the work of want: the i-th operation has the key that all of its million have.
func stampeding(want func(*redis.Client, loader) (func(context.Context, string) (article, error), error)) func(context.Context) (func(int), error) {
	return func(ctx context.Context) (func(int), error) {
		takes, err := time.ParseDuration(os.Getenv(takesVariable))
		if err != nil {
			return nil, err
		}
		get, err := want(programsRedis(nil), func(key string) (article, error) {
			asked.Add(1)
			time.Sleep(takes)
			return newArticle(key), nil
		})
		return func(i int) {
			key := "key:" + strconv.Itoa(i/eachKey)
			if a, err := get(ctx, key); err != nil || a.Title != key {
				panic(fmt.Sprintf("%s is %+v, %v", key, a, err))
			}
		}, err
	}
}

func fetched(client *redis.Client, load loader) (func(context.Context, string) (article, error), error) {
	c, err := cache.New(cache.Redis(client, "fetched:"), cache.Options{
		Name: "bench", TTL: time.Hour, Registerer: prometheus.NewRegistry(), Limits: cache.Limits{StoreTimeout: patience},
	})
	return func(ctx context.Context, key string) (article, error) {
		return cache.Fetch(ctx, c, key, func(context.Context) (article, error) { return load(key) })
	}, err
}

// each looks into Redis, loads what is not there, and puts it there.
func each(client *redis.Client, load loader) (func(context.Context, string) (article, error), error) {
	return func(ctx context.Context, key string) (article, error) { return aside(ctx, client, "each:", key, load) }, nil
}

func aside(ctx context.Context, client *redis.Client, prefix, key string, load loader) (article, error) {
	a, err := decoded(client.Get(ctx, prefix+key).Bytes())
	if !errors.Is(err, redis.Nil) {
		return a, err
	}
	if a, err = load(key); err != nil {
		return a, err
	}
	b, err := json.Marshal(a)
	if err != nil {
		return a, err
	}
	return a, client.Set(ctx, prefix+key, b, time.Hour).Err()
}

// flown is each, with one that does it for all in its process.
func flown(client *redis.Client, load loader) (func(context.Context, string) (article, error), error) {
	var group singleflight.Group
	return func(ctx context.Context, key string) (article, error) {
		a, err, _ := group.Do(key, func() (any, error) { return aside(ctx, client, "flown:", key, load) })
		if err != nil {
			return article{}, err
		}
		return a.(article), nil
	}, nil
}

// rush is what came of a stampede.
type rush struct {
	loads    float64
	commands float64 // of Redis, for each request
	p50, p99 float64 // against the origin's time
	cpu      float64 // ns, for each request
}

func stampedeSuite(ctx context.Context, b *bench) (r report, err error) {
	redis, err := redisserver.Start(ctx)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, redis.Stop()) }()
	r.Head = []string{"a cold key", "the origin takes", "loads", "Redis commands a request", "p50", "p99", "CPU a request"}
	for _, usual := range []time.Duration{originTakes, originTakes / 10} {
		takes := time.Duration(b.ops(int(usual)))
		all, err := b.stampedes(ctx, redis, takes)
		if err != nil {
			return r, err
		}
		r.stampedes(takes, all)
	}
	r.Notes = append(r.Notes,
		fmt.Sprintf("%s callers at once, in %d processes over one Redis; how long they wait is told as times of what the origin takes, and goals are for the longer: beside that, what a busy machine adds to the latest of a thousand is little", markdown.Number(stampedeCallers), stampedeProcesses),
		"Who has no `Fetch` looks into Redis, loads what is not there, and puts it there",
		"Commands include those that scripts make",
	)
	return r, nil
}

// stampedes are rushes of each of the stampeders, a round each.
func (b *bench) stampedes(ctx context.Context, redis *redisserver.Server, takes time.Duration) (all [][]rush, err error) {
	if err := redis.Client.FlushAll(ctx).Err(); err != nil { // their keys were others' too
		return nil, err
	}
	all = make([][]rush, len(stampeders))
	var fleets []workers
	defer func() {
		for _, fleet := range fleets {
			err = errors.Join(err, fleet.stop())
		}
	}()
	for _, c := range stampeders {
		same := slices.Repeat([]contender{c}, stampedeProcesses)
		fleet, err := startWorkers(same, 1, 0, redisVariable+"="+redis.Addr, takesVariable+"="+takes.String())
		fleets = append(fleets, fleet)
		if err != nil {
			return nil, err
		}
		if _, err := fleet.stampede(ctx, redis, 0, takes); err != nil { // connects, and shows scripts to Redis
			return nil, err
		}
	}
	_, err = b.turns(len(stampeders), func(i int) (cost, error) {
		s, err := fleets[i].stampede(ctx, redis, len(all[i])+1, takes)
		all[i] = append(all[i], s)
		return cost{}, err
	})
	return all, err
}

// stampede has all callers want the n-th key at once.
func (w workers) stampede(ctx context.Context, redis *redisserver.Server, n int, takes time.Duration) (s rush, err error) {
	var before, after []used
	for _, p := range w {
		u, err := p.order(0, 0)
		if err != nil {
			return s, err
		}
		before = append(before, u)
	}
	info, err := redis.Info(ctx)
	if err != nil {
		return s, err
	}
	after = make([]used, len(w))
	var all errgroup.Group
	for i, p := range w {
		all.Go(func() (err error) {
			callers := (stampedeCallers + i) / len(w) // 333, 333 and 334
			after[i], err = p.follow(order{Callers: callers, Ops: callers, First: n * eachKey, Timed: true})
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return s, err
	}
	then, err := redis.Info(ctx)
	if err != nil {
		return s, err
	}
	s.commands = redisUsed(info, then, stampedeCallers).commands
	s.add(before, after, takes)
	return s, nil
}

// add adds what processes have used.
func (s *rush) add(before, after []used, takes time.Duration) {
	var took []time.Duration
	for i := range after {
		s.loads += after[i].Figures["origin"] - before[i].Figures["origin"]
		s.cpu += float64(after[i].CPU - before[i].CPU)
		took = append(took, after[i].Took...)
	}
	s.cpu /= float64(len(took))
	slices.Sort(took)
	s.p50, s.p99 = float64(within(took, .5))/float64(takes), float64(within(took, .99))/float64(takes)
}

// stampedes adds what came of rushes to the report. The first have goals.
func (r *report) stampedes(takes time.Duration, all [][]rush) {
	of := func(i int, field func(rush) float64) figure {
		var rounds []float64
		for _, s := range all[i] {
			rounds = append(rounds, field(s))
		}
		return figureOf(rounds)
	}
	loads := func(s rush) float64 { return s.loads }
	commands := func(s rush) float64 { return s.commands }
	latest := func(s rush) float64 { return s.p99 }
	for i, c := range stampeders {
		r.Rows = append(r.Rows, []string{
			server{name: c.name}.label(), duration(float64(takes)), ranged(of(i, loads)), ranged(of(i, commands)), "× " + ranged(of(i, func(s rush) float64 { return s.p50 })),
			"× " + ranged(of(i, latest)), duration(of(i, func(s rush) float64 { return s.cpu }).Median),
		})
	}
	if len(r.Goals) > 0 {
		return
	}
	work := "1000 callers of a cold key, 3 processes"
	r.Goals = []goal{
		{Work: work, Against: "1 load", Bound: 1, Unit: "loads", Got: of(0, loads)},
		{Work: work, Against: "0.1 Redis commands a request", Bound: .1, Unit: "commands", Got: of(0, commands)},
		{Work: work, Against: "the origin's time", Bound: 1.05, Unit: "× p99", Got: of(0, latest)},
	}
}
