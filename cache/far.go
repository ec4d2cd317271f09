package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// farTier is a Store as the cache uses it: entries in envelopes, a deadline for each call, and errors that
// are measured, logged and then no more than a miss.
type farTier struct {
	store   Store
	name    string // of the cache: keys begin with it
	timeout time.Duration
	logger  *slog.Logger
	down    atomic.Bool // so that an outage is logged once, not with every call

	metrics *storeMetrics
	label   string
}

func newFarTier(store Store, o Options) (*farTier, error) {
	f := &farTier{store: store, name: o.Name, timeout: o.StoreTimeout, logger: o.Logger, label: "far"}
	if named, ok := store.(interface{ Name() string }); ok {
		f.label = named.Name()
	}
	var err error
	if f.metrics, err = newStoreMetrics(o.Registerer, f.label); err != nil {
		return nil, fmt.Errorf("cache: metrics of store %q: %w", f.label, err)
	}
	return f, nil
}

// get returns the fresh entry under k, or nil. decode makes its value from the payload.
func (f *farTier) get(ctx context.Context, k entryKey, decode func([]byte) (any, error)) *entry {
	if f == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	start := time.Now()
	e, err := f.fetch(ctx, k, decode)
	result := resultOK
	switch {
	case errors.Is(err, ErrNotFound):
		result, err = resultMiss, nil
	case errors.Is(err, errCorrupt):
		result = resultCorrupt
		f.logger.WarnContext(ctx, "far tier: corrupt entry, taken for a miss", "cache", f.name, "store", f.label, "error", err)
		err = nil
	case err != nil:
		result = resultError
	case !e.fresh(time.Now()):
		e, result = nil, resultMiss
	}
	f.called(ctx, "get", result, start, err)
	return e
}

func (f *farTier) fetch(ctx context.Context, k entryKey, decode func([]byte) (any, error)) (e *entry, err error) {
	defer catch(&err)
	b, err := f.store.Get(ctx, k.far(f.name))
	if err != nil {
		return nil, err
	}
	e, payload, err := open(k.kind, b)
	if err != nil {
		return nil, err
	}
	if e.value, err = guarded(decode, payload); err != nil {
		return nil, fmt.Errorf("%w: %w", errCorrupt, err)
	}
	if p, ok := e.value.(*response); ok {
		e.size = p.size()
	}
	return e, nil
}

// guarded decodes: what another version of the program wrote must not bring this one down.
func guarded(decode func([]byte) (any, error), payload []byte) (v any, err error) {
	defer catch(&err)
	return decode(payload)
}

// catch turns a panic into an error. It is to be deferred itself.
func catch(err *error) {
	if p := recover(); p != nil {
		*err = &PanicError{Value: p, Stack: debug.Stack()}
	}
}

// set keeps e for as long as it is fresh, and tells whether it did.
func (f *farTier) set(ctx context.Context, k entryKey, e *entry, payload []byte) bool {
	if f == nil {
		return false
	}
	ttl := time.Until(e.expires)
	if ttl <= 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	start := time.Now()
	err := f.put(ctx, k.far(f.name), seal(k.kind, e, payload), ttl)
	result := resultOK
	if err != nil {
		result = resultError
	}
	f.called(ctx, "set", result, start, err)
	return err == nil
}

// remove forgets what is under k.
func (f *farTier) remove(ctx context.Context, k entryKey) error {
	if f == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	start := time.Now()
	err := f.delete(ctx, k.far(f.name))
	result := resultOK
	if err != nil {
		result = resultError
	}
	f.called(ctx, "delete", result, start, err)
	return err
}

func (f *farTier) delete(ctx context.Context, key string) (err error) {
	defer catch(&err)
	return f.store.Delete(ctx, key)
}

func (f *farTier) put(ctx context.Context, key string, value []byte, ttl time.Duration) (err error) {
	defer catch(&err)
	return f.store.Set(ctx, key, value, ttl)
}

func (f *farTier) called(ctx context.Context, op, result string, start time.Time, err error) {
	f.metrics.called(op, result, time.Since(start), trace.SpanContextFromContext(ctx))
	switch down := err != nil; {
	case down && f.down.CompareAndSwap(false, true):
		f.logger.WarnContext(ctx, "far tier failed, going on without it", "cache", f.name, "store", f.label, "op", op, "error", err)
	case !down && f.down.CompareAndSwap(true, false):
		f.logger.InfoContext(ctx, "far tier is back", "cache", f.name, "store", f.label)
	}
}
