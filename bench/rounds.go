package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// figure is the median of rounds, with the lowest and the highest of them.
type figure struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

func figureOf(rounds []float64) figure {
	rounds = slices.Clone(rounds)
	slices.Sort(rounds)
	return figure{rounds[len(rounds)/2], rounds[0], rounds[len(rounds)-1]}
}

// cost is what an operation of one round took.
type cost struct {
	cpu, wall     float64 // ns
	allocs, bytes float64
	p99           float64 // ns; 0: not measured
	redis         redisUse
}

// redisUse is what a Redis did for an operation.
type redisUse struct {
	cpu      float64 // ns
	commands float64 // those that scripts make included
	bytes    float64 // that it sent
}

// costs are those of one contender, a round each.
type costs []cost

func (c costs) of(field func(cost) float64) figure {
	var all []float64
	for _, round := range c {
		all = append(all, field(round))
	}
	return figureOf(all)
}

// against is the ratio to another contender's, round by round.
func (c costs) against(other costs, field func(cost) float64) figure {
	var all []float64
	for i := range c {
		all = append(all, field(c[i])/field(other[i]))
	}
	return figureOf(all)
}

func cpu(c cost) float64    { return c.cpu }
func wall(c cost) float64   { return c.wall }
func allocs(c cost) float64 { return c.allocs }
func p99(c cost) float64    { return c.p99 }

// turns measures each of n contenders once a round. Who comes first is another one each time.
func (b *bench) turns(n int, measure func(i int) (cost, error)) ([]costs, error) {
	all := make([]costs, n)
	for round := range b.rounds {
		for k := range n {
			i := (k + round) % n
			c, err := measure(i)
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], c)
		}
		fmt.Fprint(os.Stderr, ".")
	}
	fmt.Fprintln(os.Stderr)
	return all, nil
}

// workers are processes that do their work themselves.
type workers []*process

// startWorkers starts them, and has so many callers of each do some operations that nobody measures. Who started them has
// to stop them, also if there is an error.
func startWorkers(all []contender, callers, warm int, env ...string) (w workers, err error) {
	for _, c := range all {
		p, err := c.start(env...)
		if err != nil {
			return w, err
		}
		w = append(w, p)
		if _, err := p.order(callers, warm); err != nil {
			return w, err
		}
	}
	return w, nil
}

func (w workers) stop() error {
	var errs []error
	for _, p := range w {
		if err := p.stop(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.name, err))
		}
	}
	return errors.Join(errs...)
}

// measure is what each of an order's operations takes.
func (p *process) measure(o order) (cost, error) {
	before, err := p.order(0, 0)
	if err != nil {
		return cost{}, err
	}
	after, err := p.follow(o)
	c := costOf(before, after, o.Ops)
	if len(after.Took) > 0 {
		slices.Sort(after.Took)
		c.p99 = float64(within(after.Took, .99))
	}
	return c, err
}

// within is how long the fastest share of all took at most. The fastest comes first.
func within(took []time.Duration, share float64) time.Duration {
	return took[min(int(share*float64(len(took))), len(took)-1)]
}

// working compares what contenders do themselves. A round is so many operations, which so many callers share; warm is how
// many come before the first.
func (b *bench) working(all []contender, callers, ops, warm int, env ...string) (results []costs, err error) {
	w, err := startWorkers(all, callers, warm, env...)
	defer func() { err = errors.Join(err, w.stop()) }()
	if err != nil {
		return nil, err
	}
	return b.turns(len(w), func(i int) (cost, error) { return w[i].measure(order{Callers: callers, Ops: ops}) })
}

// costOf is what each of n operations took between.
func costOf(before, after used, n int) cost {
	return cost{
		cpu: float64(after.CPU-before.CPU) / float64(n), wall: float64(after.Wall) / float64(n),
		allocs: float64(after.Allocs-before.Allocs) / float64(n), bytes: float64(after.Bytes-before.Bytes) / float64(n),
	}
}
