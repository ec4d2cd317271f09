package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
	"go.opentelemetry.io/otel/trace"
)

var (
	// errLeftOut is what a call of a far tier costs that has failed too often: nothing.
	errLeftOut = errors.New("cache: the far tier is left out for now")
	// errAbandoned is that whoever asked has left: it says nothing of the far tier.
	errAbandoned = errors.New("cache: the far tier's answer was not waited for")
)

// The breaker leaves the far tier out once so many calls in a row have failed, and tries it once so often.
const (
	breakerFailures = 3
	breakerPause    = time.Second
)

// farTier is a Store as the cache uses it: entries in envelopes, a deadline for each call, a breaker, and
// errors that are measured, logged and then no more than a miss.
type farTier struct {
	store   Store
	leaser  Leaser      // nil: it is none
	invalid Invalidator // nil: it is none
	name    string      // of the cache: keys begin with it
	timeout time.Duration
	logger  *slog.Logger
	breaker *gobreaker.CircuitBreaker[struct{}]
	warned  atomic.Int64 // when an entry did not decode, nanoseconds since 1970
	down    atomic.Bool  // so that an outage is logged once, not with every call
	unsent  unsent
	account *account
	hash    func(entryKey) uint64

	metrics *storeMetrics
	label   string
}

func newFarTier(store Store, o Options, a *account) (*farTier, error) {
	f := &farTier{
		store: store, name: o.Name, timeout: o.Limits.StoreTimeout, logger: o.Logger, label: "far", account: a,
	}
	if f.invalid, _ = store.(Invalidator); f.invalid != nil {
		f.leaser, _ = store.(Leaser) // who waits for a lease has to hear of its end, and purges have to take it
	}
	if named, ok := store.(interface{ Name() string }); ok {
		f.label = named.Name()
	}
	var err error
	if f.metrics, err = newStoreMetrics(o.Registerer, f.label); err != nil {
		return nil, fmt.Errorf("cache: metrics of store %q: %w", f.label, err)
	}
	f.breaker = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         o.Name,
		Timeout:      breakerPause,
		ReadyToTrip:  func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= breakerFailures },
		IsSuccessful: func(err error) bool { return !isFailure(err) },
		IsExcluded:   func(err error) bool { return errors.Is(err, errAbandoned) || errors.Is(err, errAnothersCall) },
	})
	return f, nil
}

// usable tells whether calls are made. A nil tier is not.
func (f *farTier) usable() bool {
	return f != nil && f.breaker.State() == gobreaker.StateClosed && f.unsent.none()
}

// call makes one call of the store, if calls are made, and measures it.
func (f *farTier) call(ctx context.Context, op string, do func(context.Context) error) error {
	if !f.usable() {
		return errLeftOut
	}
	err := f.try(ctx, op, do)
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return errLeftOut
	}
	return err
}

// try makes one call of the store if the breaker lets it.
func (f *farTier) try(ctx context.Context, op string, do func(context.Context) error) error {
	_, err := f.breaker.Execute(func() (struct{}, error) { return struct{}{}, f.direct(ctx, op, do) })
	return err
}

// direct makes one call of the store, whatever the breaker says, and measures it.
func (f *farTier) direct(ctx context.Context, op string, do func(context.Context) error) (err error) {
	within, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	start := time.Now()
	defer func() {
		var panicked *PanicError
		switch {
		case isFailure(err) && ctx.Err() != nil && !errors.As(err, &panicked):
			err = errAbandoned
			return
		case errors.Is(err, errAbandoned):
			err = context.DeadlineExceeded // of a call within this one, which has this one's time
		}
		f.called(ctx, op, start, err)
	}()
	defer catch(&err)
	return do(within)
}

// isFailure tells whether a call says that the store is of no use.
func isFailure(err error) bool {
	return err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, errCorrupt)
}

