package cache_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"vitrine/cache"
	"vitrine/cache/storetest"
)

// ways are the two in which a value is asked for. What holds for one holds for the other.
var ways = map[string]func(testing.TB, *cache.Cache, string, func(context.Context) (string, error)) (string, cache.Result, error){
	"Fetch": fetch[string], "Handler": get,
}

// get is fetch through a Handler: an error of load is a 503.
func get(t testing.TB, c *cache.Cache, key string, load func(context.Context) (string, error)) (string, cache.Result, error) {
	t.Helper()
	ctx, recorder := cache.WithRecorder(t.Context())
	w := httptest.NewRecorder()
	c.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := load(r.Context())
		if err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = io.WriteString(w, v)
	})).ServeHTTP(w, httptest.NewRequest("GET", "http://host/"+key, nil).WithContext(ctx))
	result, ok := recorder.Result()
	if !ok {
		t.Error("no result was recorded")
	}
	if w.Code != http.StatusOK {
		return "", result, fmt.Errorf("status %d", w.Code)
	}
	return w.Body.String(), result, nil
}

// both runs a test in both ways.
func both(t *testing.T, run func(t *testing.T, ask func(testing.TB, *cache.Cache, string, func(context.Context) (string, error)) (string, cache.Result, error))) {
	for way, ask := range ways {
		t.Run(way, func(t *testing.T) { run(t, ask) })
	}
}

// origins is a load that takes its time, says how often it ran, and fails on demand.
type origins struct {
	takes time.Duration
	fails atomic.Bool
	asked atomic.Int64
}

var errOrigin = errors.New("no luck")

func (o *origins) load(context.Context) (string, error) {
	n := o.asked.Add(1)
	time.Sleep(o.takes)
	if o.fails.Load() {
		return "", errOrigin
	}
	return strconv.FormatInt(n, 10), nil
}

// fault is what is wrong with a store.
type fault int32

const (
	well      fault = iota
	refuses         // does nothing, and fails
	unheardOf       // does it, and fails: the answer was lost
	hangs           // does nothing until the context ends
)

// shaky is a Memory as one process sees it: calls take their time, there and back, and may fail.
type shaky struct {
	*storetest.Memory
	takes time.Duration
	fault atomic.Int32
	calls atomic.Int64
}

func (s *shaky) is(f fault) { s.fault.Store(int32(f)) }

func (s *shaky) call(ctx context.Context, do func() error) error {
	s.calls.Add(1)
	switch fault(s.fault.Load()) {
	case refuses:
		return errRefused
	case hangs:
		<-ctx.Done()
		return ctx.Err()
	}
	time.Sleep(s.takes / 2)
	err := do()
	time.Sleep(s.takes / 2)
	if fault(s.fault.Load()) == unheardOf {
		return errRefused
	}
	return err
}

func (s *shaky) Get(ctx context.Context, key string) (b []byte, err error) {
	err = s.call(ctx, func() (err error) { b, err = s.Memory.Get(ctx, key); return err })
	return b, err
}

func (s *shaky) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return s.call(ctx, func() error { return s.Memory.Set(ctx, key, value, ttl) })
}

func (s *shaky) Delete(ctx context.Context, keys ...string) error {
	return s.call(ctx, func() error { return s.Memory.Delete(ctx, keys...) })
}

func (s *shaky) Acquire(ctx context.Context, key string, seen []byte, token string, note []byte, ttl time.Duration) (a cache.Acquired, err error) {
	err = s.call(ctx, func() (err error) { a, err = s.Memory.Acquire(ctx, key, seen, token, note, ttl); return err })
	return a, err
}

func (s *shaky) Renew(ctx context.Context, key, token string, ttl time.Duration) (ok bool, err error) {
	err = s.call(ctx, func() (err error) { ok, err = s.Memory.Renew(ctx, key, token, ttl); return err })
	return ok, err
}

func (s *shaky) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration, message []byte) (ok bool, err error) {
	err = s.call(ctx, func() (err error) { ok, err = s.Memory.Fill(ctx, key, token, value, ttl, message); return err })
	return ok, err
}

func (s *shaky) Invalidate(ctx context.Context, key string, message []byte) error {
	return s.call(ctx, func() error { return s.Memory.Invalidate(ctx, key, message) })
}

func (s *shaky) Amend(ctx context.Context, key string, old, now, message []byte) error {
	return s.call(ctx, func() error { return s.Memory.Amend(ctx, key, old, now, message) })
}

func (s *shaky) Void(ctx context.Context, scope string, known cache.Mark, era string, p cache.Purge, message []byte) (m cache.Mark, err error) {
	err = s.call(ctx, func() (err error) { m, err = s.Memory.Void(ctx, scope, known, era, p, message); return err })
	return m, err
}

func (s *shaky) Purges(ctx context.Context, scope string, known cache.Mark, era string) (a cache.Account, err error) {
	err = s.call(ctx, func() (err error) { a, err = s.Memory.Purges(ctx, scope, known, era); return err })
	return a, err
}

// plain is a Store and no more.
type plain struct{ cache.Store }
