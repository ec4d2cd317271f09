package cache

import (
	"context"
	"errors"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Handler answers from the cache what HTTP's rules allow it to. Cache.Handler makes one.
type Handler struct {
	cache *Cache
	next  http.Handler
}

// Handler returns a shared cache (RFC 9111) in front of next, which may be any handler, an httputil.ReverseProxy
// included. What next says itself of its answer's freshness holds (Cache-Control, Expires, targeted fields of RFC 9213,
// RFC 5861); what it says nothing of is fresh for Options.TTL, errors excepted. Answers are kept by host, path, query, and the
// fields that Vary names. What next gave a validator is proven with it, and what has no ETag gets one. Unsafe methods
// pass, and purge what they change (section 4.4).
//
// Neither kept nor shared is what has Set-Cookie, Vary: *, private or no-store, answers a request with Authorization (unless
// section 3.5 allows it), breaks off, or is longer than Limits.Body. It flows straight to its client, and for a minute
// nobody waits for such an answer of this URL to another.
//
// Otherwise next runs detached from the client's connection, and its answer is held in memory until it is whole. An answer
// that next never gives becomes a 500, or a 504 after Limits.LoadTimeout (from when the load began, maybe in another
// process) or the request's own deadline; one too many at once a 503 with Retry-After; for a client that left, and where
// next breaks off, Handler panics with http.ErrAbortHandler, as net/http has it.
func (c *Cache) Handler(next http.Handler) *Handler { return &Handler{c, next} }

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := h.cache
	if rule, forward := c.bypassed(r); rule != "" {
		h.pass(w, r, Result{Outcome: Bypass, Detail: rule, Forward: forward})
		return
	}
	if a := h.atHand(r, time.Now()); a != nil {
		c.describe(trace.SpanFromContext(r.Context()), &a.result)
		a.Serve(w, r)
		return
	}
	q := c.ask(r)
	if q.ranged(c.opts.HTTP.Ranges) && !h.whole(&q) {
		q.primary.kind, q.key.kind = kindPart, kindPart
	}
	h.find(w, q)
}

// find answers q from where there is an answer.
func (h *Handler) find(w http.ResponseWriter, q question) {
	c, r := h.cache, q.r
	alone := q.authorized() // until it is known that the answer is for all
	private := false        // what comes is known to be for its asker alone
	for tries := 0; ; tries++ {
		now := time.Now()
		var known *entry
		if e := h.look(&q, now); e != nil {
			switch g, p, outcome := e.asGuide(), e.asResponse(), q.suits(e, now); {
			case g != nil:
				// Of those that come later one looks whether that is still so.
				private = e.at(now) == fresh || c.flights.flying(q.key)
			case outcome != "":
				res := c.serves(r.Context(), q.key, func() source { return h.source(q, false) }, e, outcome, now)
				h.serve(w, r, loaded{entry: e}, res)
				return
			default:
				// Where no answer is given without asking, each request is one for the origin.
				alone = p.has(validating) || alone && !p.has(forAll)
				if e.at(now) == fresh {
					known = e
				}
			}
		}
		if q.onlyKept {
			h.serveKept(w, q)
			return
		}
		if private && q.part == nil && conditional(r.Header) {
			// Nothing comes of it for others: the origin itself may say 304, or give a range.
			h.passPrivate(w, q)
			return
		}
		l, res, err := c.answer(r.Context(), q.key, h.source(q, alone || private || tries > 3), known)
		switch {
		case errors.Is(err, errUnshared):
			private = true
		case errors.Is(err, errElsewhere):
			switch e := l.entry; {
			case e == nil || e.asGuide() == nil:
				q.key, q.guide = q.primary, nil
			case e.asGuide().alone:
				private = true
			default:
				q.follow(e)
			}
		case err != nil:
			h.fail(w, r, res, err)
			return
		default:
			h.serve(w, r, l, res)
			return
		}
	}
}

// look looks for q in the near tier, and follows guides there.
func (h *Handler) look(q *question, now time.Time) *entry {
	e, from, at := h.cache.nearest(q.key, q.r.Header, now)
	if from != nil {
		q.guide, q.key = from, at
	}
	return e
}

// source is how q is answered by the origin.
func (h *Handler) source(q question, alone bool) source {
	part := ""
	if q.part != nil {
		part = q.part.text
	}
	return source{
		schema: responseSchema,
		part:   part,
		alone:  alone,
		relays: true,
		decode: decodeResponse,
		fits:   func(e *entry) Outcome { return q.fits(e, alone) },
		shares: q.shares,
		load:   func(ctx context.Context, f *call) (loaded, error) { return h.load(ctx, f, q) },
	}
}

