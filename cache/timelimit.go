package cache

import (
	"context"
	"sync/atomic"
	"time"
)

// timeLimit is a context that ends with ErrLoadTimeout after a while, unless that is lifted: a response that flows past
// the cache may take as long as its asker waits.
type timeLimit struct {
	context.Context
	end    time.Time
	timer  *time.Timer
	lifted atomic.Bool
}

func withTimeLimit(ctx context.Context, d time.Duration) (*timeLimit, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	t := &timeLimit{Context: ctx, end: time.Now().Add(d)}
	t.timer = time.AfterFunc(d, func() { cancel(ErrLoadTimeout) })
	return t, func() { t.timer.Stop(); cancel(context.Canceled) }
}

func (t *timeLimit) lift() {
	t.lifted.Store(true)
	t.timer.Stop()
}

// Deadline implements context.Context.
func (t *timeLimit) Deadline() (time.Time, bool) {
	if t.lifted.Load() {
		return t.Context.Deadline()
	}
	return t.end, true
}

// Err implements context.Context.
func (t *timeLimit) Err() error {
	err := t.Context.Err()
	if err != nil && context.Cause(t.Context) == ErrLoadTimeout {
		return context.DeadlineExceeded
	}
	return err
}
