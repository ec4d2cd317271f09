package main

import (
	"fmt"
	"os"
	"slices"
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

// working compares what contenders do themselves. A round is so many operations, which so many callers share; warm is how
// many come before the first.
func (b *bench) working(all []contender, callers, ops, warm int, env ...string) (results []costs, err error) {
	var processes []*process
	defer func() {
		for _, p := range processes {
			if failed := p.stop(); err == nil && failed != nil {
				err = fmt.Errorf("%s: %w", p.name, failed)
			}
		}
	}()
	for _, c := range all {
		p, err := c.start(env...)
		if err != nil {
			return nil, err
		}
		processes = append(processes, p)
		if _, err := p.order(callers, warm); err != nil {
			return nil, err
		}
	}
	return b.turns(len(all), func(i int) (cost, error) {
		before, err := processes[i].order(0, 0)
		if err != nil {
			return cost{}, err
		}
		after, err := processes[i].order(callers, ops)
		return costOf(before, after, ops), err
	})
}

// costOf is what each of n operations took between.
func costOf(before, after used, n int) cost {
	return cost{
		cpu: float64(after.CPU-before.CPU) / float64(n), wall: float64(after.Wall) / float64(n),
		allocs: float64(after.Allocs-before.Allocs) / float64(n), bytes: float64(after.Bytes-before.Bytes) / float64(n),
	}
}
