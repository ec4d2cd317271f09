package cache_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// step is something that happens to two replicas over one store, and for how long nothing does after it.
type step struct {
	what    string
	replica int
	key     int
	scope   string
	mode    cache.Mode
	fault   fault
	yes     bool
	then    time.Duration
}

func (s step) String() string {
	return fmt.Sprintf("{%s replica=%d key=%d scope=%s soft=%t fault=%d yes=%t then=%s}", s.what, s.replica, s.key, s.scope, s.mode, s.fault, s.yes, s.then)
}

var steps = rapid.Custom(func(t *rapid.T) step {
	return step{
		what:    rapid.SampledFrom([]string{"fetch", "fetch", "fetch", "fetch", "fetch", "purge", "purge", "load", "fault", "cut", "lose"}).Draw(t, "what"),
		replica: rapid.IntRange(0, 1).Draw(t, "replica"),
		key:     rapid.IntRange(0, 1).Draw(t, "key"),
		scope:   rapid.SampledFrom([]string{"key", "tag", "both", "all"}).Draw(t, "scope"),
		mode:    cache.Mode(rapid.Bool().Draw(t, "soft")),
		fault:   rapid.SampledFrom([]fault{well, well, refuses, unheardOf, hangs}).Draw(t, "fault"),
		yes:     rapid.Bool().Draw(t, "yes"),
		then: rapid.SampledFrom([]time.Duration{
			0, 0, time.Millisecond, 3 * time.Millisecond, 20 * time.Millisecond, 300 * time.Millisecond, time.Second, 6 * time.Second, 25 * time.Second,
		}).Draw(t, "then"),
	}
})

const (
	modelTTL     = 20 * time.Second
	modelStale   = 10 * time.Second
	modelIfError = 60 * time.Second
	modelTimeout = 5 * time.Second // of a load, and of the wait for another's
	inTouch      = 3 * time.Second // after which a replica whose store is well and which hears knows all
)

// moment is in virtual time, and among all others.
type moment struct {
	at time.Time
	n  int64
}

// model is what happened.
type model struct {
	started time.Time
	clock   atomic.Int64
	far     *storetest.Memory
	stores  [2]*shaky
	caches  [2]*cache.Cache

	loadKind atomic.Int64

	mu      sync.Mutex
	loads   []*modelLoad // by version
	fetches []modelFetch
	purges  []modelPurge
	ill     [2][]moment // when it was well no more, and when again, in turns
	cut     []moment    // likewise
	lost    []moment
}

type modelLoad struct {
	key         int
	from, until moment
	failed      bool
}

type modelFetch struct {
	replica, key int
	from, until  moment
	version      int
	result       cache.Result
	err          error
}

type modelPurge struct {
	step
	from, until moment
	err         error
}

func (m *model) now() moment { return moment{time.Now(), m.clock.Add(1)} }

func (m *model) fetch(replica, key int) {
	f := modelFetch{replica: replica, key: key, from: m.now()}
	ctx, recorder := cache.WithRecorder(context.Background())
	v, err := cache.Fetch(ctx, m.caches[replica], strconv.Itoa(key), func(ctx context.Context) (int, error) { return m.load(ctx, key) })
	f.version, f.err, f.until = v, err, m.now()
	f.result, _ = recorder.Result()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fetches = append(m.fetches, f)
}

