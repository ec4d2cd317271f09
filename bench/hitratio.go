package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/Yiling-J/theine-go"
	"github.com/dgraph-io/ristretto/v2"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/maypok86/otter/v2"

	"vitrine/cache"
	"vitrine/e2e/markdown"
)

// policy is a cache that is asked for keys one by one, and given time in between for what it puts off.
type policy struct {
	name string
	open func(entries int) (hit func(key string) bool, end func(), err error)
}

// policies are compared at as many entries as the near tier, which is asked through Fetch, turned out to have room for.
var policies = []policy{
	{"otter, bare", func(entries int) (func(string) bool, func(), error) {
		c, err := otter.New(&otter.Options[string, string]{MaximumSize: entries, Executor: func(task func()) { task() }})
		if err != nil {
			return nil, nil, err
		}
		return func(key string) bool {
			_, ok := c.GetIfPresent(key)
			if !ok {
				c.Set(key, key)
			}
			return ok
		}, func() { c.StopAllGoroutines() }, nil
	}},
	{"theine", func(entries int) (func(string) bool, func(), error) {
		c, err := theine.NewBuilder[string, string](int64(entries)).Build()
		if err != nil {
			return nil, nil, err
		}
		return lookedUp(c), c.Close, nil
	}},
	{"ristretto", func(entries int) (func(string) bool, func(), error) {
		c, err := ristretto.NewCache(&ristretto.Config[string, string]{
			NumCounters: 10 * int64(entries), MaxCost: int64(entries), BufferItems: 64, IgnoreInternalCost: true,
		})
		if err != nil {
			return nil, nil, err
		}
		return lookedUp(c), c.Close, nil
	}},
	{"LRU", func(entries int) (func(string) bool, func(), error) {
		c, err := lru.New[string, string](entries)
		if err != nil {
			return nil, nil, err
		}
		return func(key string) bool {
			_, ok := c.Get(key)
			if !ok {
				c.Add(key, key)
			}
			return ok
		}, func() {}, nil
	}},
}

// lookedUp tells whether a cache has a key, and gives it what it has not: that it takes in behind.
func lookedUp(c interface {
	Get(key string) (string, bool)
	Set(key, value string, cost int64) bool
	Wait()
}) func(key string) bool {
	return func(key string) bool {
		_, ok := c.Get(key)
		if !ok {
			c.Set(key, key, 1)
			c.Wait()
		}
		return ok
	}
}

// nearRatio is the hit ratio of a near tier, and how many entries it has in the end. In between is what happens before the next
// request.
func nearRatio(ctx context.Context, s stream, keys []string, between func()) (ratio float64, fit int, err error) {
	c, hit, err := nearTier(ctx, s.entries)
	if err != nil {
		return 0, 0, err
	}
	ratio = hitRatio(keys, func(key string) bool {
		defer between()
		return hit(key)
	})
	return ratio, c.Fill().Entries, c.Close(ctx)
}

// nearTier is a near tier with room for so many entries of one size, by its own account.
func nearTier(ctx context.Context, entries int) (c *cache.Cache, hit func(key string) bool, err error) {
	open := func(bytes int64) error {
		c, err = cache.New(nil, cache.Options{TTL: 24 * time.Hour, Near: bytes, Tuning: cache.Tuning{NoWhatIf: true}})
		return err
	}
	loaded := false
	hit = func(key string) bool {
		loaded = false
		_, failed := cache.Fetch(ctx, c, key, func(context.Context) (string, error) {
			loaded = true
			return "a value of one size", nil
		})
		err = errors.Join(err, failed)
		return !loaded
	}
	if err := open(1 << 20); err != nil {
		return nil, nil, err
	}
	hit(streamKey(0))
	one := c.Fill().Bytes
	for deadline := time.Now().Add(time.Second); one == 0 && time.Now().Before(deadline); one = c.Fill().Bytes {
		time.Sleep(time.Millisecond) // until it is accounted for
	}
	if err = errors.Join(err, c.Close(ctx)); err == nil && one == 0 {
		err = errors.New("an entry takes no room")
	}
	if err == nil {
		err = open(one * int64(entries))
	}
	return c, hit, err
}

