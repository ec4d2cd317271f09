package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"vitrine/e2e/markdown"
	"vitrine/e2e/redisserver"
)

const farCallers = 64

var farContenders = func() []contender {
	var all []contender
	for _, r := range readers {
		all = append(all, contender{name: r.name, work: r.work, asks: missed})
	}
	return enlist("far", all...)
}()

func farSuite(ctx context.Context, b *bench) (r report, err error) {
	redis, err := redisserver.Start(ctx)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, redis.Stop()) }()
	together, err := b.asking(ctx, redis, farCallers, b.ops(20_000))
	if err != nil {
		return r, err
	}
	alone, err := b.asking(ctx, redis, 1, b.ops(4_000))
	if err != nil {
		return r, err
	}
	version, err := redis.Version(ctx)
	if err != nil {
		return r, err
	}
	r.far(readers, together, alone)
	r.Notes = append(r.Notes,
		fmt.Sprintf("%s keys with values of 1 KiB, in Redis %s on the same machine; a round is %s reads of %d callers, and %s of one", markdown.Number(articlesKept), version,
			markdown.Number(float64(b.ops(20_000))), farCallers, markdown.Number(float64(b.ops(4_000)))),
		"Where the row does not say that bytes are left as they are, a struct is decoded from JSON (go-redis/cache: msgpack, compressed); goals compare bytes with bytes. go-redis has the options that the program sets, with time-outs of 2 s. Of all of them `Fetch` alone loads once in the fleet, counts, checks what it reads (CRC-32C), and knows purges by tag",
		"What keeps copies in this process (`DoCache`, client-side caching) has asked Redis before; the near tier is the like of it, and `Fetch` has none here",
		"A read whose call of Redis fails, of which there is at most one in a thousand, counts as it is",
		"Bytes are those that Redis sends for a read, and commands include what is sent to keep in step",
	)
	return r, nil
}

// asking compares what readers do with a Redis that is asked for nothing else meanwhile.
func (b *bench) asking(ctx context.Context, redis *redisserver.Server, callers, ops int) (results []costs, err error) {
	w, err := startWorkers(farContenders, callers, ops, redisVariable+"="+redis.Addr)
	defer func() { err = errors.Join(err, w.stop()) }()
	if err != nil {
		return nil, err
	}
	results, err = b.turns(len(w), func(i int) (cost, error) {
		before, err := redis.Info(ctx)
		if err != nil {
			return cost{}, err
		}
		c, err := w[i].measure(order{Callers: callers, Ops: ops, Timed: true})
		if err != nil {
			return c, err
		}
		after, err := redis.Info(ctx)
		c.redis = redisUsed(before, after, ops)
		return c, err
	})
	if err != nil {
		return nil, err
	}
	for _, p := range w {
		u, err := p.order(0, 0)
		if err != nil {
			return nil, err
		}
		if missed, most := u.Figures["missed"], max(float64(b.rounds*ops)/1000, 10); missed > most {
			return nil, fmt.Errorf("%s: %v of %d reads had no value of Redis", p.name, missed, b.rounds*ops)
		}
	}
	return results, nil
}

// redisUsed is what each of n operations took of a Redis between.
func redisUsed(before, after redisserver.Info, n int) redisUse {
	each := func(name string) float64 { return (after.Number(name) - before.Number(name)) / float64(n) }
	info := 1 / float64(n) // INFO itself
	return redisUse{
		cpu: 1e3 * (after.CPU() - before.CPU()) / float64(n), commands: each("total_commands_processed") - info, bytes: each("total_net_output_bytes"),
	}
}

// far adds what readers took to the report.
func (r *report) far(all []reader, together, alone []costs) {
	r.Head = []string{
		"a value of 1 KiB", "callers", "CPU", "against plain `Get`", "wall", "against plain `Get`", "p99", "allocations", "Redis: CPU", "commands", "bytes",
	}
	of := func(name string) int {
		return slices.IndexFunc(all, func(r reader) bool { return r.name == name })
	}
	ours, plain := of(fetchedBytes), of(plainGet)
	for _, group := range []struct {
		callers int
		results []costs
	}{{farCallers, together}, {1, alone}} {
		for i, reader := range all {
			c := group.results[i]
			median := func(field func(cost) float64) float64 { return c.of(field).Median }
			r.Rows = append(r.Rows, []string{
				reader.name, fmt.Sprint(group.callers), duration(median(cpu)), "× " + ranged(c.against(group.results[plain], cpu)), duration(median(wall)),
				"× " + ranged(c.against(group.results[plain], wall)), duration(median(p99)), markdown.Number(median(allocs)),
				duration(median(func(c cost) float64 { return c.redis.cpu })), markdown.Number(median(func(c cost) float64 { return c.redis.commands })),
				markdown.Number(median(func(c cost) float64 { return c.redis.bytes })),
			})
		}
	}
	r.Goals = []goal{
		{Work: "far hit at 64 callers", Against: "plain go-redis Get", Bound: .3, Unit: "× CPU", Got: together[ours].against(together[plain], cpu)},
		{Work: "far hit of a lone caller", Against: "plain go-redis Get", Bound: 1.1, Unit: "× wall", Got: alone[ours].against(alone[plain], wall)},
	}
}