// serve writes what is kept, or came of the origin.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, l loaded, res Result) {
	if l.relay != nil {
		h.relay(w, r, l.relay, res)
		return
	}
	if res.Outcome == Miss || res.Outcome == Revalidated || res.Outcome == Bypass {
		for name, values := range l.own {
			put(w.Header(), name, values)
		}
	}
	w.Header().Add("Cache-Status", res.CacheStatus())
	p := l.asResponse()
	if res.kept() || p.has(aged) {
		age := res.Age // as the span and the log have it
		if !res.kept() {
			age = l.age(time.Now())
		}
		w.Header().Set("Age", seconds(age))
	}
	p.write(w, r)
}

// relay has the load write a response that is for r alone.
func (h *Handler) relay(w http.ResponseWriter, r *http.Request, from *relay, res Result) {
	if r.Header["Range"] != nil && from.about.status == http.StatusOK && r.Method == http.MethodGet {
		// All of it was asked for, in vain: it is not kept.
		from.decline()
		h.forward(w, h.cache.shown(r), res)
		return
	}
	w.Header().Add("Cache-Status", res.CacheStatus())
	from.take(asker{w, r.Context(), r.Method == http.MethodHead})
}

// serveKept answers a request that the origin must not see (RFC 9111, section 5.2.1.7).
func (h *Handler) serveKept(w http.ResponseWriter, q question) {
	c, ctx := h.cache, q.r.Context()
	span := trace.SpanFromContext(ctx)
	for c.far != nil {
		e, _, err := c.far.get(ctx, q.key, h.source(q, false))
		if err != nil || e == nil {
			break
		}
		if g := e.asGuide(); g != nil && !g.alone && q.key == q.primary {
			q.follow(e)
			continue
		}
		now := time.Now()
		outcome := q.suits(e, now)
		if outcome == "" {
			break
		}
		res := c.resultOf(e, outcome, Far, now)
		c.conclude(ctx, span, &res, e, trace.SpanContext{})
		h.serve(w, q.r, loaded{entry: e}, res)
		return
	}
	res := Result{Cache: c.opts.Name, Outcome: Rejected, Tier: None, Detail: ruleOnlyKept}
	c.conclude(ctx, span, &res, nil, trace.SpanContext{})
	w.Header().Add("Cache-Status", res.CacheStatus())
	http.Error(w, http.StatusText(http.StatusGatewayTimeout), http.StatusGatewayTimeout)
}

// fail answers where there is no answer.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, res Result, err error) {
	var panicked *PanicError
	var rejected *RejectedError
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil,
		errors.As(err, &panicked) && panicked.Value == http.ErrAbortHandler:
		// The client is gone, or the origin breaks off. An empty 200 would be a lie.
		panic(http.ErrAbortHandler)
	case errors.As(err, &rejected):
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", seconds(rejected.RetryAfter))
	case errors.Is(err, errNotModified):
		status = http.StatusBadGateway
	case errors.Is(err, ErrLoadTimeout), errors.Is(err, context.DeadlineExceeded):
		status = http.StatusGatewayTimeout
	}
	w.Header().Add("Cache-Status", res.CacheStatus())
	http.Error(w, http.StatusText(status), status)
}

// passPrivate lets next answer w itself, in a place among those of loads.
func (h *Handler) passPrivate(w http.ResponseWriter, q question) {
	c, ctx := h.cache, q.r.Context()
	place, err := c.places.take(ctx)
	if err != nil {
		res := Result{Cache: c.opts.Name, Outcome: Rejected, Tier: None}
		c.conclude(ctx, trace.SpanFromContext(ctx), &res, nil, trace.SpanContext{})
		h.fail(w, q.r, res, err)
		return
	}
	defer place.leave()
	h.pass(w, c.shown(q.r), Result{Outcome: Miss, Forward: q.key.missing()})
}

// pass lets next answer w itself.
func (h *Handler) pass(w http.ResponseWriter, r *http.Request, res Result) {
	res.Cache, res.Tier = h.cache.opts.Name, None
	h.cache.conclude(r.Context(), trace.SpanFromContext(r.Context()), &res, nil, trace.SpanContext{})
	h.forward(w, r, res)
}
