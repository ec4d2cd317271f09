package cache

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// lead begins a call. It is its leader that looks into the far tier: to wake a goroutine for that and be woken takes
// longer than Redis does. What has to be waited for runs detached, and so does the look of a leader that leaves.
func (c *Cache) lead(ctx context.Context, f *call, k entryKey, src source) {
	if c.far == nil {
		c.loads.Go(func() { c.fly(f, k, src) })
		return
	}
	c.loads.Add(1)
	defer c.loads.Done()
	switch s := c.look(ctx, f, k, src); {
	case s.landed:
		c.flights.leave(k, f)
	case s.left:
		c.loads.Go(func() { c.fly(f, k, src) })
	default:
		c.loads.Go(func() { c.goOn(f, k, src, s) })
	}
}

// fly runs a call to its end: it looks into the tiers, and otherwise has one process of all load.
func (c *Cache) fly(f *call, k entryKey, src source) {
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	defer context.AfterFunc(c.stop, cancel)()
	if s := c.look(ctx, f, k, src); s.landed {
		c.flights.leave(k, f)
	} else {
		c.goOn(f, k, src, s)
	}
}

// sight is what a call saw in the tiers.
type sight struct {
	landed bool   // what it was looking for
	left   bool   // or else, nothing, as its context has ended
	far    bool   // or else, whether the far tier is of use
	head   []byte // and how the bytes there begin
}

// look looks into the tiers, until ctx ends. Should it panic, those who wait are told.
func (c *Cache) look(ctx context.Context, f *call, k entryKey, src source) (s sight) {
	ended := false
	defer func() {
		if !ended {
			f.err = &PanicError{Stack: debug.Stack()}
			c.flights.leave(k, f)
		}
	}()
	s = c.sees(ctx, f, k, src)
	ended = true
	return s
}

func (c *Cache) sees(ctx context.Context, f *call, k entryKey, src source) sight {
	f.trust = c.near.trust()
	// A flight may have landed between this caller's look into the near tier and its joining.
	if e := c.near.get(k, time.Now()); e != nil && f.takes(src, e, Near) {
		return sight{landed: true}
	}
	held := c.near.held(k, time.Now())
	f.finds(held, Near)
	if c.far == nil {
		return sight{}
	}
	c.flights.begin(f, false)
	e, head, err := c.far.get(ctx, k, src)
	f.found, f.seen = e != nil || len(head) > 0, head
	if e != nil {
		f.seen = e.head(k.kind)
	}
	switch {
	case errors.Is(err, errAbandoned):
		return sight{left: true}
	case err != nil: // one failure is all that a call pays for
		if held != nil && f.takes(src, held, Near) {
			held.checked.Store(time.Now().Add(time.Second - c.opts.Tuning.NearTTL).UnixNano()) // ask again in a second
			return sight{landed: true}
		}
		return sight{}
	case e == nil:
		if f.known != nil {
			break // a refresh goes on from what it knows
		}
		if held != nil {
			c.near.forget(k) // who lost it, and why, nobody knows
		}
		f.finds(nil, None)
	default:
		c.keepNear(f, k, e)
		if f.takes(src, e, Far) {
			return sight{landed: true}
		}
		f.finds(e, Far)
	}
	return sight{far: true, head: head}
}

// goOn has one process of all load what a call has not found.
func (c *Cache) goOn(f *call, k entryKey, src source, s sight) {
	ctx, cancel := context.WithCancel(f.ctx)
	f.ctx = ctx
	defer cancel()
	defer c.flights.leave(k, f)
	defer context.AfterFunc(c.stop, cancel)()
	far := s.far
	switch e := f.standIn.Load(); {
	case e == nil:
	case f.known != nil && e.at(time.Now()) == stale:
		close(f.soft) // whoever finds a refresh under way is served what it is to replace
	case c.opts.Stale.SoftTimeout > 0:
		soft := time.AfterFunc(c.opts.Stale.SoftTimeout, func() { close(f.soft) })
		defer soft.Stop()
	}

	ctx, span := c.tracer.Start(f.ctx, "cache.load "+c.opts.Name, trace.WithAttributes(attribute.String("cache.name", c.opts.Name)))
	defer span.End()
	if far && c.far.leaser != nil && !f.alone && c.appoint(ctx, span, f, k, src, s.head) {
		span.SetName("cache.wait " + c.opts.Name)
		f.why(k) // of the process that loads
		return
	}
	f.span, f.trust, f.mark = span.SpanContext(), c.near.trust(), c.account.mark()
	f.why(k)
	handed, letGo := false, func() {}
	f.handed = func(l loaded) {
		handed = true
		if l.guide != nil {
			// At once: what comes of the next request must find it, and not the other way round.
			c.label(f, k, src, &l)
			c.keepNear(f, k, l.guide)
			l.inNear = true
		}
		c.flights.withdraw(k, f)
		letGo() // should what follows fail, the lease runs out
		c.loads.Go(func() { c.settle(context.WithoutCancel(ctx), f, k, src, l, nil, far) })
	}
	// Deferred, because a load may end its goroutine. It may also have taken all of its time.
	defer func() {
		if !handed {
			f.loaded.stored = c.settle(context.WithoutCancel(ctx), f, k, src, f.loaded, f.err, far)
		}
	}()
	letGo = c.hold(f, k)
	defer letGo()
	c.load(ctx, span, f, src)
}

