package cache

import (
	"context"
	"time"
)

// withTimeLimit returns a context that ends with ErrLoadTimeout after a while. Where that may be lifted, because a response
// that flows past the cache may take as long as its asker waits, it is a cancellation that timed tells from others.
func withTimeLimit(ctx context.Context, d time.Duration, liftable bool) (_ context.Context, lift func(), _ context.CancelFunc) {
	if !liftable {
		ctx, cancel := context.WithTimeoutCause(ctx, d, ErrLoadTimeout)
		return ctx, func() {}, cancel
	}
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(d, func() { cancel(ErrLoadTimeout) })
	lift = func() { timer.Stop() }
	return context.WithValue(ctx, timeLimitKey{}, time.Now().Add(d)), lift, func() { lift(); cancel(context.Canceled) }
}

type timeLimitKey struct{}

// timed is what a handler sees of a context whose time limit may be lifted: a deadline, and that it has passed.
type timed struct {
	context.Context
	limited context.Context
}

// Deadline implements context.Context.
func (t timed) Deadline() (time.Time, bool) {
	end, ok := t.Value(timeLimitKey{}).(time.Time)
	return end, ok
}

// Err implements context.Context.
func (t timed) Err() error {
	err := t.Context.Err()
	if err != nil && context.Cause(t.limited) == ErrLoadTimeout {
		return context.DeadlineExceeded
	}
	return err
}
