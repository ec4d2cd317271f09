package cache

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// errNotModified is an origin's 304 that nobody asked for: there is nothing that it could be about.
var errNotModified = errors.New("cache: the origin answered 304 to a request without a condition")

// load is one exchange with the origin.
type load struct {
	*Cache
	q      question
	r      *http.Request // as the origin gets it
	f      *call
	before *response // what it may say is still good
	said   *wishes
	asked  time.Time
}

func (h *Handler) load(ctx context.Context, f *call, q question) (l loaded, err error) {
	c := h.cache
	within, said := withWishes(ctx)
	within, cancel := context.WithCancel(within)
	defer cancel()
	if within.Value(http.ServerContextKey) == nil {
		within = context.WithValue(within, http.ServerContextKey, standInServer) // or a ReverseProxy keeps quiet about a body that broke off
	}
	o := load{Cache: c, q: q, r: c.originRequest(q.r, q.part != nil), f: f, said: said, asked: time.Now()}
	o.validate()
	w := &capture{ctx: within, cancel: cancel, f: f, limit: c.opts.Limits.Body, header: make(http.Header), decide: o.decide, excess: o.excess}
	defer func() {
		if w.left() {
			// What breaks off because nobody wants it any more is no error of the origin's.
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				panic(p)
			}
			l, err = loaded{answered: f.relay.about}, nil
		}
	}()
	h.next.ServeHTTP(w, o.r.WithContext(timed{within, ctx}))
	if err := context.Cause(ctx); err != nil && w.to == nil && w.err == nil {
		return loaded{}, err // whether it gave up halfway, nobody knows
	}
	w.WriteHeader(http.StatusOK)
	switch {
	case w.to != nil:
		w.trail()
		return loaded{answered: f.relay.about}, w.err
	case w.err != nil:
		return loaded{answered: answered{status: w.status}}, w.err
	}
	if w.status == http.StatusNotModified {
		if o.before == nil {
			return loaded{}, errNotModified
		}
		if !o.confirms(w.sent) {
			f.before = nil
			return h.load(ctx, f, q)
		}
		return o.brought(o.before.status, o.before.freshened(w.sent), o.before.body, true), nil
	}
	if _, typed := w.sent["Content-Type"]; w.body.Len() > 0 && !typed && w.sent["Content-Encoding"] == nil {
		w.sent.Set("Content-Type", http.DetectContentType(w.body.Bytes()))
	}
	return o.brought(w.status, w.sent, bytes.Clone(w.body.Bytes()), false), nil // the buffer may be twice as large
}

// confirms tells whether a 304 is about what the request named: where that was a date alone, a strong ETag names something
// else, or nobody knows (RFC 9111, section 4.3.4).
func (o *load) confirms(h http.Header) bool {
	etag := h.Get("Etag")
	return o.r.Header["If-None-Match"] != nil || etag == "" || strings.HasPrefix(etag, "W/")
}

// standInServer is that of a request which no server made.
var standInServer = new(http.Server)

// validate makes the request a conditional one if there is something to ask about (RFC 9111, section 4.3.1).
func (o *load) validate() {
	e := o.f.before
	if e == nil || o.f.purged.Load() || !o.stands(e) {
		return
	}
	p := e.asResponse()
	if o.q.part != nil && !p.contains(*o.q.part) || o.r.Header["Authorization"] != nil && !p.has(forAll) {
		return // it would not answer this request
	}
	etag, modified := p.header("Etag"), p.header("Last-Modified")
	if etag != nil && !p.has(ownETag) {
		o.r.Header["If-None-Match"] = etag
		o.before = p
	}
	if modified != nil {
		o.r.Header["If-Modified-Since"] = modified
		o.before = p
	}
}

func (o *load) exchange(status int, h http.Header) exchange {
	return exchange{r: o.r, status: status, h: h, asked: o.asked, now: time.Now()}
}

// rule is what may be done with a response whose handler may not have ended.
func (o *load) rule(x exchange) ruling {
	ttl, _, chosen := o.said.granted(o.opts.TTL)
	return o.Cache.rule(x, ttl, chosen)
}

// decide tells, as soon as there is a header, what the cache learns of a response that is for its asker alone.
func (o *load) decide(w *capture) (loaded, bool) {
	if w.status == http.StatusNotModified {
		return loaded{}, false
	}
	x := o.exchange(w.status, w.sent)
	u := o.rule(x)
	if u.detail == "" && lengthOf(w.sent) > o.opts.Limits.Body {
		u.detail = ruleTooLarge
	}
	switch {
	case u.detail == "":
		return loaded{}, false
	case failing(w.status) && o.f.standIn.Load() != nil:
		return loaded{}, false // that stands in for it
	}
	return o.alone(w.status, u), true
}

// excess is what the cache learns of a response that is too large for it.
func (o *load) excess(w *capture) loaded {
	return o.alone(w.status, ruling{detail: ruleTooLarge, created: time.Now()})
}

