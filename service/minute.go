package main

import (
	"context"
	"encoding/json"
	"math/bits"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"vitrine/cache"
)

// minute knows how this replica answered in the last minute. It takes a sample of ever-growing totals each second: the
// difference of two is what came between them.
type minute struct {
	caches   caches
	instance string
	hits     durations
	misses   durations

	mu      sync.Mutex
	samples []totals // the oldest first, at most one more than seconds
	answer  []byte   // to GET /minute, until the next sample; nil: nobody has asked
}

const minuteSeconds = 60

// totals are counted since the start.
type totals struct {
	at           time.Time
	answers      map[cache.Outcome]int64
	saved        time.Duration
	loading      int // now
	hits, misses [durationBuckets]uint64
}

func newMinute(c caches, instance string) *minute {
	m := &minute{caches: c, instance: instance}
	m.samples = []totals{m.now()}
	return m
}

// handler is next, of whose answers those that a cache gave are measured: as Cache-Status tells them.
func (m *minute) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		next.ServeHTTP(w, r)
		if status := w.Header()["Cache-Status"]; len(status) > 0 {
			switch _, how, _ := strings.Cut(status[len(status)-1], "; "); {
			case strings.HasPrefix(how, "hit"):
				m.hits.add(time.Since(start))
			case strings.HasSuffix(how, "; stored"):
				m.misses.add(time.Since(start))
			}
		}
	})
}

// watch takes the samples until ctx ends.
func (m *minute) watch(ctx context.Context) {
	each := time.NewTicker(time.Second)
	defer each.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-each.C:
			m.sample()
		}
	}
}

func (m *minute) sample() {
	now := m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.samples) > minuteSeconds {
		m.samples = append(m.samples[:0], m.samples[1:]...)
	}
	m.samples, m.answer = append(m.samples, now), nil
}

func (m *minute) now() totals {
	t := totals{at: time.Now(), answers: map[cache.Outcome]int64{}, hits: m.hits.counts(), misses: m.misses.counts()}
	for _, c := range m.caches.all() {
		s := c.Stats()
		t.saved += s.Saved
		t.loading += s.Loading
		for outcome, n := range s.Answers {
			t.answers[outcome] += n
		}
	}
	return t
}

// lastMinute is the answer to GET /minute, of one replica. Whoever hears of several adds up what they say.
type lastMinute struct {
	Instance     string                  `json:"instance"`
	Seconds      float64                 `json:"seconds"` // of the minute, as far as the replica has lived
	Answers      map[cache.Outcome]int64 `json:"answers"`
	SavedSeconds float64                 `json:"saved_seconds"`
	Loading      int                     `json:"loads_in_flight"`
	Hits         []durationCount         `json:"hits"`   // how many took so long
	Misses       []durationCount         `json:"misses"` // likewise, of those that ran the origin
}

// serve is GET /minute. However many watch, it is computed once a second.
func (m *minute) serve(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store") // the next may come from another replica
	_, _ = w.Write(m.shown())                   // a client that is gone: the server notices
}

func (m *minute) shown() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.answer == nil {
		first, last := m.samples[0], m.samples[len(m.samples)-1]
		l := lastMinute{
			Instance: m.instance, Seconds: last.at.Sub(first.at).Seconds(), Answers: map[cache.Outcome]int64{},
			SavedSeconds: (last.saved - first.saved).Seconds(), Loading: last.loading,
			Hits: between(first.hits, last.hits), Misses: between(first.misses, last.misses),
		}
		for outcome, n := range last.answers {
			l.Answers[outcome] = n - first.answers[outcome]
		}
		m.answer, _ = json.Marshal(l) // numbers and names: it never fails
	}
	return m.answer
}

// durations counts durations in buckets a quarter of a power of two wide, in microseconds.
type durations [durationBuckets]atomic.Uint64

const durationBuckets = 4 * 26 // more than a minute

func (d *durations) add(took time.Duration) {
	us := uint64(max(took.Microseconds(), 0)) + 4
	shift := bits.Len64(us) - 3
	d[min(4*shift+int(us>>shift)-4, durationBuckets-1)].Add(1)
}

func (d *durations) counts() (n [durationBuckets]uint64) {
	for i := range d {
		n[i] = d[i].Load()
	}
	return n
}

// durationCount is how long so many answers took at most, in milliseconds.
type durationCount struct {
	Milliseconds float64 `json:"ms"`
	Count        uint64  `json:"n"`
}

func between(before, after [durationBuckets]uint64) []durationCount {
	counts := []durationCount{}
	for i := range after {
		if n := after[i] - before[i]; n > 0 {
			end := uint64(5+i%4)<<(i/4) - 4
			counts = append(counts, durationCount{float64(end) / 1000, n})
		}
	}
	return counts
}
