package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"time"

	"vitrine/cache"
	"vitrine/e2e/markdown"
)

// entriesVariable is how many entries of 1 KiB a contender has in memory.
const entriesVariable = "BENCH_ENTRIES"

var collectorContenders = enlist("collector",
	contender{name: "near hits over HTTP", env: unsampled, serve: filled, asks: collected()},
	contender{name: "what a hit leaves", env: unsampled, work: leaves},
)

var unsampled = []string{"OTEL_TRACES_SAMPLER=always_off"}

// filled is a server with the near tier that its environment says.
func filled(ctx context.Context) (http.Handler, error) {
	t, err := setup(ctx)
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(os.Getenv(entriesVariable))
	if err != nil {
		return nil, err
	}
	entries, err := cache.New(nil, cache.Options{
		Name: "entries", TTL: 24 * time.Hour, Near: 4 << 30, Registerer: t.Registry, TracerProvider: t.TracerProvider, Logger: t.Logger,
	})
	if err != nil {
		return nil, err
	}
	body := strings.Repeat("x", 1<<10)
	h := entries.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, body)
	}))
	percent := debug.SetGCPercent(400) // there is room, and little of it is garbage
	obey(order{Callers: runtime.GOMAXPROCS(0), Ops: n}, func(i int) {
		h.ServeHTTP(discard{}, httptest.NewRequestWithContext(ctx, http.MethodGet, entryPath(i), nil))
	})
	runtime.GC()
	debug.SetGCPercent(percent)
	if kept := entries.Fill().Entries; kept != n {
		return nil, fmt.Errorf("%d of %d entries are kept", kept, n)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /entries/", h) // to a wildcard ServeMux allocates once
	mux.HandleFunc("POST /collect", func(http.ResponseWriter, *http.Request) { go runtime.GC() })
	return t.Server(mux, nil), nil
}

func entryPath(i int) string { return "/entries/" + strconv.Itoa(i) }

// discard is an http.ResponseWriter that keeps the header alone.
type discard http.Header

func (d discard) Header() http.Header         { return http.Header(d) }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// leaves are near hits without a network: what net/http allocates for each is not theirs.
func leaves(ctx context.Context) (func(int), error) {
	h, err := nearHit(true)(ctx)
	if err != nil {
		return nil, err
	}
	r, w := httptest.NewRequestWithContext(ctx, http.MethodGet, "/slow", nil), discard{}
	return func(int) {
		clear(w)
		h.ServeHTTP(w, r)
	}, nil
}

// collected tells what the collector has done since it was last asked.
func collected() func() map[string]float64 {
	names := []string{"/gc/cycles/total:gc-cycles", "/sched/pauses/total/gc:seconds", "/cpu/classes/gc/total:cpu-seconds", "/cpu/classes/total:cpu-seconds", "/cpu/classes/idle:cpu-seconds", "/gc/heap/live:bytes"}
	var before []metrics.Sample
	return func() map[string]float64 {
		now := make([]metrics.Sample, len(names)) // with histograms of its own
		for i, name := range names {
			now[i].Name = name
		}
		metrics.Read(now)
		last := before
		if before = now; last == nil {
			return nil
		}
		seconds := func(i int) float64 { return now[i].Value.Float64() - last[i].Value.Float64() }
		pauses, until := now[1].Value.Float64Histogram(), last[1].Value.Float64Histogram()
		counts := slices.Clone(pauses.Counts)
		for i := range counts {
			counts[i] -= until.Counts[i]
		}
		return map[string]float64{
			"cycles": float64(now[0].Value.Uint64() - last[0].Value.Uint64()), "pause": 1e9 * quantile(.99, counts, pauses.Buckets),
			"collecting": seconds(2), "busy": seconds(3) - seconds(4), "live": float64(now[5].Value.Uint64()),
		}
	}
}

// quantile is the upper bound of the bucket that has it; 0 where nothing was counted.
func quantile(q float64, counts []uint64, bounds []float64) float64 {
	var all, below uint64
	for _, n := range counts {
		all += n
	}
	for i, n := range counts {
		if below += n; n > 0 && float64(below) >= q*float64(all) {
			if math.IsInf(bounds[i+1], 1) {
				return bounds[i]
			}
			return bounds[i+1]
		}
	}
	return 0
}

// few are so few visitors that they seldom wait for each other.
const few = 4

// tier is what is asked for entries of its near tier, and how that went.
type tier struct {
	name    string
	process *process
	entries int
	forced  bool // a collection begins with each round
	rounds  []tierRound
}

type tierRound struct {
	cost
	p50, p999, slowest              float64 // ns
	cycles, pause, collecting, busy float64
	live                            float64 // bytes
}

