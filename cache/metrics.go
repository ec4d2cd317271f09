package cache

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/trace"
)

// answers are the pairs of outcome and tier that can be, so that each has its series from the start.
var answers = map[Outcome][]Tier{
	Hit: {Near, Far}, Stale: {Near, Far}, StaleError: {Near, Far}, Revalidated: {Near, Far},
	Miss: {None}, Coalesced: {None}, Bypass: {None}, Rejected: {None},
}

type metrics struct {
	requests       map[Outcome]map[Tier]prometheus.Counter
	nearHits       prometheus.Counter
	others         atomic.Int64 // answers that the near tier might have given, were it larger
	loading        atomic.Int64
	loadOK         prometheus.Observer
	loadError      prometheus.Observer
	saved          atomic.Int64 // microseconds: nanoseconds of a busy cache would overflow in days
	age            prometheus.Observer
	evictedSize    prometheus.Counter
	evictedExpired prometheus.Counter
	purged         map[string]prometheus.Counter // by scope

	own    []prometheus.Collector
	labels prometheus.Labels
}

func newMetrics(name string) *metrics {
	m := &metrics{labels: prometheus.Labels{"cache": name}}

	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "cache_requests_total", Help: "Answers by outcome and tier, one each.", ConstLabels: m.labels,
	}, []string{"outcome", "tier"})
	m.requests = make(map[Outcome]map[Tier]prometheus.Counter, len(answers))
	for outcome, tiers := range answers {
		m.requests[outcome] = make(map[Tier]prometheus.Counter, len(tiers))
		for _, tier := range tiers {
			m.requests[outcome][tier] = requests.WithLabelValues(string(outcome), string(tier))
		}
	}

	m.nearHits = m.requests[Hit][Near]

	loads := prometheus.NewHistogramVec(histogram("cache_load_duration_seconds",
		"Duration of loads from the origin.", m.labels, loadBuckets), []string{"result"})
	m.loadOK, m.loadError = loads.WithLabelValues("ok"), loads.WithLabelValues("error")

	loading := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cache_loads_in_flight", Help: "Loads from the origin that are under way.", ConstLabels: m.labels,
	}, func() float64 { return float64(m.loading.Load()) })

	saved := prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "cache_saved_seconds_total", ConstLabels: m.labels,
		Help: "Seconds of the origin that hits did not spend: the sum of what their loads had taken.",
	}, func() float64 { return float64(m.saved.Load()) / 1e6 })
	// Without native buckets, which twice as much of a hit's time would go into: of ages nobody needs the third digit.
	age := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "cache_age_seconds", Help: "Age of the kept values that were served.", ConstLabels: m.labels, Buckets: ageBuckets,
	})
	m.age = age

	evictions := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "cache_evictions_total", ConstLabels: m.labels,
		Help: "Entries that left the near tier: for want of room (size) or past their time (expired).",
	}, []string{"cause"})
	m.evictedSize, m.evictedExpired = evictions.WithLabelValues("size"), evictions.WithLabelValues("expired")

	purges := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "cache_purges_total", Help: "Purges that were asked for, by what they name.", ConstLabels: m.labels,
	}, []string{"scope"})
	m.purged = make(map[string]prometheus.Counter)
	for _, scope := range []string{"key", "tags", "all"} {
		m.purged[scope] = purges.WithLabelValues(scope)
	}

	m.own = []prometheus.Collector{requests, loads, loading, saved, age, evictions, purges}

	return m
}

// fill adds the gauges of how full the near tier is.
func (m *metrics) fill(n *near) {
	gauge := func(name, help string, value func() float64) {
		m.own = append(m.own, prometheus.NewGaugeFunc(
			prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: m.labels}, value))
	}
	gauge("cache_bytes", "Bytes in the near tier, entries' overhead included.", func() float64 {
		if n == nil {
			return 0
		}
		return float64(n.otter.WeightedSize())
	})
	gauge("cache_capacity_bytes", "Bytes that the near tier may hold.", func() float64 {
		if n == nil {
			return 0
		}
		return float64(n.otter.GetMaximum())
	})
	gauge("cache_entries", "Entries in the near tier.", func() float64 {
		if n == nil {
			return 0
		}
		return float64(n.otter.EstimatedSize())
	})
}

// breaker adds the gauge of whether the far tier is in use.
func (m *metrics) breaker(f *farTier) {
	m.own = append(m.own, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "cache_breaker_state",
		Help:        "Whether calls of the far tier are made (0) or left out because it fails (1).",
		ConstLabels: prometheus.Labels{"cache": m.labels["cache"], "store": f.label},
	}, func() float64 {
		if f.usable() {
			return 0
		}
		return 1
	}))
}

// simulable is how many answers the near tier gave, or might have given.
func (m *metrics) simulable() int64 {
	return counted(m.nearHits) + m.others.Load()
}

// counted is where a counter stands.
func counted(c prometheus.Counter) int64 {
	var now dto.Metric
	_ = c.Write(&now) // it never fails
	return int64(now.GetCounter().GetValue())
}

// whatIf adds the gauges of the simulation.
func (m *metrics) whatIf(s *simulator) {
	for i, c := range capacities {
		m.own = append(m.own, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name:        "cache_whatif_hit_ratio",
			Help:        "Hit ratio of the last 5 to 10 minutes, were the near tier so many times as large. Estimated.",
			ConstLabels: prometheus.Labels{"cache": m.labels["cache"], "capacity": c.label},
		}, func() float64 { return s.ratio(i) }))
	}
}

// register leaves nothing behind where it fails.
func (m *metrics) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	for i, c := range m.own {
		if err := r.Register(c); err != nil {
			for _, done := range m.own[:i] {
				r.Unregister(done)
			}
			return err
		}
	}
	return nil
}

func (m *metrics) unregister(r prometheus.Registerer) {
	if r == nil {
		return
	}
	for _, c := range m.own {
		r.Unregister(c)
	}
}

func (m *metrics) answered(res *Result, e *entry) {
	if res.Outcome == Hit && res.Tier == Near {
		m.nearHits.Inc() // looked up once: the other series are those of slower answers
	} else {
		m.requests[res.Outcome][res.Tier].Inc()
		if res.Outcome == Hit || res.Outcome == Stale || res.Stored {
			m.others.Add(1)
		}
	}
	switch res.Outcome {
	case Hit, Stale:
		e.hits.Add(1)
		m.saved.Add(e.cost.Microseconds())
		fallthrough
	case StaleError:
		m.age.Observe(res.Age.Seconds())
	}
}

func (m *metrics) loaded(d time.Duration, failed bool, sc trace.SpanContext) {
	o := m.loadOK
	if failed {
		o = m.loadError
	}
	observe(o, d, sc)
}

// observe records d, with the span as its exemplar if it is sampled: only then is there a trace to be found.
func observe(o prometheus.Observer, d time.Duration, sc trace.SpanContext) {
	if !sc.IsSampled() {
		o.Observe(d.Seconds())
		return
	}
	o.(prometheus.ExemplarObserver).ObserveWithExemplar(d.Seconds(), prometheus.Labels{
		"trace_id": sc.TraceID().String(), "span_id": sc.SpanID().String(),
	})
}

// Classic bucket bounds in seconds; native buckets are finer.
var (
	loadBuckets  = []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	ageBuckets   = []float64{1, 5, 15, 30, 60, 300, 900, 3600, 21600, 86400}
	storeBuckets = []float64{.00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1}
)

func histogram(name, help string, labels prometheus.Labels, buckets []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: name, Help: help, ConstLabels: labels, Buckets: buckets,
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  100,
		NativeHistogramMinResetDuration: time.Hour,
	}
}