// load brings the next version, takes its time, or fails.
func (m *model) load(ctx context.Context, key int) (int, error) {
	l := &modelLoad{key: key, from: m.now()}
	m.mu.Lock()
	version := len(m.loads)
	m.loads = append(m.loads, l)
	m.mu.Unlock()
	cache.AddTags(ctx, "tag"+strconv.Itoa(key), "both")
	kind := m.loadKind.Load()
	if kind == 1 {
		time.Sleep(2 * time.Second)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	l.until, l.failed = m.now(), kind == 2
	if l.failed {
		return 0, errOrigin
	}
	return version, nil
}

func (m *model) purge(s step) {
	p := modelPurge{step: s, from: m.now()}
	c, ctx := m.caches[s.replica], context.Background()
	switch s.scope {
	case "key":
		p.err = c.PurgeKey(ctx, s.mode, "v:"+strconv.Itoa(s.key))
	case "tag":
		p.err = c.PurgeTags(ctx, s.mode, "tag"+strconv.Itoa(s.key))
	case "both":
		p.err = c.PurgeTags(ctx, s.mode, "x", "both")
	case "all":
		p.err = c.PurgeAll(ctx, s.mode)
	}
	p.until = m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.purges = append(m.purges, p)
}

func (m *model) setFault(replica int, f fault) {
	m.stores[replica].is(f)
	if (f != well) != (len(m.ill[replica])%2 == 1) {
		m.ill[replica] = append(m.ill[replica], m.now())
	}
}

func (m *model) setCut(yes bool) {
	m.far.Cut(yes)
	if yes != (len(m.cut)%2 == 1) {
		m.cut = append(m.cut, m.now())
	}
}

// quiet tells whether none of what began and ended by turns was between the two times.
func quiet(turns []moment, from, until time.Time) bool {
	for i := 0; i < len(turns); i += 2 {
		if turns[i].at.After(until) {
			return true
		}
		if i+1 == len(turns) || !turns[i+1].at.Before(from) {
			return false
		}
	}
	return true
}

// simulate returns what was wrong.
func simulate(t *testing.T, all []step, soft time.Duration) (wrong []string) {
	synctest.Test(t, func(t *testing.T) {
		m := &model{far: new(storetest.Memory), started: time.Now()}
		for i := range m.caches {
			m.stores[i] = &shaky{Memory: m.far, takes: 4 * time.Millisecond}
			m.caches[i] = newCache(t, m.stores[i], cache.Options{
				TTL: modelTTL, Stale: cache.Staleness{WhileRevalidate: modelStale, IfError: modelIfError, SoftTimeout: soft},
				Limits: cache.Limits{LoadTimeout: modelTimeout}, Tuning: cache.Tuning{NearTTL: 5 * time.Second, Lease: time.Second, NoWhatIf: true},
			})
		}
		time.Sleep(inTouch)
		var running sync.WaitGroup
		for _, s := range all {
			switch s.what {
			case "fetch":
				running.Go(func() { m.fetch(s.replica, s.key) })
			case "purge":
				running.Go(func() { m.purge(s) })
			case "load":
				m.loadKind.Store(int64(s.fault) % 3)
			case "fault":
				m.setFault(s.replica, s.fault)
			case "cut":
				m.setCut(s.yes)
			case "lose":
				m.far.Lose()
				m.lost = append(m.lost, m.now())
			}
			time.Sleep(s.then)
			synctest.Wait()
		}
		running.Wait()
		for i := range m.caches {
			m.setFault(i, well)
		}
		m.setCut(false)
		m.loadKind.Store(0)
		time.Sleep(15 * time.Second) // until all is as it should be
		for range 2 {
			for i := range 4 {
				m.fetch(i%2, i/2)
			}
			time.Sleep(inTouch)
		}
		synctest.Wait()
		wrong = m.judge()
	})
	return wrong
}

func (m *model) judge() (wrong []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range m.fetches {
		say := func(format string, args ...any) {
			wrong = append(wrong, fmt.Sprintf("at %s, #%d: replica %d, key %d: version %d, %+v, %v: ", f.from.at.Sub(m.started), f.from.n, f.replica, f.key, f.version, f.result, f.err)+
				fmt.Sprintf(format, args...))
		}
		if took := f.until.at.Sub(f.from.at); took > 2*modelTimeout+time.Second {
			say("it took %s", took)
		}
		if f.err != nil {
			failed := false
			for _, l := range m.loads {
				failed = failed || l.failed && l.key == f.key && !l.until.at.Before(f.from.at.Add(-10*time.Millisecond)) && !l.until.at.After(f.until.at)
			}
			if !failed {
				say("no load failed meanwhile")
			}
			continue
		}
		l := m.loads[f.version]
		if l.key != f.key || l.failed {
			say("a load of key %d, failed: %t", l.key, l.failed)
		}
		limit, kept := map[cache.Outcome]time.Duration{cache.Hit: modelTTL, cache.Stale: modelTTL + modelStale, cache.StaleError: modelTTL + modelIfError}[f.result.Outcome]
		if age := f.until.at.Sub(l.until.at); kept && age > limit+200*time.Millisecond {
			say("its age is %s", age)
		}
		for _, p := range m.purges {
			if p.concerns(f.key) && l.from.n < p.from.n && m.knows(p, f) && (p.mode == cache.Hard || f.result.Outcome == cache.Hit) {
				say("loaded at %s, #%d, before the purge %s at %s, #%d to %d, %v", l.from.at.Sub(m.started), l.from.n, p.step, p.from.at.Sub(m.started), p.from.n, p.until.n, p.err)
			}
		}
	}
	last := m.fetches[len(m.fetches)-4:]
	for i := range 2 {
		if a, b := last[2*i], last[2*i+1]; a.err != nil || b.err != nil || a.result.Outcome == cache.Hit && b.result.Outcome == cache.Hit && a.version != b.version {
			wrong = append(wrong, fmt.Sprintf("in the end the replicas say %+v and %+v", a, b))
		}
	}
	return wrong
}

func (p modelPurge) concerns(key int) bool {
	return p.scope == "all" || p.scope == "both" || p.key == key
}

// knows tells whether f's replica had heard of p when f began, as far as that is promised.
func (m *model) knows(p modelPurge, f modelFetch) bool {
	if p.replica == f.replica {
		return p.until.n < f.from.n
	}
	told := p.until.at
	if p.err != nil { // the store is told once it is back
		for ; !quiet(m.ill[p.replica], told, told.Add(inTouch)); told = told.Add(50 * time.Millisecond) {
			if told.After(f.from.at) {
				return false
			}
		}
		told = told.Add(inTouch)
	}
	if p.err == nil && len(m.cut) == 0 && len(m.lost) == 0 {
		return f.from.at.After(told)
	}
	since := f.from.at.Add(-inTouch)
	return since.After(told) && quiet(m.ill[f.replica], since, f.from.at) && quiet(m.cut, since, f.from.at)
}

// TestModel holds two replicas to what their documentation promises, whatever happens to them and their store: no
// value from before a purge, none past its windows, no error but a load's. More: -rapid.checks=10000.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		all := rapid.SliceOfN(steps, 1, 60).Draw(rt, "steps")
		soft := rapid.SampledFrom([]time.Duration{0, 500 * time.Millisecond}).Draw(rt, "soft timeout")
		if wrong := simulate(t, all, soft); len(wrong) > 0 {
			rt.Fatal(strings.Join(wrong, "\n"))
		}
	})
}