// hitRatio tells how many of the keys are hits.
func hitRatio(keys []string, hit func(key string) bool) float64 {
	hits := 0
	for _, key := range keys {
		if hit(key) {
			hits++
		}
	}
	return float64(hits) / float64(len(keys))
}

// topRatio is that of a cache which has the keys that are wanted most from the beginning to the end.
func topRatio(keys []string, entries int) float64 {
	counts := map[string]int{}
	for _, key := range keys {
		counts[key]++
	}
	var all []int
	for _, n := range counts {
		all = append(all, n)
	}
	slices.Sort(all)
	sum := 0
	for _, n := range all[max(len(all)-entries, 0):] {
		sum += n
	}
	return float64(sum) / float64(len(keys))
}

// ratios are the hit ratios of one stream, a round each.
type ratios struct {
	requests, fit int
	ours, hasty   []float64 // with time in between, and back to back
	top           []float64
	others        [][]float64 // as policies are
}

func (a *ratios) round(ctx context.Context, s stream, keys []string) error {
	a.requests = len(keys)
	hasty, _, err := nearRatio(ctx, s, keys, func() {})
	if err != nil {
		return err
	}
	// On one processor, whatever else is to be done is done when the caller yields.
	processors := runtime.GOMAXPROCS(1)
	ours, fit, err := nearRatio(ctx, s, keys, runtime.Gosched)
	runtime.GOMAXPROCS(processors)
	if err != nil {
		return err
	}
	a.hasty, a.ours, a.fit = append(a.hasty, hasty), append(a.ours, ours), fit
	a.top = append(a.top, topRatio(keys, a.fit))
	if a.others == nil {
		a.others = make([][]float64, len(policies))
	}
	for i, p := range policies {
		hit, end, err := p.open(a.fit)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		a.others[i] = append(a.others[i], hitRatio(keys, hit))
		end()
	}
	return nil
}

func hitratioSuite(ctx context.Context, b *bench) (r report, err error) {
	all := make([]ratios, len(streams))
	rounds := min(b.rounds, 3) // they hardly differ
	for round := range rounds {
		for i, s := range streams {
			keys, err := s.keys(ctx, b, b.ops(s.requests), uint64(round+1))
			if err != nil {
				return r, fmt.Errorf("%s: %w", s.name, err)
			}
			if err := all[i].round(ctx, s, keys); err != nil {
				return r, fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}
	r.hitRatios(all)
	r.Notes = append(r.Notes,
		fmt.Sprintf("Medians of %d rounds, each with a stream of its own, from an empty cache on; what fits is what the near tier holds at the end, and all others have room for as many", rounds),
		"The static top is of the keys that are wanted most, known beforehand, and there from the beginning: no cache does better on a stream that does not change; on one that does, they may",
		"Requests come one by one, and what a cache puts off (all but LRU do) is done before the next; but for the column “back to back”, which is of `Fetch` when the next request comes at once: its policy then sees less",
	)
	for _, s := range streams {
		r.Notes = append(r.Notes, "“"+s.name+"”: "+s.source)
	}
	return r, nil
}

// hitRatios adds them to the report.
func (r *report) hitRatios(all []ratios) {
	r.Head = []string{"requests", "number", "entries that fit", "`Fetch`", "back to back", "static top"}
	for _, p := range policies {
		r.Head = append(r.Head, p.name)
	}
	percent := func(rounds []float64) string { return markdown.Number(100*figureOf(rounds).Median) + " %" }
	for i, s := range streams {
		a := all[i]
		row := []string{s.name, markdown.Number(float64(a.requests)), markdown.Number(float64(a.fit)), percent(a.ours), percent(a.hasty), percent(a.top)}
		for _, rounds := range a.others {
			row = append(row, percent(rounds))
		}
		r.Rows = append(r.Rows, row)
		if strings.HasPrefix(s.name, zipfName) {
			var behind []float64
			for round := range a.ours {
				behind = append(behind, 100*(a.top[round]-a.ours[round]))
			}
			r.Goals = append(r.Goals, goal{Work: "hit ratio, " + s.name, Against: "static top-K", Bound: 3, Unit: "points", Got: figureOf(behind)})
		}
	}
}
