package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// fault is what a drill does to the loads of one cache. It ends by itself, so that none is forgotten.
type fault struct {
	Cache     string    `json:"cache"`
	Delay     seconds   `json:"delay_seconds"`
	ErrorRate float64   `json:"error_rate"` // the share of loads that fail, 0 to 1
	Until     time.Time `json:"until"`
}

const (
	faultFor     = 5 * time.Minute
	faultLongest = time.Hour
)

var errFault = errors.New("a fault of a drill")

// faults are the faults in force. A nil one injects none and takes none.
type faults struct {
	caches []string // that there are

	mu     sync.Mutex
	active map[string]fault // by cache
}

func newFaults(c caches) *faults {
	f := &faults{active: map[string]fault{}}
	for _, each := range c.all() {
		f.caches = append(f.caches, each.Name())
	}
	return f
}

// inject does to a load of a cache what is in force, and says so on its span. Its error is errFault, or ctx's.
func (f *faults) inject(ctx context.Context, cache string) error {
	now, ok := f.of(cache)
	if !ok {
		return nil
	}
	span := trace.SpanFromContext(ctx)
	if now.Delay > 0 {
		span.SetAttributes(attribute.Float64("vitrine.fault.delay", float64(now.Delay)))
		select {
		case <-time.After(now.Delay.duration()):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if rand.Float64() < now.ErrorRate {
		span.SetAttributes(attribute.Bool("vitrine.fault.error", true))
		return errFault
	}
	return nil
}

func (f *faults) of(cache string) (fault, bool) {
	if f == nil {
		return fault{}, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now, ok := f.active[cache]
	return now, ok && time.Now().Before(now.Until)
}

// origin is next with the faults of a cache.
func (f *faults) origin(cache string, next http.Handler) http.Handler {
	if f == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch err := f.inject(r.Context(), cache); {
		case errors.Is(err, errFault):
			problem(w, http.StatusInternalServerError, err.Error())
		case err != nil:
			brokenOff(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// list are the faults in force.
func (f *faults) list() []fault {
	all := []fault{}
	for _, name := range f.caches {
		if now, ok := f.of(name); ok {
			all = append(all, now)
		}
	}
	return all
}

// set puts a fault in the place of what those caches had; without any, all have none.
func (f *faults) set(each ...fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(each) == 0 {
		clear(f.active)
	}
	for _, one := range each {
		f.active[one.Cache] = one
	}
}

// parse reads what PUT /debug/faults asks for: delay, error_rate, or both, of cache (all of them) and for
// how long (five minutes).
func (f *faults) parse(query url.Values, now time.Time) ([]fault, error) {
	allowed := []string{"cache", "delay", "error_rate", "for"}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !slices.Contains(allowed, name) {
			return nil, fmt.Errorf("there is no parameter %q; there are %q", name, allowed)
		}
	}
	caches := f.caches
	if name := query.Get("cache"); name != "" {
		if !slices.Contains(f.caches, name) {
			return nil, fmt.Errorf("there is no cache %q; there are %q", name, f.caches)
		}
		caches = []string{name}
	}
	delay, err := durationIn(query, "delay", 0, time.Minute)
	if err != nil {
		return nil, err
	}
	lasts, err := durationIn(query, "for", faultFor, faultLongest)
	if err != nil {
		return nil, err
	}
	rate := 0.0
	if text := query.Get("error_rate"); text != "" {
		if rate, err = strconv.ParseFloat(text, 64); err != nil || !(rate >= 0 && rate <= 1) { // NaN is neither
			return nil, fmt.Errorf("error_rate must be from 0 to 1, not %q", text)
		}
	}
	if delay == 0 && rate == 0 {
		return nil, errors.New("a fault has a delay, such as 3s, an error_rate, such as 0.5, or both")
	}
	all := make([]fault, len(caches))
	for i, name := range caches {
		all[i] = fault{name, seconds(delay.Seconds()), rate, now.Add(lasts).UTC()}
	}
	return all, nil
}

func durationIn(query url.Values, name string, initial, most time.Duration) (time.Duration, error) {
	text := query.Get(name)
	if text == "" {
		return initial, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > most {
		return 0, fmt.Errorf("%s must be a duration above 0s, at most %s, not %q", name, most, text)
	}
	return d, nil
}

// showFaults is GET /debug/faults: what is in force.
func (s *server) showFaults(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.faults.list())
}

// setFaults is PUT /debug/faults: see parse.
func (s *server) setFaults(w http.ResponseWriter, r *http.Request) {
	all, err := s.faults.parse(r.URL.Query(), time.Now())
	if err != nil {
		problem(w, http.StatusBadRequest, err.Error())
		return
	}
	s.faults.set(all...)
	for _, one := range all {
		s.telemetry.Logger.WarnContext(r.Context(), "fault injected", "cache", one.Cache,
			"delay", one.Delay.duration(), "error_rate", one.ErrorRate, "until", one.Until)
	}
	s.showFaults(w, r)
}

// endFaults is DELETE /debug/faults.
func (s *server) endFaults(w http.ResponseWriter, r *http.Request) {
	s.faults.set()
	s.telemetry.Logger.InfoContext(r.Context(), "faults ended")
	w.WriteHeader(http.StatusNoContent)
}