// takes has e be what the call brings, if it is of use as it is. What replaces a value wants another than it knows.
func (f *call) takes(src source, e *entry, t Tier) bool {
	if f.known != nil && (f.known.id == e.id || e.at(time.Now()) != fresh) {
		return false
	}
	o := src.outcomeOf(e)
	if o != Hit && o != Stale {
		return false
	}
	f.loaded, f.outcome, f.tier = loaded{entry: e, stored: true}, o, t
	return true
}

// finds has e, or nothing, be what the load replaces.
func (f *call) finds(e *entry, t Tier) {
	f.standsIn(e)
	f.before, f.beforeIn = nil, None
	if e != nil && e.asResponse() != nil {
		f.before, f.beforeIn = e, t
	}
}

// why says why the origin is asked for k.
func (f *call) why(k entryKey) {
	switch {
	case f.before != nil && k.primary().kind == kindPart && f.before.at(time.Now()) == fresh:
		f.reason = forwardPartial
	case f.reason != "":
	case f.before != nil, f.standIn.Load() != nil:
		f.reason = forwardStale
	default:
		f.reason = k.missing()
	}
}

// standsIn has e, or nothing, be served where the load fails.
func (f *call) standsIn(e *entry) {
	if e != nil && (e.error || e.asGuide() != nil || e.at(time.Now()) > lastValue) {
		e = nil
	}
	f.standIn.Store(e)
}

// loses has nothing that was there before be served, nor be proven good.
func (f *call) loses() {
	f.purged.Store(true)
	f.standsIn(nil)
}

// settle keeps what a load brought, and says elsewhere what became of it. far tells whether the far tier is of use. It
// returns whether the value was kept.
func (c *Cache) settle(ctx context.Context, f *call, k entryKey, src source, l loaded, failure error, far bool) (kept bool) {
	now := time.Now()
	m := message{key: k, span: f.span, schema: src.schema, failing: l.failing}
	switch {
	case failure != nil && c.loadsElsewhere(f):
		m.kind, l = abandoned, loaded{}
	case failure != nil:
		m.kind = failed
		m.text, m.timeout = textOf(failure)
		l = c.failure(f, src, m.text, now)
	case l.stored, l.guide != nil && l.guideAt == k:
		m.kind = filled
	case l.unshared && (f.alone || l.detail == ruleAuthorization || l.status == http.StatusRequestedRangeNotSatisfiable):
		m.kind = abandoned // it says nothing of what others get
	case !l.unshared && l.payload != nil && len(l.payload) <= maxPassed:
		m.kind = passed
	default:
		m.kind = released
	}
	if failure != nil || l.failing {
		f.rest(now, c.opts.Tuning.ErrorTTL)
	}
	c.label(f, k, src, &l)
	switch {
	case l.guide != nil && l.guideAt == k:
		m.id = l.guide.id
	case l.entry != nil:
		m.id = l.id
	}
	kept = c.keep(ctx, f, k, src, l, m, far) && failure == nil
	if kept && l.also != (entryKey{}) {
		c.keepBeside(l.also, aliasOf(l.under, l.entry, now), f.trust)
	}
	return kept
}

// label gives what a load brought what all entries have, once.
func (c *Cache) label(f *call, k entryKey, src source, l *loaded) {
	if l.under == (entryKey{}) {
		l.under = k
	}
	for _, e := range []*entry{l.entry, l.guide} {
		if e != nil && e.id == 0 {
			e.id, e.schema, e.hash, e.mark = newID(), src.schema, c.whatIf.hash(l.under), f.mark
		}
	}
}

// loadsElsewhere tells whether f's error says something of this process alone.
func (c *Cache) loadsElsewhere(f *call) bool {
	return c.stop.Err() != nil || !f.placed
}

// failure is f's error as a value to be kept, if errors are, and nothing stands in for it.
func (c *Cache) failure(f *call, src source, text string, now time.Time) loaded {
	if ttl := c.opts.Tuning.ErrorTTL; ttl > 0 && src.keepsErrors && f.standIn.Load() == nil {
		end := now.Add(ttl)
		return loaded{stored: true, payload: append(appendBool(nil, errors.Is(f.err, ErrLoadTimeout)), text...), entry: &entry{
			value: failure{f.err}, size: len(text), error: true, lifetime: lifetime{created: now, expires: end, stale: end, last: end, kept: end},
		}}
	}
	return loaded{}
}

// rest has what stands in for a failed load do so for a while before the next is tried.
func (f *call) rest(now time.Time, d time.Duration) {
	for _, e := range []*entry{f.standIn.Load(), f.known} {
		if e != nil {
			e.resting.Store(now.Add(max(d, time.Second)).UnixNano())
			e.refreshed.Store(notRefreshed)
		}
	}
}
