package cache

import (
	"bytes"
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

// Handler answers from the cache what HTTP's rules (RFC 9111) allow it to, and asks next for the rest. It
// keeps 200 answers to GET for Options.TTL, or for as long as their own Cache-Control says; it neither
// keeps nor shares what has Set-Cookie, Vary, private, no-store or no-cache, whose Content-Length is wrong, or
// that is longer than Limits.Body. A request that may not be cached goes to next untouched.
//
// Otherwise next runs detached from the client's connection, and its answer is held in memory, however
// long, until it is whole: what streams should not stand behind Handler. An answer that next never gives
// becomes a 500, or a 504 after Limits.LoadTimeout (from when the load began, maybe in another process) or the
// request's own deadline; one too many at once a 503 with Retry-After; for a client that left, Handler panics with
// http.ErrAbortHandler, as net/http has it.
func (c *Cache) Handler(next http.Handler) *Handler { return &Handler{c, next} }

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, ctx := h.cache, r.Context()
	if rule := bypassed(r); rule != "" {
		h.pass(w, r, Result{Outcome: Bypass, Detail: rule})
		return
	}
	k := c.responseKey(r)
	src := func() source { return c.responseSource(c.originRequest(r), h.next) }
	if e, res := c.ready(ctx, k, src); e != nil {
		serve(w, r, e, res)
		return
	}
	l, res, err := c.answer(ctx, k, src())
	switch {
	case err == nil:
		serve(w, r, l.entry, res)
	case errors.Is(err, errUnshared):
		h.pass(w, r, Result{Outcome: Miss})
	default:
		h.fail(w, r, res, err)
	}
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
	case errors.Is(err, ErrLoadTimeout), errors.Is(err, context.DeadlineExceeded):
		status = http.StatusGatewayTimeout
	}
	w.Header().Add("Cache-Status", res.CacheStatus())
	http.Error(w, http.StatusText(status), status)
}

// pass lets next answer w itself.
func (h *Handler) pass(w http.ResponseWriter, r *http.Request, res Result) {
	res.Cache, res.Tier = h.cache.opts.Name, None
	h.cache.conclude(r.Context(), trace.SpanFromContext(r.Context()), res, nil, trace.SpanContext{})
	w.Header().Add("Cache-Status", res.CacheStatus())
	h.next.ServeHTTP(w, r)
}

// serve writes what is kept, or came of the origin.
func serve(w http.ResponseWriter, r *http.Request, e *entry, res Result) {
	w.Header().Add("Cache-Status", res.CacheStatus())
	if res.kept() {
		w.Header().Set("Age", seconds(res.Age))
	}
	e.value.(*response).write(w, r.Method)
}

func (c *Cache) responseSource(r *http.Request, next http.Handler) source {
	return source{
		decode: func(payload []byte) (any, error) { return unmarshalResponse(payload) },
		load: func(ctx context.Context) (loaded, error) {
			rec := recorded{header: make(http.Header)}
			within, said := withWishes(ctx)
			next.ServeHTTP(&rec, r.WithContext(within))
			if err := context.Cause(ctx); err != nil {
				return loaded{}, err // whether it gave up halfway, nobody knows
			}
			now := time.Now()
			p := rec.response(now)
			ttl, tags := said.granted(c.opts.TTL)
			may := permits(rec.status, rec.sent, ttl, c.opts.Stale)
			may.shared = may.shared && p.whole() && int64(len(p.body)) <= c.opts.Limits.Body
			l := loaded{
				entry: &entry{
					value: p, size: p.size() + sizeOf(tags), tags: tags, lifetime: c.lives(now, may.keep, may.stale),
				},
				unshared: !may.shared,
				stored:   may.shared && may.keep > 0,
				status:   p.status,
				failing:  failing(p.status),
			}
			if may.shared && c.far != nil {
				l.payload = p.marshal()
			}
			return l, nil
		},
	}
}

// recorded is a ResponseWriter that keeps what is written.
type recorded struct {
	header http.Header
	sent   http.Header // header as it was when the status was written
	status int
	body   bytes.Buffer
}

func (w *recorded) Header() http.Header { return w.header }

func (w *recorded) WriteHeader(status int) {
	if w.status != 0 || status < 200 {
		return // informational answers are for one client
	}
	w.status, w.sent = status, w.header.Clone()
}

func (w *recorded) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if !bodyAllowed(w.status) {
		return 0, http.ErrBodyNotAllowed
	}
	return w.body.Write(b)
}

// response is what was recorded. It has a Date, as whatever is kept must (RFC 9110, section 6.6.1): from
// Date and Age a client knows when the answer was made.
func (w *recorded) response(now time.Time) *response {
	w.WriteHeader(http.StatusOK)
	if w.sent["Date"] == nil {
		w.sent.Set("Date", now.UTC().Format(http.TimeFormat))
	}
	for _, name := range perRequest {
		w.sent.Del(name)
	}
	if w.body.Len() > 0 && w.sent["Content-Type"] == nil {
		w.sent.Set("Content-Type", http.DetectContentType(w.body.Bytes()))
	}
	return newResponse(w.status, w.sent, bytes.Clone(w.body.Bytes())) // the buffer may be twice as large
}
