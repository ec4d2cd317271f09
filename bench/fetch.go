package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"

	"vitrine/e2e/markdown"
	"vitrine/e2e/redisserver"
)

var fetchContenders = func() []contender {
	var all []contender
	for _, l := range libraries {
		all = append(all, contender{name: l.name, work: l.work, asks: originAsked})
	}
	return enlist("fetch", all...)
}()

func fetchSuite(ctx context.Context, b *bench) (r report, err error) {
	redis, err := redisserver.Start(ctx)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, redis.Stop()) }()
	ops, several := b.ops(200_000), 2*runtime.GOMAXPROCS(0)
	together := make([]costs, len(fetchContenders))
	// Each round has processes of its own: how one's memory happens to lie is worth a fifth of a look-up.
	alone, err := b.turns(len(fetchContenders), func(i int) (c cost, err error) {
		w, err := startWorkers(fetchContenders[i:i+1], several, ops, redisVariable+"="+redis.Addr)
		defer func() { err = errors.Join(err, w.stop()) }()
		if err != nil {
			return c, err
		}
		all, err := w[0].measure(order{Callers: several, Ops: ops})
		if err != nil {
			return c, err
		}
		together[i] = append(together[i], all)
		return w[0].measure(order{Callers: 1, Ops: ops})
	})
	if err != nil {
		return r, err
	}
	r.fetch(libraries, alone, together, several)
	r.Notes = append(r.Notes,
		fmt.Sprintf("%s keys of 12 bytes, asked for as zipf 1.01 has it; all are in memory, and a round is %s look-ups", markdown.Number(pricesKept), markdown.Number(float64(ops))),
		"“Loads once” is stampede protection in this process; `Fetch` and groupcache have it among processes too. “Counts” is metrics: of `Fetch` in a Prometheus registry, of groupcache and ttlcache numbers of their own",
		"By default `Fetch` simulates near tiers of other sizes (what-if); while a quarter of the near tier would hold all keys that costs nothing, and in a near tier of 16 MiB it does",
		"rueidis and go-redis/cache keep bytes: JSON, and msgpack. go-redis/cache has no Redis behind it here, which hits do not ask",
		"The modules rueidisaside (of rueidis), samber/hot, eko/gocache and mailgun/groupcache could not be had on the Go module proxy",
	)
	return r, nil
}

// fetch adds what libraries took to the report.
func (r *report) fetch(all []library, alone, together []costs, several int) {
	r.Head = []string{
		"a hit in memory", "does", "CPU", "against otter, bare", "allocations", "wall",
		fmt.Sprintf("CPU, %d callers", several), "against otter, bare", fmt.Sprintf("wall, %d callers", several),
	}
	bare := 0
	for i, l := range all {
		if l.name == "otter, bare" {
			bare = i
		}
	}
	for i, l := range all {
		r.Rows = append(r.Rows, []string{
			l.name, l.does, duration(alone[i].of(cpu).Median), "× " + ranged(alone[i].against(alone[bare], cpu)), markdown.Number(rounded(alone[i].of(allocs).Median)),
			duration(alone[i].of(wall).Median), duration(together[i].of(cpu).Median), "× " + ranged(together[i].against(together[bare], cpu)),
			duration(together[i].of(wall).Median),
		})
	}
	hit := goal{Work: "`Fetch` near hit", Unit: "× CPU"}
	hit.Against, hit.Bound, hit.Got = "otter bare", 1.5, alone[0].against(alone[bare], cpu)
	r.Goals = append(r.Goals, hit, goal{
		Work: hit.Work, Against: "0 allocations", Bound: 0, Unit: "allocations", Got: alone[0].of(func(c cost) float64 { return rounded(c.allocs) }),
	})
	for i, l := range all {
		if l.loads && i > bare {
			hit.Against, hit.Bound, hit.Got = l.name, 1, alone[0].against(alone[i], cpu)
			r.Goals = append(r.Goals, hit)
		}
	}
}

// rounded leaves out what happens once in hundreds of operations: it is the runtime's.
func rounded(allocs float64) float64 { return math.Round(100*allocs) / 100 }
