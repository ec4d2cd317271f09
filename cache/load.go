package cache

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// ErrLoadTimeout is what waiters of a load get that outlasts Limits.LoadTimeout.
var ErrLoadTimeout = errors.New("cache: load timed out")

// PanicError is a panic in a load, as the error that its waiters get.
type PanicError struct {
	Value any    // what was panicked with; nil after a runtime.Goexit
	Stack []byte // where
}

func (e *PanicError) Error() string { return fmt.Sprintf("cache: panic: %v", e.Value) }

// RemoteError is the error of a load in another process, or of an earlier one: all that is left of it is its text.
type RemoteError struct {
	Text    string
	timeout bool
}

func (e *RemoteError) Error() string { return e.Text }

// Is tells that e was ErrLoadTimeout.
func (e *RemoteError) Is(target error) bool { return e.timeout && target == ErrLoadTimeout }

// textOf is what other processes are told of err: kilobytes at most, and whether it is ErrLoadTimeout.
func textOf(err error) (text string, timeout bool) {
	const longest = 4 << 10
	text = err.Error()
	return strings.ToValidUTF8(text[:min(len(text), longest)], "�"), errors.Is(err, ErrLoadTimeout)
}

// failure is an error where a value would be.
type failure struct{ err error }

// load runs src.load and measures it. What comes of it is f's.
func (c *Cache) load(ctx context.Context, span trace.Span, f *call, src source) {
	ctx, lift, cancel := withTimeLimit(ctx, c.opts.Limits.LoadTimeout, f.relay != nil)
	defer cancel()
	timed := ctx
	late := context.AfterFunc(timed, func() { f.lateErr = context.Cause(timed); close(f.late) })
	defer late()
	place, err := c.places.take(ctx)
	if err != nil {
		f.err = err
		span.SetStatus(codes.Error, err.Error())
		return
	}
	defer place.leave()
	f.placed = true
	ctx = withPlace(ctx, place)
	c.metrics.loading.Add(1)
	defer c.metrics.loading.Add(-1)

	var l loaded
	start, returned, took := time.Now(), false, time.Duration(-1)
	if handed := f.handed; f.relay != nil {
		defer close(f.relay.over)
		f.handed = func(l loaded) {
			took = time.Since(start) // what follows is its asker's time
			lift()
			late()
			place.leave()
			f.relay.about = l.answered
			handed(l)
		}
	}
	defer func() {
		if took < 0 {
			took = time.Since(start)
		}
		if !returned {
			p := &PanicError{Value: recover(), Stack: debug.Stack()}
			if f.relay != nil {
				f.relay.broken = !f.relay.ended
			}
			if p.Value != http.ErrAbortHandler {
				c.opts.Logger.ErrorContext(ctx, "panic in a load", "cache", c.opts.Name, "panic", p.Value, "stack", string(p.Stack))
			}
			l, err = loaded{}, p
		}
		switch {
		case err != nil:
			span.SetStatus(codes.Error, err.Error())
		case l.entry != nil && !l.proven:
			l.cost = took
		}
		c.places.took(took)
		c.metrics.loaded(took, err != nil || l.failing, f.span)
		// A runtime.Goexit goes on after this function: settle and leave must find the error.
		f.loaded, f.err = l, err
	}()
	l, err = src.load(ctx, f)
	returned = true
}
