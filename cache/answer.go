package cache

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// source is where a value comes from when no tier in this process has it.
type source struct {
	schema      uint64 // of the payload
	decode      func(payload []byte) (any, error)
	load        func(context.Context, *call) (loaded, error)
	keepsErrors bool
	relays      bool                       // the load may hand a response over while it is written
	fits        func(*entry) Outcome       // of answering this request with what is kept, or ""; nil: as it is
	shares      func(loaded, Outcome) bool // what another request's load brought does; nil: all of it does
	part        string                     // of a response, that is asked for; empty: all
	alone       bool                       // the load is for this request, and is not waited for by others
}

// What a caller is told that has to go on in another way. It has concluded nothing yet.
var (
	errUnshared  = errors.New("cache: not to be shared")              // what it waited for is the leader's alone
	errElsewhere = errors.New("cache: to be found under another key") // by the guide that it got, or not for this request
)

// outcomeOf is that of answering with e at once, or "".
func (s source) outcomeOf(e *entry) Outcome {
	if s.fits != nil {
		return s.fits(e)
	}
	return e.ready(time.Now())
}

// mayShare tells whether what another's load has brought or found, or what stands in for a load, is an answer.
func (s source) mayShare(l loaded, o Outcome) bool { return s.shares == nil || s.shares(l, o) }

// ready concludes with what the near tier has under k, and refreshes it behind the answer if that is due. It returns nil
// where somebody has to look further. src is asked for where it is needed.
func (c *Cache) ready(ctx context.Context, k entryKey, src func() source) *entry {
	now := time.Now()
	e := c.near.get(k, now)
	if e == nil {
		return nil
	}
	outcome := e.ready(now)
	if outcome == "" {
		return nil
	}
	c.serves(ctx, k, src, e, outcome, now)
	return e
}

// serves concludes with e, which the near tier has under k, and refreshes it behind the answer if that is due.
func (c *Cache) serves(ctx context.Context, k entryKey, src func() source, e *entry, outcome Outcome, now time.Time) Result {
	res := c.resultOf(e, outcome, Near, now)
	c.conclude(ctx, trace.SpanFromContext(ctx), &res, e, trace.SpanContext{})
	if outcome == Stale && !c.flights.flying(k) || outcome == Hit && c.early(e, now) && e.begins() {
		c.refresh(ctx, k, src(), e)
	}
	return res
}

// answer finds the value under k in the far tier or loads it, once however many ask. known is one that is not good
// enough for this caller, or nil. err is the load's, the caller's own context's, errUnshared or errElsewhere.
func (c *Cache) answer(ctx context.Context, k entryKey, src source, known *entry) (l loaded, res Result, err error) {
	span := trace.SpanFromContext(ctx)
	for tries := 0; ; tries++ {
		f, leader := c.flights.join(ctx, k, src, known)
		if leader {
			if known != nil {
				f.reason = forwardRequest // there is an answer, and it is not good enough
			}
			c.lead(ctx, f, k, src)
		}
		var link trace.SpanContext
		l, res, link, err = c.await(ctx, f, src, leader)
		if leader && l.relay == nil {
			f.relay.decline()
		}
		switch {
		case errors.Is(err, errUnshared):
			return l, res, err
		case err != nil || l.entry == nil:
		case l.asGuide() != nil:
			return l, res, errElsewhere
		case leader:
		case tries < 3 && !c.stands(l.entry):
			continue // purged since it was loaded, and this caller may have come after that
		case !src.mayShare(l, res.Outcome):
			return l, res, errElsewhere
		}
		c.conclude(ctx, span, &res, l.entry, link)
		if res.Outcome == Stale {
			c.refresh(ctx, k, src, l.entry)
		}
		return l, res, err
	}
}

// await waits for f, or for what ends a caller's wait earlier, and says how the answer came about.
func (c *Cache) await(ctx context.Context, f *call, src source, leader bool) (l loaded, res Result, link trace.SpanContext, err error) {
	res = Result{Cache: c.opts.Name, Outcome: Coalesced, Tier: None}
	if leader {
		res.Outcome = Miss
	}
	defer yield(ctx)()
	var offered <-chan struct{}
	if f.relay != nil {
		offered = f.relay.offered
	}
	landed := func() bool {
		select {
		case <-f.done:
			return true
		default:
			return false
		}
	}
	standIn := func() (loaded, Result, bool) {
		now := time.Now()
		if e := f.standIn.Load(); e != nil && e.at(now) <= lastValue && c.stands(e) && src.mayShare(loaded{entry: e}, StaleError) {
			tier := Near
			if c.near == nil {
				tier = Far
			}
			return loaded{entry: e}, c.resultOf(e, StaleError, tier, now), true
		}
		return loaded{}, res, false
	}
	for soft := f.soft; !landed(); {
		select {
		case <-f.done:
		case <-offered:
			if !leader {
				return loaded{}, res, link, f.relay.about.refusal()
			}
			res.missed(f, f.relay.about)
			return loaded{answered: answered{relay: f.relay}}, res, link, nil
		case <-soft:
			if l, res, ok := standIn(); ok && !landed() {
				if l.at(time.Now()) == stale {
					res.Outcome = Stale
				}
				return l, res, link, nil
			}
			soft = nil // nothing stands in any more
		case <-ctx.Done():
			return loaded{}, res, link, context.Cause(ctx)
		case <-f.late:
			// done closes before the load's context ends: were both ready, the call's own result would be lost.
			if !landed() {
				if l, res, ok := standIn(); ok {
					return l, res, link, nil
				}
				return loaded{}, res, link, f.lateErr
			}
		}
	}

	if f.relay.isOffered() {
		return loaded{}, res, link, f.relay.about.refusal() // its asker did not wait
	}
	l, now := f.loaded, time.Now()
	if f.err != nil || l.failing {
		if l, res, ok := standIn(); ok {
			res.Status, res.Forward = f.loaded.status, forwardStale
			return l, res, link, nil
		}
	}
	res.Forward = f.reason
	var rejected *RejectedError
	switch {
	case errors.As(f.err, &rejected):
		res.Outcome = Rejected
		return loaded{}, res, link, f.err
	case f.err != nil:
		if f.remote {
			res.Outcome, link = Coalesced, f.span
		} else if !leader {
			link = f.span
		}
		return loaded{}, res, link, f.err
	case l.unshared && !leader:
		return loaded{}, res, link, l.refusal()
	case f.remote, !leader && f.outcome == Miss:
		res.Outcome, link = Coalesced, f.span
	case f.outcome == Miss && l.proven:
		res = c.resultOf(l.entry, Revalidated, f.beforeIn, now)
		res.Forward, res.Stored = f.reason, l.stored
	case f.outcome != Miss:
		res = c.resultOf(l.entry, f.outcome, f.tier, now)
	default:
		res.Stored = l.stored
		res.missed(f, l.answered)
	}
	if broken, ok := l.value.(failure); ok {
		err = broken.err
	}
	return l, res, link, err
}

// refusal is what those are told who waited for an answer that is another's alone. If that is because of its credentials,
// others may still have one in common.
func (a answered) refusal() error {
	if a.detail == ruleAuthorization {
		return errElsewhere
	}
	return errUnshared
}

// missed says of a miss why it is kept from others.
func (r *Result) missed(f *call, a answered) {
	r.Forward, r.Detail = f.reason, a.detail
	if a.detail == ruleAuthorization {
		r.Outcome, r.Forward = Bypass, forwardRequest
	}
}

// resultOf says that e was served.
func (c *Cache) resultOf(e *entry, o Outcome, t Tier, now time.Time) Result {
	return Result{Cache: c.opts.Name, Outcome: o, Tier: t, TTL: e.expires.Sub(now), Age: e.age(now)}
}

// conclude counts the one answer that a call gets, and says how it came about wherever that is told.
func (c *Cache) conclude(ctx context.Context, span trace.Span, res *Result, e *entry, link trace.SpanContext) {
	c.count(ctx, res, e)
	c.describe(span, res)
	if link.IsValid() {
		span.AddLink(trace.Link{SpanContext: link})
	}
}

func (c *Cache) count(ctx context.Context, res *Result, e *entry) {
	c.metrics.answered(res, e)
	if res.Outcome == Hit || res.Outcome == Stale || res.Stored {
		c.whatIf.observe(e)
	}
	RecorderFrom(ctx).record(*res)
}

func (c *Cache) describe(span trace.Span, res *Result) {
	if span.IsRecording() {
		span.SetAttributes(res.appendSpanAttrs(nil)...)
	}
}
