package cache

import (
	"strings"
	"time"
)

// Entry is one of the near tier, as an operator sees it.
type Entry struct {
	Key     string        // PurgeKey takes it, and purges all variants and parts
	Variant string        // of a response that depends on what requests say, or a part: which; empty otherwise
	Bytes   int64         // its share of Options.Near
	Age     time.Duration // since it was loaded
	TTL     time.Duration // until it expires; negative if it has, and is not gone yet
	Cost    time.Duration // what its load took
	Hits    int64         // in this process, stale ones included
}

// Saved is the origin's time that the hits did not spend.
func (e Entry) Saved() time.Duration { return time.Duration(e.Hits) * e.Cost }

// Fill tells how full a near tier is. The zero value is that of none.
type Fill struct {
	Entries  int
	Bytes    int64
	Capacity int64 // bytes
}

// Stats is what a cache has done since it was made, and does. The zero value is that of one that has done nothing.
type Stats struct {
	Answers map[Outcome]int64
	Saved   time.Duration // the origin's time that hits and stale answers did not spend
	Loading int           // loads that are under way
}

// Stats says what cache_requests_total, cache_saved_seconds_total and cache_loads_in_flight do.
func (c *Cache) Stats() Stats {
	s := Stats{
		Answers: make(map[Outcome]int64, len(answers)),
		Saved:   time.Duration(c.metrics.saved.Load()) * time.Microsecond,
		Loading: int(c.metrics.loading.Load()),
	}
	for outcome, tiers := range c.metrics.requests {
		for _, counter := range tiers {
			s.Answers[outcome] += counted(counter)
		}
	}
	return s
}

// Name is Options.Name.
func (c *Cache) Name() string { return c.opts.Name }

// Fill tells how full the near tier is.
func (c *Cache) Fill() Fill {
	if c.near == nil {
		return Fill{}
	}
	o := c.near.otter
	return Fill{o.EstimatedSize(), int64(o.WeightedSize()), int64(o.GetMaximum())}
}

// Hottest are up to n entries of the near tier that it would give up last, in that order.
func (c *Cache) Hottest(n int) (entries []Entry) {
	if c.near == nil || n <= 0 {
		return nil
	}
	now := time.Now()
	for e := range c.near.otter.Hottest() {
		if e.Value.asGuide() != nil {
			continue
		}
		entries = append(entries, Entry{
			Key: e.Key.String(), Variant: e.Key.variant(), Bytes: int64(e.Weight), Age: e.Value.age(now), TTL: e.Value.expires.Sub(now),
			Cost: e.Value.cost, Hits: e.Value.hits.Load(),
		})
		if len(entries) == n {
			break
		}
	}
	return entries
}

// String is the key as Entry.Key has it: r:host/path?query of a response, v:key of a value of Fetch.
func (k entryKey) String() string {
	k = k.primary()
	if k.kind == kindPart {
		k.kind = kindResponse
	}
	return string(k.kind) + ":" + k.host + k.name
}

// variant is Entry.Variant.
func (k entryKey) variant() (text string) {
	if k.kind == kindVariant {
		text = k.name[len(k.name)-8:]
	}
	if k.primary().kind == kindPart {
		text = strings.TrimSpace(text + " part")
	}
	return text
}