// measure is one round of it.
func (t *tier) measure(requests int) (cost, error) {
	before, err := t.process.order(0, 0)
	if err != nil {
		return cost{}, err
	}
	if t.forced {
		res, err := http.Post("http://"+t.process.addr+"/collect", "", nil)
		if err != nil {
			return cost{}, err
		}
		if err := res.Body.Close(); err != nil {
			return cost{}, err
		}
	}
	v, err := visitors(t.process.addr, few, requests, func(i int) []byte { return get(entryPath(i * 7919 % t.entries)) })
	if err != nil {
		return cost{}, err
	}
	after, err := t.process.order(0, 0)
	if err != nil {
		return cost{}, err
	}
	c := costOf(before, after, requests)
	c.p99 = float64(v.within(.99))
	t.rounds = append(t.rounds, tierRound{
		c, float64(v.within(.5)), float64(v.within(.999)), float64(v.within(1)),
		after.Figures["cycles"], after.Figures["pause"], after.Figures["collecting"], after.Figures["busy"], after.Figures["live"],
	})
	return c, nil
}

func (t *tier) of(field func(tierRound) float64) figure {
	var all []float64
	for _, round := range t.rounds {
		all = append(all, field(round))
	}
	return figureOf(all)
}

func (t *tier) sum(field func(tierRound) float64) (sum float64) {
	for _, round := range t.rounds {
		sum += field(round)
	}
	return sum
}

func (t *tier) row() []string {
	share := "–" // it counts when a collection ends
	if busy := t.sum(func(r tierRound) float64 { return r.busy }); busy > 0 {
		share = markdown.Number(100*t.sum(func(r tierRound) float64 { return r.collecting })/busy) + " %"
	}
	return []string{
		t.name, duration(t.of(func(r tierRound) float64 { return r.cpu }).Median),
		duration(t.of(func(r tierRound) float64 { return r.p50 }).Median), duration(t.of(func(r tierRound) float64 { return r.p99 }).Median),
		duration(t.of(func(r tierRound) float64 { return r.p999 }).Median), duration(t.of(func(r tierRound) float64 { return r.slowest }).High),
		markdown.Number(t.sum(func(r tierRound) float64 { return r.cycles })), share, duration(t.of(func(r tierRound) float64 { return r.pause }).Median),
		mebibytes(t.of(func(r tierRound) float64 { return r.live }).Median),
	}
}

// wholeAllocs are an operation's own, as testing.AllocsPerRun counts: a fraction is what a log line now and then leaves.
func wholeAllocs(c cost) float64 { return math.Floor(c.allocs) }

func collectorSuite(_ context.Context, b *bench) (r report, err error) {
	var processes []*process
	defer func() {
		for _, p := range processes {
			err = errors.Join(err, p.stop())
		}
	}()
	entries := []int{b.ops(1 << 10), b.ops(1 << 20)}
	for _, n := range entries {
		p, err := collectorContenders[0].start(fmt.Sprint(entriesVariable, "=", n))
		if err != nil {
			return r, err
		}
		processes = append(processes, p)
	}
	tiers := []*tier{
		{name: "1 MiB of bodies", process: processes[0], entries: entries[0]},
		{name: "1 GiB of bodies", process: processes[1], entries: entries[1]},
		{name: "1 GiB of bodies, while it is collected", process: processes[1], entries: entries[1], forced: true},
	}
	requests := b.ops(40_000)
	if _, err := b.turns(len(tiers), func(i int) (cost, error) { return tiers[i].measure(requests) }); err != nil {
		return r, err
	}
	r.Head = []string{"near hits of 1 KiB over HTTP/1.1", "CPU", "p50", "p99", "p99.9", "slowest", "collections", "their share of the CPU", "p99 of their pauses", "live heap"}
	for _, t := range tiers {
		r.Rows = append(r.Rows, t.row())
	}
	hits, err := b.working(collectorContenders[1:], 1, b.ops(200_000), b.ops(20_000))
	if err != nil {
		return r, err
	}
	r.Goals = []goal{{Work: "what a near hit leaves to collect", Against: "3 allocations", Bound: 3, Unit: "allocations", Got: hits[0].of(wholeAllocs)}}
	many, collecting := tiers[1], tiers[2]
	hit := many.of(func(r tierRound) float64 { return r.cpu }).Median
	until := many.of(func(r tierRound) float64 { return r.live / r.bytes }).Median // the heap has doubled
	collection := float64(requests) * (collecting.of(func(r tierRound) float64 { return r.cpu }).Median - hit)
	r.Notes = []string{
		fmt.Sprintf("%d connections ask for entries all over the near tier, each when its last answer has come: %s hits a round; of p50 to p99.9 and of pauses the medians of rounds are shown, of the slowest the highest", few, markdown.Number(float64(requests))),
		fmt.Sprintf("No request is sampled, and `GOGC` is as it comes: 1 MiB is collected all the time, and 1 GiB when it has doubled, once in %s hits; hence the last row, where a collection begins with each round. It takes %s of CPU time, which is %s %% of what the hits until the next take",
			markdown.Number(until), duration(collection), markdown.Number(100*collection/(until*hit))),
		"The goal's hits come without a network: net/http itself allocates more for each request",
	}
	return r, nil
}
