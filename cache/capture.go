package cache

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

var (
	// perHop are fields of one connection, or of a proxy's (RFC 9110, sections 7.6.1 and 11.7).
	perHop = []string{
		"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authentication-Info",
		"Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	}
	// perRequest are fields that name or time one exchange, and are never kept.
	perRequest = []string{
		"Age", "Cache-Status", "Server-Timing", "Traceparent", "Traceresponse", "Tracestate",
		"X-Request-Id", "X-Correlation-Id", "X-Trace-Id", "X-Amzn-Trace-Id", "X-B3-Traceid", "X-Instance",
	}
)

var (
	errUnwanted    = errors.New("cache: nobody is left to take this response")
	errLongFailure = errors.New("cache: the origin failed, and said more than is kept")
)

// capture is the ResponseWriter of a load. It keeps what is written, or, once it is known that nobody else may have
// that, writes it to whoever asked.
type capture struct {
	ctx    context.Context
	cancel context.CancelFunc
	f      *call
	limit  int64                         // bytes of the body that are kept
	decide func(*capture) (loaded, bool) // what is known of it once the status is written, and whether it is for the asker alone
	excess func(*capture) loaded         // what is known of one with a longer body

	header http.Header
	sent   http.Header // header as it was when the status was written
	status int
	body   bytes.Buffer

	to      http.ResponseWriter // the asker's; nil: it is kept
	asker   context.Context     // ends when the asker leaves
	unwatch func() bool
	err     error // what writing comes to
}

func (w *capture) Header() http.Header { return w.header }

func (w *capture) WriteHeader(status int) {
	if w.status != 0 || status < 200 {
		return // informational answers are for one client
	}
	w.status, w.sent = status, w.header.Clone()
	if l, alone := w.decide(w); alone {
		w.handOver(l)
	}
}

func (w *capture) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	switch {
	case !bodyAllowed(w.status):
		return 0, http.ErrBodyNotAllowed
	case w.err != nil:
		return 0, w.err
	case len(b) == 0:
		return 0, nil
	case w.to != nil:
		return w.to.Write(b)
	case int64(w.body.Len())+int64(len(b)) > w.limit:
		if failing(w.status) && w.f.standIn.Load() != nil {
			w.err = errLongFailure // that stands in for it
		} else {
			w.handOver(w.excess(w))
		}
		return w.Write(b)
	}
	return w.body.Write(b)
}

// FlushError implements what http.ResponseController looks for.
func (w *capture) FlushError() error {
	w.WriteHeader(http.StatusOK)
	if w.to != nil {
		return http.NewResponseController(w.to).Flush()
	}
	return w.err // it is kept: there is nobody to hurry for
}

// SetWriteDeadline implements what http.ResponseController looks for.
func (w *capture) SetWriteDeadline(end time.Time) error {
	if w.to == nil {
		return http.ErrNotSupported
	}
	return http.NewResponseController(w.to).SetWriteDeadline(end)
}

// left tells whether the asker of a response that is its alone has left, or has all that it wants.
func (w *capture) left() bool {
	return w.err == errUnwanted || w.asker != nil && w.asker.Err() != nil
}

// handOver has the response be its asker's alone: l is all that the cache learns of it.
func (w *capture) handOver(l loaded) {
	w.f.handed(l)
	a, ok := w.f.relay.offer(w.ctx)
	if !ok {
		w.err = errUnwanted
		w.cancel()
		return
	}
	w.unwatch = context.AfterFunc(a.ctx, w.cancel)
	defer func() {
		if a.head {
			// The header is all that it wants.
			w.f.relay.ended, w.err = true, errUnwanted
			w.cancel()
		}
	}()
	w.to, w.asker = a.w, a.ctx
	for name, values := range w.sent {
		put(w.to.Header(), name, values)
	}
	w.to.WriteHeader(w.status)
	if w.body.Len() > 0 {
		_, w.err = w.to.Write(w.body.Bytes())
	}
	w.body = bytes.Buffer{}
}

// trail ends a response that was handed over, with what the handler has set behind the body.
func (w *capture) trail() {
	w.unwatch()
	for name, values := range w.header {
		if _, before := w.sent[name]; !before || strings.HasPrefix(name, http.TrailerPrefix) {
			w.to.Header()[name] = values
		}
	}
}

// put sets a field of a response as a handler in the cache's place would have: there are some to which whoever stands
// around it may have added. Of caches the one nearest to the origin comes first (RFC 9211, section 2).
func put(h http.Header, name string, values []string) {
	switch name {
	case "Cache-Status":
		values = append(slices.Clip(values), h[name]...)
	case "Link", "Set-Cookie", "Vary":
		if around := h[name]; len(around) > 0 {
			values = append(slices.Clone(around), values...)
		}
	}
	h[name] = values
}

// split takes from h what is not kept: fields of one hop, which include those that Connection names (RFC 9110, section
// 7.6.1), and those of one exchange or of without. It returns the latter: they are the asker's.
func split(h http.Header, without []string) (own http.Header) {
	for name := range listed(h["Connection"]) {
		h.Del(name)
	}
	for _, name := range perHop {
		delete(h, name)
	}
	for _, name := range slices.Concat(perRequest, without) {
		if values, ok := h[name]; ok && name != "Age" {
			if own == nil {
				own = make(http.Header)
			}
			own[name] = values
		}
		delete(h, name)
	}
	return own
}

// dated gives h a Date, as whatever is kept must have (RFC 9110, section 6.6.1): from Date and Age a client knows when
// the answer was made.
func dated(h http.Header, now time.Time) {
	if _, ok := dateOf(h); !ok {
		h.Set("Date", now.UTC().Format(http.TimeFormat))
	}
}

// dateOf is the response's Date, or false.
func dateOf(h http.Header) (time.Time, bool) {
	text := h.Get("Date")
	if text == "" {
		return time.Time{}, false // to find that nothing is no date takes three errors
	}
	date, err := http.ParseTime(text)
	return date, err == nil
}