// probe calls a store that is left out, and brings the account up to date.
func (f *farTier) probe(ctx context.Context) error {
	if f.invalid != nil {
		return f.direct(ctx, "purges", f.pull)
	}
	err := f.direct(ctx, "get", func(ctx context.Context) error { _, err := f.store.Get(ctx, f.name+":probe"); return err })
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

func (f *farTier) called(ctx context.Context, op string, start time.Time, err error) {
	result := resultOK
	switch {
	case errors.Is(err, ErrNotFound):
		result, err = resultMiss, nil
	case errors.Is(err, errCorrupt):
		result = resultCorrupt
		// While two versions of a program run there may be many.
		if now := start.UnixNano(); now-f.warned.Swap(now) > int64(time.Minute) {
			f.logger.WarnContext(ctx, "far tier: corrupt entry, taken for a miss", "cache", f.name, "store", f.label, "error", err)
		}
		err = nil
	case err != nil:
		result = resultError
	}
	f.metrics.called(op, result, time.Since(start), trace.SpanContextFromContext(ctx))
	switch down := err != nil; {
	case down && f.down.CompareAndSwap(false, true):
		f.logger.WarnContext(ctx, "far tier failed, going on without it", "cache", f.name, "store", f.label, "op", op, "error", err)
	case !down && f.down.CompareAndSwap(true, false):
		f.logger.InfoContext(ctx, "far tier is back", "cache", f.name, "store", f.label)
	}
}

// catch turns a panic into an error. It is to be deferred itself.
func catch(err *error) {
	if p := recover(); p != nil {
		*err = &PanicError{Value: p, Stack: debug.Stack()}
	}
}

// get returns the entry under k, or nil; seen is how the bytes begin that are there and of no use. Its error is
// that the far tier is of none.
func (f *farTier) get(ctx context.Context, k entryKey, src source) (e *entry, seen []byte, err error) {
	if err := f.sync(ctx, false); err != nil {
		return nil, nil, err
	}
	err = f.call(ctx, "get", func(ctx context.Context) error {
		b, err := f.store.Get(ctx, k.far(f.name))
		if err != nil {
			return err
		}
		seen = headOf(b)
		e, err = f.read(ctx, k, src, b)
		return err
	})
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, errCorrupt):
		return nil, seen, nil
	case err != nil:
		return nil, nil, err
	}
	return e, seen, nil
}

// read returns the entry that b holds. Its error is ErrNotFound for one that is past its time or purged,
// and errCorrupt.
func (f *farTier) read(ctx context.Context, k entryKey, src source, b []byte) (*entry, error) {
	e, payload, err := open(k.kind, src.schema, b)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	v := f.account.verdict(e.mark, e.tags)
	if v == foreign && f.invalid != nil {
		if err := f.sync(ctx, true); err != nil {
			return nil, err
		}
		v = f.account.verdict(e.mark, e.tags)
	}
	switch v {
	case softly:
		e.lifetime = e.softened(f.account.softenedAt(e.mark, e.tags))
	case void, foreign:
		return nil, ErrNotFound
	}
	if e.at(now) == gone {
		return nil, ErrNotFound
	}
	if err := e.decode(src, payload); err != nil {
		return nil, err
	}
	e.hash = f.hash(k)
	return e, nil
}

// decode makes e's value. Its error is errCorrupt.
func (e *entry) decode(src source, payload []byte) (err error) {
	if e.error {
		r := reader{b: payload}
		timeout := r.byte() == 1
		e.value = failure{&RemoteError{Text: string(r.b), timeout: timeout}}
		return nil
	}
	if e.value, err = guarded(src.decode, payload); err != nil {
		return fmt.Errorf("%w: %w", errCorrupt, err)
	}
	if p := e.asResponse(); p != nil {
		e.size = p.size() + sizeOf(e.tags)
	}
	return nil
}

// guarded decodes: what another version of the program wrote must not bring this one down.
func guarded(decode func([]byte) (any, error), payload []byte) (v any, err error) {
	defer catch(&err)
	return decode(payload)
}

// set keeps e for as long as it is of use, and tells whether it did. It is for stores without leases.
func (f *farTier) set(ctx context.Context, k entryKey, src source, e *entry, payload []byte) bool {
	ttl := time.Until(e.end())
	if f == nil || ttl <= 0 {
		return false
	}
	return f.call(ctx, "set", func(ctx context.Context) error {
		return f.store.Set(ctx, k.far(f.name), seal(k.kind, src.schema, e, payload), ttl)
	}) == nil
}

// remove forgets what is under k. It is for stores without leases.
func (f *farTier) remove(ctx context.Context, k entryKey) error {
	return f.call(ctx, "delete", func(ctx context.Context) error { return f.store.Delete(ctx, k.far(f.name)) })
}

// sync brings the account up to date, if messages do not, or in any case.
func (f *farTier) sync(ctx context.Context, always bool) error {
	if f.invalid == nil || !always && f.account.inStep() {
		return nil
	}
	return f.call(ctx, "purges", f.pull)
}

func (f *farTier) pull(ctx context.Context) error {
	since := f.account.connections()
	now, err := f.invalid.Purges(ctx, f.name, f.account.mark(), newToken())
	if err != nil {
		return err
	}
	f.account.replace(now, since)
	return nil
}
