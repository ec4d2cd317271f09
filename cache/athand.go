package cache

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
)

// Answer is one that is at hand, and needs no handler.
type Answer = interface {
	// Serve writes the answer to r and counts it. It returns the status and how many bytes of the body w took.
	Serve(w http.ResponseWriter, r *http.Request) (status int, bytes int64)
	// AppendSpanAttrs and LogAttrs say how the answer came about.
	AppendSpanAttrs([]attribute.KeyValue) []attribute.KeyValue
	LogAttrs() []slog.Attr
}

// AtHand returns the answer to r that the near tier has, or nil. Whoever serves it need not call
// ServeHTTP, nor prepare for what a handler may do.
func (h *Handler) AtHand(r *http.Request) Answer {
	if rule, _ := h.cache.bypassed(r); rule != "" {
		return nil
	}
	if a := h.atHand(r, time.Now()); a != nil {
		return a
	}
	return nil // and not a nil *nearAnswer
}

// nearAnswer is an entry of the near tier as it is within one second: with the next its Age and
// Cache-Status are others. All requests of that second share it.
type nearAnswer struct {
	cache    *Cache
	entry    *entry
	response *response
	result   Result   // in whole seconds
	age      []string // the field Age (RFC 9111, section 5.1)
	status   []string // Cache-Status
}

// atHand is AtHand for requests that do not bypass the cache.
func (h *Handler) atHand(r *http.Request, now time.Time) *nearAnswer {
	c := h.cache
	if c.opts.HTTP.Heed && (r.Header["Cache-Control"] != nil || r.Header["Pragma"] != nil) {
		return nil // it may want something better
	}
	e, _, _ := c.nearest(c.responseKey(r), r.Header, now)
	if e == nil || e.at(now) != fresh {
		return nil
	}
	p := e.asResponse()
	if p == nil || r.Header["Authorization"] != nil && !p.has(forAll) || c.early(e, now) {
		return nil // or fresh, but somebody has to refresh it
	}
	return c.now(e, p, now)
}

// now is e, of p, as it is in this second.
func (c *Cache) now(e *entry, p *response, now time.Time) *nearAnswer {
	age, ttl := e.age(now).Truncate(time.Second), e.expires.Sub(now).Truncate(time.Second)
	if a := p.recent.Load(); a != nil && a.entry == e && a.result.Age == age && a.result.TTL == ttl {
		return a
	}
	res := Result{Cache: c.opts.Name, Outcome: Hit, Tier: Near, TTL: ttl, Age: age}
	a := &nearAnswer{
		cache: c, entry: e, response: p, result: res,
		age: []string{seconds(age)}, status: []string{res.CacheStatus()},
	}
	p.recent.Store(a)
	return a
}

func (a *nearAnswer) Serve(w http.ResponseWriter, r *http.Request) (status int, bytes int64) {
	a.cache.count(r.Context(), &a.result, a.entry)
	h := w.Header()
	h["Age"] = a.age
	if around := h["Cache-Status"]; len(around) == 0 {
		h["Cache-Status"] = a.status
	} else {
		h["Cache-Status"] = append(around, a.status...)
	}
	return a.response.write(w, r)
}

func (a *nearAnswer) AppendSpanAttrs(attrs []attribute.KeyValue) []attribute.KeyValue {
	return a.result.appendSpanAttrs(attrs)
}

func (a *nearAnswer) LogAttrs() []slog.Attr { return a.result.LogAttrs() }

// seconds is d in whole seconds.
func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }
