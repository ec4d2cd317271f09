package telemetry

import (
	"sort"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
)

// series is a histogram of durations that leaves exemplars.
type series struct {
	histogram prometheus.ExemplarObserver
	// exemplars tells for each classic bucket when it was given one, in nanoseconds since 1970.
	exemplars []atomic.Int64
}

func newSeries(o prometheus.Observer) *series {
	return &series{o.(prometheus.ExemplarObserver), make([]atomic.Int64, len(seconds)+1)}
}

// exemplarEvery is how often a bucket is given an exemplar. One costs many times what the observation does,
// and a scrape, once in seconds, sees the last of each bucket only.
const exemplarEvery = 100 * time.Millisecond

// observe records d, which ended at now, with the span as its exemplar if the span is sampled: only then is there a trace to be
// found.
func (s *series) observe(d time.Duration, now time.Time, sc trace.SpanContext) {
	v := d.Seconds()
	if !sc.IsSampled() || !s.due(v, now.UnixNano()) {
		s.histogram.(prometheus.Observer).Observe(v)
		return
	}
	s.histogram.ObserveWithExemplar(v, prometheus.Labels{
		"trace_id": sc.TraceID().String(), "span_id": sc.SpanID().String(),
	})
}

func (s *series) due(v float64, now int64) bool {
	last := &s.exemplars[sort.SearchFloat64s(seconds, v)]
	before := last.Load()
	return now-before >= int64(exemplarEvery) && last.CompareAndSwap(before, now)
}