// alone is what there is to know of a response that is for its asker alone. Others need not wait to learn that it is so,
// unless it was this request that made it so.
func (o *load) alone(status int, u ruling) loaded {
	l := loaded{unshared: true, answered: answered{status: status, failing: failing(status), detail: u.detail}}
	if o.f.alone || l.failing || u.detail == ruleAuthorization || u.detail == ruleStatus && o.q.part != nil {
		return l
	}
	now := time.Now()
	l.guide, l.guideAt = guideTo(&guide{alone: true, id: newID()}, now, now), o.q.key
	return l
}

// brought is a whole response: made now, or proven good.
func (o *load) brought(status int, h http.Header, body []byte, proven bool) loaded {
	x := o.exchange(status, h)
	u := o.rule(x)
	_, tags, _ := o.said.granted(0)
	if proven && len(tags) == 0 {
		tags = o.f.before.tags
	}
	l := loaded{answered: answered{
		status: status, failing: failing(status), own: split(h, u.without), proven: proven,
		vary: u.vary, selected: digest(u.vary, o.q.r.Header), detail: u.detail,
	}}
	dated(h, x.now)
	if l.failing {
		u.proving = false
	}
	kept := time.Duration(0)
	if u.proving {
		kept = o.opts.HTTP.Proving
	}
	if status == http.StatusOK && u.detail == "" && h["Etag"] == nil && !o.opts.HTTP.NoETag {
		h["Etag"] = []string{etagOf(h, body)}
		u.traits |= ownETag
	} else if proven && o.before.has(ownETag) {
		u.traits |= ownETag
	}
	if o.q.part != nil && status == http.StatusPartialContent && !proven {
		h[askedRange] = []string{o.q.part.text}
	}
	p := newResponse(status, u.traits, h, body)
	e := &entry{value: p, tags: tags, lifetime: o.lives(u.created, u.fresh, u.stale, kept)}
	if proven {
		e.cost = o.f.before.cost
	}
	l.entry = e
	l.unshared = u.detail != "" || u.has(validating)
	if !p.whole() {
		l.unshared = true
	} else {
		l.stored = e.end().After(x.now) && u.detail == "" && !(l.failing && o.f.standIn.Load() != nil)
	}
	leads := o.guides(&l, x.now)
	if l.stored && len(o.opts.HTTP.Encodings) > 0 {
		o.code(p, x, u.vary, proven)
	}
	e.size = p.size() + sizeOf(tags)
	if o.far != nil && (l.stored || leads && !l.unshared) {
		l.payload = p.marshal()
	}
	return l
}

// code has p have its body in other codings, if it may. That is done before anybody has the response, so that it is shared as
// it is kept: compressed once for the fleet, in the load's place, and sent so to those who wait as well. To them it costs
// less than the handler's and the far tier's time (BenchmarkBody), and the larger the body, the more they gain by a shorter
// one. What is proven has been through it.
func (o *load) code(p *response, x exchange, vary []string, proven bool) {
	cc, _ := targetedAt(x.h, o.opts.HTTP.Targeted, o.opts.Name)
	switch {
	case slices.Contains(vary, "Accept-Encoding"), cc.has("no-transform"), !p.compressible():
		// The handler has chosen.
	case proven:
		p.coded = o.before.coded
	default:
		p.coded = p.compressed(o.opts.HTTP.Encodings)
	}
}

// guides says where a response is kept that depends on fields of its request. It tells whether others that ask for the same
// key ask for the same.
func (o *load) guides(l *loaded, now time.Time) bool {
	k := o.q.key
	switch known := o.q.guide; {
	case known == nil && len(l.vary) == 0:
		return true
	case known == nil && (l.detail != "" || l.failing):
		return false
	case known == nil:
		g := &guide{id: newID(), fields: l.vary}
		l.guide, l.guideAt, l.under = guideTo(g, now, l.end()), k, g.variant(k, o.q.r.Header)
		l.speaks(g, o.q.primary)
		return false
	case !known.asGuide().leads(l.vary):
		// Others of its fields may be what it depends on, the next time.
		wider := &guide{id: newID(), fields: selecting(append(l.vary, known.asGuide().fields...))}
		l.guide, l.guideAt, l.stored = guideTo(wider, now, l.end()), o.q.primary, false
		return false
	default:
		l.speaks(known.asGuide(), o.q.primary)
		return true
	}
}

// speaks has a response be found by those who prefer its language, too.
func (l *loaded) speaks(g *guide, primary entryKey) {
	if l.stored {
		l.also, _ = g.inLanguage(primary, l.asResponse().header("Content-Language"))
	}
}

// etagOf is a strong validator: equal only for equal representations (RFC 9110, section 8.8.1).
func etagOf(h http.Header, body []byte) string {
	sum := sha256.New()
	for _, name := range []string{"Content-Type", "Content-Encoding", "Content-Language"} {
		for _, value := range h[name] {
			sum.Write(appendString(nil, value))
		}
		sum.Write([]byte{0})
	}
	sum.Write(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:15]) + `"`
}

// lengthOf is what a response says of its length, in bytes, or -1.
func lengthOf(h http.Header) int64 {
	if n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64); err == nil {
		return n
	}
	return -1
}
