package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// ErrLoadTimeout is what waiters of a load get that outlasts Options.LoadTimeout.
var ErrLoadTimeout = errors.New("cache: load timed out")

// PanicError is a panic in a load, as the error that its waiters get.
type PanicError struct {
	Value any    // what was panicked with; nil after a runtime.Goexit
	Stack []byte // where
}

func (e *PanicError) Error() string { return fmt.Sprintf("cache: panic: %v", e.Value) }

// flights are the loads that run in this process, one a key.
type flights struct {
	mu    sync.Mutex
	calls map[entryKey]*call
}

// call is one of them. Its results may be read once done is closed.
type call struct {
	done   chan struct{}
	ctx    context.Context // ends when the load's time is up, whether or not the load heeds it
	cancel context.CancelFunc
	purged atomic.Bool // its key, since it began

	loaded loaded
	tier   Tier // where the value was found after all, or None
	span   trace.SpanContext
	err    error
}

// loaded is what came of a load.
type loaded struct {
	*entry
	payload  []byte // the value for the far tier
	stored   bool   // may be kept, and after the flight: is
	unshared bool   // is for the leader alone
}

// join returns the call under k, and true to its leader, who must run it.
func (f *flights) join(ctx context.Context, k entryKey, timeout time.Duration) (*call, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c, ok := f.calls[k]; ok {
		return c, false
	}
	// Detached: one impatient caller must not fail the others.
	ctx, cancel := context.WithTimeoutCause(withoutRecorder(context.WithoutCancel(ctx)), timeout, ErrLoadTimeout)
	c := &call{done: make(chan struct{}), ctx: ctx, cancel: cancel, tier: None}
	if f.calls == nil {
		f.calls = make(map[entryKey]*call)
	}
	f.calls[k] = c
	return c, true
}

func (f *flights) leave(k entryKey, c *call) {
	f.mu.Lock()
	delete(f.calls, k)
	f.mu.Unlock()
	close(c.done)
	c.cancel()
}

// source is where a value comes from when no tier in this process has it.
type source struct {
	decode func(payload []byte) (any, error)
	load   func(context.Context) (loaded, error)
}

// answer finds the value under k in the far tier or loads it, once however many ask. err is the load's,
// the caller's own context's, or errUnshared, after which the caller runs its own load and concludes.
func (c *Cache) answer(ctx context.Context, k entryKey, src source) (l loaded, res Result, err error) {
	f, leader := c.flights.join(ctx, k, c.opts.LoadTimeout)
	if leader {
		c.loads.Go(func() { c.fly(f, k, src) })
	}
	span := trace.SpanFromContext(ctx)
	res = Result{Cache: c.opts.Name, Outcome: Coalesced, Tier: None}
	if leader {
		res.Outcome = Miss
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		c.conclude(ctx, span, res, nil, trace.SpanContext{})
		return loaded{}, res, context.Cause(ctx)
	case <-f.ctx.Done():
		// done closes before ctx ends: were both ready, the call's own result would be lost.
		select {
		case <-f.done:
		default:
			c.conclude(ctx, span, res, nil, trace.SpanContext{})
			return loaded{}, res, context.Cause(f.ctx)
		}
	}
	if f.err == nil && !leader && f.loaded.unshared {
		return loaded{}, res, errUnshared
	}
	if f.tier != None {
		res.Outcome, res.Tier = Hit, f.tier
	}
	if f.err == nil {
		res.Stored = leader && f.loaded.stored
		if f.tier != None {
			now := time.Now()
			res.TTL, res.Age = f.loaded.expires.Sub(now), f.loaded.age(now)
		}
	}
	var link trace.SpanContext
	if res.Outcome == Coalesced {
		link = f.span
	}
	c.conclude(ctx, span, res, f.loaded.entry, link)
	return f.loaded, res, f.err
}

// errUnshared tells a follower that what it waited for is the leader's alone.
var errUnshared = errors.New("cache: not to be shared")

// fly runs a call to its end.
func (c *Cache) fly(f *call, k entryKey, src source) {
	defer c.flights.leave(k, f)
	defer context.AfterFunc(c.stop, f.cancel)()

	// A flight may have landed between this caller's look into the near tier and its joining.
	if e := c.near.get(k, time.Now()); e != nil {
		f.loaded, f.tier = loaded{entry: e, stored: true}, Near
		return
	}
	if e := c.far.get(f.ctx, k, src.decode); e != nil {
		e.hash = c.whatIf.hash(k)
		c.keepNear(f, k, e)
		f.loaded, f.tier = loaded{entry: e, stored: true}, Far
		return
	}
	f.loaded, f.err = c.load(f, src)
	if f.err == nil && f.loaded.stored {
		f.loaded.hash = c.whatIf.hash(k)
		f.loaded.stored = c.keep(f, k, f.loaded)
	}
}

// load runs src.load in a span of its own and measures it.
func (c *Cache) load(f *call, src source) (l loaded, err error) {
	ctx, span := c.tracer.Start(f.ctx, "cache.load "+c.opts.Name, trace.WithAttributes(attribute.String("cache.name", c.opts.Name)))
	f.span = span.SpanContext()
	start := time.Now()
	returned := false
	defer func() {
		took := time.Since(start)
		if !returned {
			p := &PanicError{Value: recover(), Stack: debug.Stack()}
			c.opts.Logger.ErrorContext(ctx, "panic in a load", "cache", c.opts.Name, "panic", p.Value, "stack", string(p.Stack))
			l, err = loaded{}, p
		}
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
		} else {
			l.cost = took
		}
		c.metrics.loaded(took, err, f.span)
		span.End()
		// A runtime.Goexit goes on after this function: leave must find the error.
		f.loaded, f.err = l, err
	}()
	l, err = src.load(ctx)
	returned = true
	return l, err
}

// hit concludes a call of Fetch with e from the near tier.
func (c *Cache) hit(ctx context.Context, e *entry) {
	now := time.Now()
	res := Result{Cache: c.opts.Name, Outcome: Hit, Tier: Near, TTL: e.expires.Sub(now), Age: e.age(now)}
	c.conclude(ctx, trace.SpanFromContext(ctx), res, e, trace.SpanContext{})
}

// conclude counts the one answer that a call gets, and says how it came about wherever that is told.
func (c *Cache) conclude(ctx context.Context, span trace.Span, res Result, e *entry, link trace.SpanContext) {
	c.count(ctx, res, e)
	c.describe(span, res)
	if link.IsValid() {
		span.AddLink(trace.Link{SpanContext: link})
	}
}

func (c *Cache) count(ctx context.Context, res Result, e *entry) {
	c.metrics.answered(res, e)
	if res.Outcome == Hit || res.Stored {
		c.whatIf.observe(e)
	}
	RecorderFrom(ctx).record(res)
}

func (c *Cache) describe(span trace.Span, res Result) {
	if span.IsRecording() {
		span.SetAttributes(res.appendSpanAttrs(nil)...)
	}
}
