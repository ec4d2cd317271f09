package cache

import (
	"net/http"
	"strings"
	"time"
)

// The rules that keep a request from the cache: Result.Detail of a Bypass.
const (
	ruleMethod        = "method"
	ruleAuthorization = "authorization"
	ruleUpgrade       = "upgrade"
	ruleBody          = "body"
	ruleNoStore       = "no-store"
	ruleNoCache       = "no-cache"
	ruleHost          = "host"
	ruleOnlyKept      = "only-if-cached"
)

// bypassed tells which rule keeps a request from the cache, or "", and why RFC 9211 says that the origin is asked.
func (c *Cache) bypassed(r *http.Request) (rule, forward string) {
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return ruleMethod, forwardMethod
	case r.Header["Upgrade"] != nil:
		return ruleUpgrade, forwardBypass
	case r.ContentLength != 0:
		return ruleBody, forwardBypass
	case strings.ContainsAny(r.Host, "/?# "):
		return ruleHost, forwardBypass // HTTP/2 lets a host look like the beginning of a path
	case c.opts.HTTP.Heed && r.Header["Cache-Control"] != nil && directivesIn(r.Header["Cache-Control"]).has("no-store"):
		return ruleNoStore, forwardRequest
	}
	return "", ""
}

// question is what a request asks of the cache.
type question struct {
	r       *http.Request
	primary entryKey // of its URL
	key     entryKey // of the variant that it asks for, once a guide has led there
	guide   *entry   // that did; nil: none
	part    *byteRange
	demands
}

// demands are what a request's Cache-Control asks for (RFC 9111, section 5.2.1). The zero value is nothing.
type demands struct {
	reload   bool          // the origin is to be asked
	maxAge   time.Duration // of what is kept; negative: any
	minFresh time.Duration // how long it must go on being fresh
	maxStale time.Duration // how long it may have been stale
	onlyKept bool          // the origin must not be asked
}

func (c *Cache) ask(r *http.Request) question {
	k := c.responseKey(r)
	q := question{r: r, primary: k, key: k, demands: demands{maxAge: -1}}
	lines, pragma := r.Header["Cache-Control"], r.Header["Pragma"]
	if lines == nil && pragma == nil {
		return q
	}
	cc := directivesIn(lines)
	q.onlyKept = cc.has("only-if-cached")
	if cc.has("max-stale") {
		q.maxStale = 1 << 31 * time.Second // without an argument: any
		if cc["max-stale"] != "" {
			q.maxStale, _ = cc.duration("max-stale")
		}
	}
	if !c.opts.HTTP.Heed {
		return q
	}
	if d, ok := cc.duration("max-age"); ok {
		q.maxAge = d
	}
	q.minFresh, _ = cc.duration("min-fresh")
	q.reload = cc.has("no-cache") || lines == nil && directivesIn(pragma).has("no-cache") // section 5.4
	return q
}

// follow goes on under the key to which a guide leads.
func (q *question) follow(guide *entry) {
	q.guide, q.key = guide, guide.asGuide().variant(q.primary, q.r.Header)
}

// authorized tells whether the answer must be one for all.
func (q *question) authorized() bool { return q.r.Header["Authorization"] != nil }

// suits is the outcome of answering with e at once, or "" where the origin has to be asked first.
func (q *question) suits(e *entry, now time.Time) Outcome {
	p := e.asResponse()
	switch {
	case p == nil, p.has(validating), q.reload,
		q.authorized() && !p.has(forAll),
		q.part != nil && !p.contains(*q.part),
		q.maxAge >= 0 && e.age(now) > q.maxAge,
		q.minFresh > 0 && e.expires.Sub(now) < q.minFresh,
		q.guide != nil && q.guide.outdates(e, now):
		return ""
	}
	outcome := e.ready(now)
	switch late := now.Sub(e.expires); {
	case outcome == "" && q.maxStale > 0 && late <= q.maxStale && !p.has(strict):
		return Stale
	case outcome == Stale && late > q.maxStale && (q.maxAge >= 0 || q.minFresh > 0):
		return ""
	}
	return outcome
}

// fits is the outcome of a flight for q that takes e without a load, or "". Guides are taken where they lead on.
func (q *question) fits(e *entry, alone bool) Outcome {
	if g := e.asGuide(); g != nil {
		if g.alone && (alone || e.at(time.Now()) != fresh) {
			return ""
		}
		return Hit
	}
	return q.suits(e, time.Now())
}

// shares tells whether l, which another request's load has brought, or found, or which stands in for it, answers q.
func (q *question) shares(l loaded, outcome Outcome) bool {
	switch {
	case q.part != nil && !l.asResponse().contains(*q.part),
		q.authorized() && !l.asResponse().has(forAll):
		return false
	case l.status != 0:
		return len(l.vary) == 0 || digest(l.vary, q.r.Header) == l.selected
	}
	return outcome == StaleError || q.suits(l.entry, time.Now()) != ""
}
