package cache

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
)

// Results of a call in cache_store_duration_seconds.
const (
	resultOK      = "ok"
	resultMiss    = "miss"
	resultError   = "error"
	resultCorrupt = "corrupt" // it did not decode, and counts as a miss
)

// storeMetrics are those of one store. All caches of a registerer share them: the labels name the store
// and not the cache.
type storeMetrics struct {
	calls map[storeCall]prometheus.Observer
	lag   prometheus.Observer
}

type storeCall struct{ op, result string }

func newStoreMetrics(r prometheus.Registerer, store string) (*storeMetrics, error) {
	duration, err := registered(r, prometheus.NewHistogramVec(histogram("cache_store_duration_seconds",
		"Duration of calls of the far tier, seen from this process.", nil, storeBuckets), []string{"store", "op", "result"}))
	if err != nil {
		return nil, err
	}
	lag, err := registered(r, prometheus.NewHistogramVec(histogram("cache_coherence_lag_seconds",
		"Time from a purge or a new value until this process had dropped its own.", nil, storeBuckets), []string{"store"}))
	if err != nil {
		return nil, err
	}
	m := &storeMetrics{make(map[storeCall]prometheus.Observer), lag.WithLabelValues(store)}
	reads, others := []string{resultOK, resultMiss, resultError, resultCorrupt}, []string{resultOK, resultError}
	for op, results := range map[string][]string{
		"get": reads, "acquire": reads, "set": others, "delete": others, "renew": others, "fill": others, "purge": others, "purges": others,
	} {
		for _, result := range results {
			m.calls[storeCall{op, result}] = duration.WithLabelValues(store, op, result)
		}
	}
	return m, nil
}

// registered is c, or what a cache before this one registered in its place. A nil r keeps nothing.
func registered[C prometheus.Collector](r prometheus.Registerer, c C) (C, error) {
	if r == nil {
		return c, nil
	}
	err := r.Register(c)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		return already.ExistingCollector.(C), nil
	}
	return c, err
}

func (m *storeMetrics) called(op, result string, d time.Duration, sc trace.SpanContext) {
	o, ok := m.calls[storeCall{op, result}]
	if !ok {
		o = m.calls[storeCall{op, resultError}] // a store that answers what it is not asked
	}
	observe(o, d, sc)
}

// lagged records how long a message took: less than nothing where the sender's clock is ahead.
func (m *storeMetrics) lagged(d time.Duration) { m.lag.Observe(max(d, 0).Seconds()) }
